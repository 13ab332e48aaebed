"""Lines of a file, one at a time, whatever is in it: bounded in length, and each decoded for itself."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import NamedTuple

#: A longer line is skipped to its end.
LINE_BYTES_MAX = 1 << 20
HEAD_BYTES = 1 << 10
_BOM = b"\xef\xbb\xbf"


class Line(NamedTuple):
    """One line, without its end. Where it is no text, `text` is what can be shown of it and `fault` says why."""

    number: int
    text: str
    fault: str | None = None


def read_lines(path: Path, encoding: str = "utf-8") -> Generator[Line, None, None]:
    """The lines of a file, from 1. Line ends are LF or CRLF; a byte-order mark is skipped.

    Args:
        path: The file.
        encoding: One in which a line end is the byte 10: UTF-8, Latin-1, cp1252, not UTF-16.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        number = 0
        while raw := file.readline(LINE_BYTES_MAX + 1):
            number += 1
            if number == 1:
                raw = raw.removeprefix(_BOM)
            if len(raw) > LINE_BYTES_MAX:
                length = len(raw)
                while not raw.endswith(b"\n") and (more := file.readline(LINE_BYTES_MAX)):
                    length += len(more)
                    raw = raw[:HEAD_BYTES] + more[-1:]
                yield Line(number, _shown(raw), f"the line has {length} bytes; at most {LINE_BYTES_MAX}")
                continue
            raw = raw.removesuffix(b"\n").removesuffix(b"\r")
            try:
                yield Line(number, raw.decode(encoding))
            except UnicodeDecodeError as error:
                yield Line(number, _shown(raw), f"not {encoding}: {error.reason} at byte {error.start}")


def _shown(raw: bytes) -> str:
    return raw[:HEAD_BYTES].decode(errors="replace").rstrip("\r\n")
