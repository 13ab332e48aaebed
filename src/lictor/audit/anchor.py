"""A second place for checkpoints: a file that is only appended to, best where the node's user cannot rewrite it.

Who has an old checkpoint can tell that history was cut or replaced, whatever was done to journal and key since.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from lictor.errors import LictorError

from .checkpoint import SignedCheckpoint

_DASH = "\N{EM DASH} "


class Anchor:
    """One such file: notes, one after another."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    def append(self, signed: SignedCheckpoint) -> None:
        """One more checkpoint, durably.

        Raises:
            LictorError: it cannot be written.
        """
        try:
            descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
            with os.fdopen(descriptor, "ab") as file:
                file.write(signed.write().encode())
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise LictorError(f"the anchor {self.path} cannot be written: {error.strerror}") from error

    def read(self) -> list[SignedCheckpoint]:
        """All of its checkpoints; none where there is no file.

        Raises:
            LictorError: it cannot be read.
            MalformedError: something in it is no checkpoint.
        """
        try:
            text = self.path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return []
        except (OSError, UnicodeDecodeError) as error:
            raise LictorError(f"the anchor {self.path} cannot be read: {error}") from error
        return [SignedCheckpoint.read(note) for note in notes(text)]


def notes(text: str) -> Iterator[str]:
    """The notes of a text that has several, one after another."""
    lines: list[str] = []
    for line in text.splitlines(keepends=True):
        if lines and lines[-1].startswith(_DASH) and not line.startswith(_DASH):
            yield "".join(lines)
            lines = []
        lines.append(line)
    if lines:
        yield "".join(lines)
