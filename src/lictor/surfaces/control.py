"""The control socket of a running node: a Unix socket beside the journal file, one JSON object a line.

    request   {"v": 1, "do": "halt", "with": {"scope": "all", "by": "ana"}}
    answer    {"v": 1, "ok": true, "result": ...}  or  {"v": 1, "ok": false, "error": {"code", "message", "hint"}}

Only the user that runs the node can open it (mode 0600). Whoever serves holds the journal's lock, so that a socket
that lies there already was left by a process that is gone, and is replaced. Lines, connections and times are bounded.
"""

from __future__ import annotations

import asyncio
import os
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self

import msgspec

from lictor.errors import LictorError
from lictor.node import Node

from .requests import Requests

PROTOCOL = 1
#: A longer request is refused.
REQUEST_BYTES_MAX = 4 << 20
CONNECTIONS_MAX = 64
#: A connection that asks nothing for so long is closed.
IDLE_S = 300.0
#: A request that takes longer is given up; those that wait for an outcome may add what they wait.
REQUEST_S = 30.0
WAIT_S_MAX = 86_400.0
#: Longer paths do not fit into the address of a socket and are reached through their directory.
_ADDRESS_BYTES_MAX = 100


class _Request(msgspec.Struct, frozen=True):
    """What comes in."""

    do: str
    v: int = PROTOCOL
    asked: dict[str, Any] = msgspec.field(name="with", default_factory=dict)


_decode = msgspec.json.Decoder(_Request).decode
_encode = msgspec.json.Encoder(decimal_format="string", enc_hook=str).encode


class Control:
    """Serves one node's control socket: `async with Control(node, "payouts.db.sock"): ...`."""

    def __init__(self, node: Node, path: str | Path) -> None:
        self.path = Path(path)
        self._requests = Requests(node)
        self._server: asyncio.Server | None = None
        self._inode = 0
        self._serving: set[asyncio.Task[Any]] = set()

    async def start(self) -> None:
        """Take requests.

        Raises:
            LictorError: the path is taken by something that is no socket.
        """
        listening = listen(self.path)
        self._inode = self.path.stat().st_ino
        self._server = await asyncio.start_unix_server(self._serve, sock=listening, limit=REQUEST_BYTES_MAX)

    async def stop(self) -> None:
        """Take no more, let what runs answer, and remove the socket."""
        if self._server is None:
            return
        self._server.close()
        with suppress(FileNotFoundError):
            if self.path.stat().st_ino == self._inode:
                self.path.unlink()
        for task in self._serving:
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None:
            return
        self._serving.add(task)
        try:
            if len(self._serving) > CONNECTIONS_MAX:
                writer.write(_failed("BUSY", f"{CONNECTIONS_MAX} connections are open"))
            else:
                await self._converse(reader, writer)
            await writer.drain()
        except (ConnectionError, asyncio.CancelledError, TimeoutError):
            pass  # whoever asked has gone, or we go
        finally:
            self._serving.discard(task)
            writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            try:
                async with asyncio.timeout(IDLE_S):
                    line = await reader.readline()
            except ValueError:  # longer than the limit; what follows cannot be told apart from it
                writer.write(_failed("TOO_LARGE", f"a request has at most {REQUEST_BYTES_MAX} bytes"))
                return
            if not line.endswith(b"\n"):
                return
            writer.write(await self._answer(line))
            await writer.drain()

    async def _answer(self, line: bytes) -> bytes:
        try:
            request = _decode(line)
        except msgspec.MsgspecError as error:
            return _failed("MALFORMED", f"no request: {error}", 'one line of JSON: {"v": 1, "do": ..., "with": {...}}')
        if request.v != PROTOCOL:
            return _failed("PROTOCOL", f"protocol {request.v} is not spoken here", f"this node speaks {PROTOCOL}")
        wait_s = request.asked.get("wait_s")
        extra_s = min(float(wait_s), WAIT_S_MAX) if isinstance(wait_s, int | float) else 0.0
        try:
            async with asyncio.timeout(REQUEST_S + extra_s):
                result = await self._requests.answer(request.do, request.asked)
            return _encode({"v": PROTOCOL, "ok": True, "result": result}) + b"\n"
        except LictorError as error:
            return _failed(error.code, error.message, error.hint)
        except TimeoutError:
            return _failed("TIMEOUT", f"{request.do} took longer than {REQUEST_S + extra_s:g} s")
        except Exception as error:  # noqa: BLE001 - whatever it is, the one who asked is told, and the node goes on
            return _failed("DEFECT", f"{request.do}: {type(error).__name__}: {error}")


def _failed(code: str, message: str, hint: str | None = None) -> bytes:
    error = {"code": code, "message": message, "hint": hint}
    return _encode({"v": PROTOCOL, "ok": False, "error": error}) + b"\n"


def socket_of(journal: str | Path) -> Path:
    """Where the node of a journal file listens."""
    return Path(f"{journal}.sock")


def listen(path: Path) -> socket.socket:
    """A listening socket at a path, for its owner alone; it appears there complete, in place of a stale one.

    Raises:
        LictorError: something that is no socket lies there.
    """
    with suppress(FileNotFoundError):
        if not stat.S_ISSOCK(path.lstat().st_mode):
            raise LictorError(f"{path} is not a socket", hint="move it away; the control socket belongs there")
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    fresh.unlink(missing_ok=True)
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        with address(fresh) as where:
            made.bind(where)
        fresh.chmod(0o600)  # before it listens: nobody can connect yet
        made.listen(CONNECTIONS_MAX)
        fresh.rename(path)
        made.settimeout(0.0)
    except OSError as error:
        made.close()
        fresh.unlink(missing_ok=True)
        raise LictorError(f"no control socket at {path}: {error.strerror}") from error
    return made


@contextmanager
def address(path: Path) -> Iterator[str]:
    """What to bind or connect to for a path, however long it is."""
    if len(os.fsencode(path)) <= _ADDRESS_BYTES_MAX or not Path("/proc/self/fd").is_dir():
        yield str(path)
        return
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
