"""Where a secret is, never what it is: a reference that is followed each time it is used.

So a secret is in no journal, manifest, log or trace, and one that is rotated holds from the next call on. What was
revealed is remembered in memory, so that an exception that repeats it is told without it.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from lictor.errors import DeclarationError, SecretMissingError

#: A longer file holds no secret.
BYTES_MAX = 64 << 10
#: What stands where a secret was.
HIDDEN = "[redacted]"
#: A shorter one is a word that stands in many texts.
_LETTERS_MIN = 6
_REVEALED_MAX = 256
_revealed: dict[str, None] = {}


@dataclass(frozen=True, slots=True)
class SecretRef:
    """A secret by reference; `env` and `secret_file` make them."""

    kind: Literal["env", "file"]
    where: str

    def __post_init__(self) -> None:
        if not self.where or "\0" in self.where:
            raise DeclarationError(f"a secret in {self.kind} {self.where!r}: name where it is")

    def reveal(self) -> str:
        """The secret as it is now, without white space around it.

        Raises:
            SecretMissingError: nothing is there.
        """
        found = os.environ.get(self.where, "") if self.kind == "env" else self._read()
        if not (found := found.strip()):
            hint = "set the variable" if self.kind == "env" else "write it there, readable for this process"
            raise SecretMissingError(f"no secret in {self}", hint=hint)
        remember(found)
        return found

    def _read(self) -> str:
        try:
            with Path(self.where).open("rb") as file:
                return file.read(BYTES_MAX).decode()
        except (OSError, UnicodeDecodeError):
            return ""

    def __str__(self) -> str:
        return f"{self.kind}:{self.where}"


def env(name: str) -> SecretRef:
    """The secret in an environment variable."""
    return SecretRef("env", name)


def secret_file(path: str | Path) -> SecretRef:
    """The secret in a file, such as one that an orchestrator mounts."""
    return SecretRef("file", str(path))


def remember(secret: str) -> None:
    """Somebody holds it now and may repeat it where it does not belong; the last ones are remembered."""
    if len(secret) >= _LETTERS_MIN and secret not in _revealed:
        _revealed[secret] = None
        if len(_revealed) > _REVEALED_MAX:
            del _revealed[next(iter(_revealed))]


def hidden(text: str) -> str:
    """A text without what was revealed."""
    for secret in list(_revealed):
        if secret in text:
            text = text.replace(secret, HIDDEN)
    return text
