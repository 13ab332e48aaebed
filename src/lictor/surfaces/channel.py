"""The client's side of a control socket. Blocking, because who uses it is a command that waits for its answer.

Reads and writes the socket; knows nothing of journals.
"""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any, Self

import msgspec

from lictor.errors import LictorError, NodeStoppedError

from .control import PROTOCOL, REQUEST_S, address

#: An answer that is longer is refused.
ANSWER_BYTES_MAX = 64 << 20
CONNECT_S = 5.0
_CHUNK = 1 << 16


class AskError(LictorError):
    """A node has answered that it cannot be done; `code` is the node's."""

    def __init__(self, code: str, message: str, hint: str | None) -> None:
        super().__init__(message, hint=hint)
        self.code = code


class _Answer(msgspec.Struct, frozen=True):
    """What comes back."""

    v: int
    ok: bool
    result: Any = None
    error: dict[str, Any] = {}


class Channel:
    """One connection to a node."""

    def __init__(self, connected: socket.socket, path: Path) -> None:
        self._socket = connected
        self._rest = b""
        self.path = path

    @classmethod
    def open(cls, path: Path) -> Channel | None:
        """A connection; None where no node listens: there is no socket, or one that a dead process has left.

        Raises:
            LictorError: it is there and may not be opened, or the node takes no connection in time.
        """
        made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        made.settimeout(CONNECT_S)
        try:
            with address(path) as where:
                made.connect(where)
        except (FileNotFoundError, ConnectionRefusedError, NotADirectoryError):
            made.close()
            return None
        except (OSError, TimeoutError) as error:
            made.close()
            raise AskError("UNREACHABLE", f"{path}: {error.strerror or error}", None) from error
        return cls(made, path)

    def ask(self, do: str, *, wait_s: float = 0.0, **asked: Any) -> Any:
        """The result of a request.

        Raises:
            AskError: the node says that it cannot be done.
            NodeStoppedError: the node went away before it answered; what was asked may be done all the same.
        """
        given = {name: value for name, value in asked.items() if value is not None}
        if wait_s:
            given["wait_s"] = wait_s
        line = msgspec.json.encode({"v": PROTOCOL, "do": do, "with": given}) + b"\n"
        self._socket.settimeout(REQUEST_S + wait_s + CONNECT_S)
        try:
            self._socket.sendall(line)
            answer = msgspec.json.decode(self._line(), type=_Answer)
        except TimeoutError as error:
            raise AskError("TIMEOUT", f"the node at {self.path} does not answer", None) from error
        except (OSError, msgspec.MsgspecError) as error:
            raise NodeStoppedError(
                "the node went away before it answered", hint="what was asked may be done all the same: look"
            ) from error
        if not answer.ok:
            told = answer.error
            raise AskError(str(told.get("code")), str(told.get("message")), told.get("hint"))
        return answer.result

    def close(self) -> None:
        """Hang up."""
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _line(self) -> bytes:
        parts = [self._rest]
        size = len(self._rest)
        while True:
            chunk = self._socket.recv(_CHUNK)
            if not chunk:
                raise ConnectionResetError("the connection was closed")
            size += len(chunk)
            end = chunk.find(b"\n")
            if end >= 0:
                parts.append(chunk[:end])
                self._rest = chunk[end + 1 :]
                return b"".join(parts)
            parts.append(chunk)
            if size > ANSWER_BYTES_MAX:
                raise ConnectionResetError("the answer is too large")
