"""Serves the site with uvicorn, in the node's own event loop.

It listens on loopback. Beyond it only with TLS, or where a proxy that terminates TLS is named: a key that goes over a
network in the clear is everybody's.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Iterable
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Self

from lictor.errors import DeclarationError, LictorError
from lictor.node import Node
from lictor.surfaces.access.door import Door

from .site import site

HOST = "127.0.0.1"
PORT = 8700
#: What runs when the server is told to stop may take so long to answer.
GRACE_S = 5
#: A connection on which nobody asks anything is closed.
IDLE_S = 75
BACKLOG = 1024
#: How often connections are looked at.
LOOK_S = 1.0


class HttpServer:
    """Serves one node: `async with HttpServer(node, "127.0.0.1", 8700): ...`."""

    def __init__(
        self,
        node: Node,
        host: str = HOST,
        port: int = PORT,
        *,
        cert: Path | None = None,
        key: Path | None = None,
        behind_proxy: str | None = None,
        hosts: Iterable[str] = (),
        door: Door | None = None,
    ) -> None:
        check_bind(host, tls=cert is not None, behind_proxy=behind_proxy)
        self.node = node
        self.host = host
        self.port = port
        secure = cert is not None or behind_proxy is not None
        self.app = site(
            node, door or Door(node, (host, *hosts, *(names_of(cert) if cert is not None else ())), secure=secure)
        )
        self._tls = tls_of(cert, key) if cert is not None else None
        self._behind_proxy = behind_proxy
        self._server: Any = None
        self._ticking: asyncio.Task[None] | None = None
        self._looking: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        """Where it is reached."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self._tls is not None else 'http'}://{host}:{self.port}"

    async def start(self) -> None:
        """Listen.

        Raises:
            LictorError: the address cannot be had, or the extra `server` is not installed.
        """
        try:
            from uvicorn import Config, Server
        except ImportError as error:
            raise LictorError("serving HTTP needs the extra server", hint="pip install 'lictor[server]'") from error
        listening = listen(self.host, self.port)
        self.port = listening.getsockname()[1]
        from .connection import Connection

        config = Config(
            self.app,
            http=Connection,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=self._behind_proxy is not None,
            forwarded_allow_ips=self._behind_proxy,
            timeout_keep_alive=IDLE_S,
            timeout_graceful_shutdown=GRACE_S,
            backlog=BACKLOG,
        )
        config.load()
        config.ssl = self._tls
        self._server = Server(config)
        self._server.lifespan = config.lifespan_class(config)
        await self._server.startup(sockets=[listening])
        self._ticking = asyncio.create_task(self._server.main_loop())
        self._looking = asyncio.create_task(self._look())

    async def _look(self) -> None:
        """Close connections that take too long, once a second."""
        while True:
            await self.node.clock.sleep(LOOK_S)
            now_s = asyncio.get_running_loop().time()
            for connection in [*self._server.server_state.connections]:
                connection.look(now_s)
                connection.drop_unread(now_s)

    async def stop(self) -> None:
        """Take no more, let what runs answer, close."""
        if self._server is None or self._ticking is None or self._looking is None:
            return
        self._server.should_exit = True
        self._ticking.cancel()
        self._looking.cancel()
        await asyncio.gather(self._ticking, self._looking, return_exceptions=True)
        self.app.events.close()
        await self._server.shutdown()
        self._server = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()


def check_bind(host: str, *, tls: bool, behind_proxy: str | None) -> None:
    """Refuse to be reached from elsewhere in the clear.

    Raises:
        DeclarationError: it would be.
    """
    if tls or behind_proxy is not None or is_loopback(host):
        return
    raise DeclarationError(
        f"{host} is reached from beyond this machine, and keys would go there in the clear",
        hint="give --tls-cert and --tls-key, or --behind-proxy with the address of the proxy that terminates TLS",
    )


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches it."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def listen(host: str, port: int) -> socket.socket:
    """A listening socket.

    Raises:
        LictorError: the address cannot be had.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((host, port))
        made.settimeout(0.0)
    except OSError as error:
        made.close()
        raise LictorError(f"{host}:{port} cannot be listened on: {error.strerror}") from error
    return made


def tls_of(cert: Path, key: Path | None) -> ssl.SSLContext:
    """TLS 1.2 or later with this certificate.

    Raises:
        DeclarationError: the files cannot be used.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(cert, key)
    except (OSError, ssl.SSLError) as error:
        raise DeclarationError(f"{cert} and {key or cert} are no certificate and key: {error}") from error
    return context


def names_of(cert: Path) -> list[str]:
    """The names that a certificate is for; none where it cannot be read, which `tls_of` refuses."""
    from cryptography import x509

    try:
        found = x509.load_pem_x509_certificate(cert.read_bytes())
        return found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value.get_values_for_type(
            x509.DNSName
        )
    except (OSError, ValueError, x509.ExtensionNotFound):
        return []


def address_of(text: str) -> tuple[str, int]:
    """Host and port of `HOST:PORT`, `:PORT` or `PORT`.

    Raises:
        DeclarationError: it is none.
    """
    host, _, port = text.rpartition(":")
    host = host.strip("[]") or HOST
    if not port.isdigit() or int(port) > 65_535:  # noqa: PLR2004 - the largest port
        raise DeclarationError(f"{text!r} is no address", hint="for example 127.0.0.1:8700")
    return host, int(port)
