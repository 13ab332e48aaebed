"""A real HTTP server on a real socket of this machine, as polite or as rude as a test wants it.

async with Site() as site:
    site.says("/a", 201, {"id": 7})
    ... calls f"{site.url}/a", then looks at site.came
"""

import asyncio
import json
import ssl
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


@dataclass(frozen=True)
class Came:
    """One request that arrived."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


#: Writes whatever it likes to the connection.
Rude = Callable[[Came, asyncio.StreamWriter], Awaitable[None]]


class Site:
    """Answers requests on 127.0.0.1; with a certificate for `name`, over TLS."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.came: list[Came] = []
        self.connections = 0
        self._says: dict[str, deque[bytes | Rude]] = defaultdict(deque)
        self._arrived = asyncio.Condition()
        self._tls = tls
        self._open: set[asyncio.StreamWriter] = set()

    def says(self, path: str, status: int = 200, value: Any = None, times: int = 1, **headers: str) -> None:
        """What the next requests of this path are answered; the last answer is given for ever."""
        body = b"" if value is None else value if isinstance(value, bytes) else json.dumps(value).encode()
        lines = [f"HTTP/1.1 {status} Said", f"content-length: {len(body)}"]
        lines += [f"{name.replace('_', '-')}: {said}" for name, said in headers.items()]
        self._says[path].extend([("\r\n".join(lines) + "\r\n\r\n").encode() + body] * times)

    def does(self, path: str, rude: Rude) -> None:
        """What is done with the next request of this path."""
        self._says[path].append(rude)

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    async def arrived(self, count: int) -> None:
        """Wait until so many requests have come."""
        async with asyncio.timeout(20), self._arrived:
            await self._arrived.wait_for(lambda: len(self.came) >= count)

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for writer in list(self._open):
            writer.transport.abort()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._open.add(writer)
        try:
            while (came := await read(reader)) is not None:
                async with self._arrived:
                    self.came.append(came)
                    self._arrived.notify_all()
                said = self._says[came.path.partition("?")[0]]
                do = (said.popleft() if len(said) > 1 else said[0]) if said else NOT_FOUND
                if isinstance(do, bytes):
                    writer.write(do)
                    await writer.drain()
                else:
                    await do(came, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self._open.discard(writer)
            writer.close()


NOT_FOUND = b"HTTP/1.1 404 Said\r\ncontent-length: 0\r\n\r\n"


async def read(reader: asyncio.StreamReader) -> Came | None:
    """The next request of a connection; None where there is none."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    first, *lines = head.decode().strip().split("\r\n")
    method, path, _ = first.split(" ")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Came(method, path, headers, body)


async def hang(_came: Came, _writer: asyncio.StreamWriter) -> None:
    """Takes the request and never answers."""
    await asyncio.Event().wait()


async def hang_up(_came: Came, writer: asyncio.StreamWriter) -> None:
    """Takes the request and is gone."""
    writer.transport.abort()


async def drip(_came: Came, writer: asyncio.StreamWriter) -> None:
    """Answers for ever, a byte now and then, so that no read ever waits long."""
    writer.write(b"HTTP/1.1 200 Said\r\ncontent-length: 100000\r\n\r\n")
    while True:
        writer.write(b".")
        await writer.drain()
        await asyncio.sleep(0.01)


def certificate(folder: Path, name: str) -> tuple[ssl.SSLContext, str]:
    """What a server named so serves with, and the file of the authority that vouches for it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    try:
        names = [x509.IPAddress(ip_address(name))]
    except ValueError:
        names = [x509.DNSName(name)]
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "ca.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(folder / "ca.pem", folder / "key.pem")
    return serving, str(folder / "ca.pem")
