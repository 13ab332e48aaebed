"""The file of the key that signs checkpoints: mode 0600, made at first use, and how it hands over to another.

A line each: the key that signs; while it hands over, the one that follows; keys that sign no more, as they verify.
The journal and this file together make any history credible: who must not be able to do that keeps one of them, or
anchors checkpoints where the other cannot write (`lictor.audit.anchor`).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from lictor.errors import DeniedError, LictorError

from .note import PublicKey, SecretKey

_ABOUT = "# Signs the checkpoints of a Lictor journal. Keep it secret: `lictor audit key` prints its public half.\n"
_PRIVATE = "PRIVATE+KEY+"
_SEED_BYTES = 32
_NAME_BYTES = 8


class Keys(msgspec.Struct, frozen=True):
    """What a key file holds."""

    #: One that signs, or during a hand-over the one that signed until now and the one that follows.
    signing: tuple[SecretKey, ...]
    retired: tuple[PublicKey, ...] = ()

    @property
    def origin(self) -> str:
        """The name of the history; all of its keys have it."""
        return self.signing[0].name

    @property
    def public(self) -> PublicKey:
        """The key that verifies what is signed from now on."""
        return self.signing[-1].public

    def all(self) -> list[PublicKey]:
        """All keys that ever verified, the newest last."""
        return [*self.retired, *(key.public for key in self.signing)]

    def write(self) -> str:
        """As the file has it."""
        lines = [key.text() for key in self.signing] + [key.text() for key in self.retired]
        return _ABOUT + "".join(f"{line}\n" for line in lines)

    @classmethod
    def read(cls, text: str) -> Keys:
        """What a file has.

        Raises:
            MalformedError: a line is no key.
            LictorError: it has no key that signs.
        """
        lines = [line for line in text.splitlines() if line and not line.startswith("#")]
        signing = tuple(SecretKey.read(line) for line in lines if line.startswith(_PRIVATE))
        retired = tuple(PublicKey.read(line) for line in lines if not line.startswith(_PRIVATE))
        if not 1 <= len(signing) <= 2:  # noqa: PLR2004 - one, or the two of a hand-over
            raise LictorError(f"a key file has one key that signs, not {len(signing)}")
        return cls(signing, retired)


class Keyring:
    """The keys of one journal, read anew each time: people rotate them beside a running node."""

    def __init__(self, path: str | Path, draw: Callable[[int], bytes]) -> None:
        self.path = Path(path)
        self._draw = draw

    def keys(self) -> Keys | None:
        """What the file has; None where there is none.

        Raises:
            DeniedError: others can read it.
            LictorError: it is damaged.
        """
        try:
            with self.path.open(encoding="utf-8") as file:
                mode = os.fstat(file.fileno()).st_mode
                text = file.read()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise DeniedError(f"the key {self.path} cannot be read: {error.strerror}") from error
        if mode & 0o077:
            raise DeniedError(f"others can read the key {self.path}", hint="chmod 600, then `lictor audit rotate`")
        return Keys.read(text)

    def made(self) -> Keys:
        """What the file has, made now where there is none."""
        found = self.keys()
        if found is None:
            name = f"lictor/{self._draw(_NAME_BYTES).hex()}"
            self._write(Keys((SecretKey.made(name, self._draw(_SEED_BYTES)),)), new=True)
            found = self.keys()
        if found is None:
            raise LictorError(f"the key {self.path} was taken away as it was made")
        return found

    def rotate(self) -> Keys:
        """Begin to hand over to a new key: the next checkpoint is signed by both, and from then on by the new one.

        Raises:
            LictorError: an earlier hand-over has not been signed yet.
        """
        keys = self.made()
        if len(keys.signing) > 1:
            raise LictorError("a hand-over is under way", hint="it ends with the next checkpoint of a running node")
        following = SecretKey.made(keys.origin, self._draw(_SEED_BYTES))
        self._write(Keys((*keys.signing, following), keys.retired))
        return self.made()

    def handed_over(self, over: SecretKey) -> None:
        """The hand-over is signed and stored: the earlier key is destroyed, and only verifies."""
        keys = self.keys()
        if keys is not None and len(keys.signing) > 1 and keys.signing[0] == over:
            self._write(Keys(keys.signing[1:], (*keys.retired, over.public)))

    def _write(self, keys: Keys, *, new: bool = False) -> None:
        """Whole or not at all, and never readable by others; a new one takes the place of none."""
        part = self.path.with_name(f"{self.path.name}.{self._draw(4).hex()}.part")
        try:
            descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(keys.write())
                file.flush()
                os.fsync(file.fileno())
            if new:
                with suppress(FileExistsError):  # someone else was first: theirs it is
                    os.link(part, self.path)
                part.unlink()
            else:
                part.rename(self.path)
        except OSError as error:
            part.unlink(missing_ok=True)
            raise LictorError(f"the key {self.path} cannot be written: {error.strerror}") from error


def readable(keys: Sequence[PublicKey]) -> str:
    """Keys as `--public-key` takes them."""
    return "\n".join(key.text() for key in keys)
