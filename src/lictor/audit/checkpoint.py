"""Checkpoints, as C2SP tlog-checkpoint writes them: what a tree was at one size, signed. Pure.

A checkpoint that hands over to another key has two more lines, `was <key>` and `next <key>`, and is signed by both.
"""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from collections.abc import Iterable, Sequence

import msgspec

from lictor.errors import MalformedError

from .merkle import HASH_BYTES
from .note import Note, PublicKey, SecretKey

_WAS, _NEXT = "was ", "next "
_LINES = 3


class Checkpoint(msgspec.Struct, frozen=True):
    """The tree of a history at one size."""

    origin: str
    size: int
    root: bytes
    #: The key that signed until here, and the one that signs from here on; both None where nothing is handed over.
    was: PublicKey | None = None
    next: PublicKey | None = None

    def text(self) -> str:
        """What is signed."""
        lines = [self.origin, str(self.size), b64encode(self.root).decode()]
        if self.was is not None and self.next is not None:
            lines += [_WAS + self.was.text(), _NEXT + self.next.text()]
        return "".join(f"{line}\n" for line in lines)

    @classmethod
    def read(cls, text: str) -> Checkpoint:
        """The checkpoint that a text is.

        Raises:
            MalformedError: it is none.
        """
        lines = text.split("\n")[:-1]
        wrong = MalformedError("no checkpoint: an origin, a size, and a root in base64")
        try:
            origin, size, root, *more = lines
            found = cls(origin, int(size), b64decode(root, validate=True))
        except (ValueError, binascii.Error):
            raise wrong from None
        if more:
            if len(more) != 2 or not more[0].startswith(_WAS) or not more[1].startswith(_NEXT):  # noqa: PLR2004
                raise MalformedError("a checkpoint has lines that mean nothing here")
            was, following = PublicKey.read(more[0][len(_WAS) :]), PublicKey.read(more[1][len(_NEXT) :])
            found = cls(origin, found.size, found.root, was, following)
        if len(found.root) != HASH_BYTES or found.size < 0 or found.text() != text:
            raise wrong
        return found


class SignedCheckpoint(msgspec.Struct, frozen=True):
    """A checkpoint and the note that it came in."""

    checkpoint: Checkpoint
    note: Note

    @classmethod
    def read(cls, written: str) -> SignedCheckpoint:
        """A checkpoint as it was passed on.

        Raises:
            MalformedError: it is none.
        """
        note = Note.read(written)
        return cls(Checkpoint.read(note.text), note)

    @classmethod
    def signed(cls, checkpoint: Checkpoint, keys: Iterable[SecretKey]) -> SignedCheckpoint:
        """A checkpoint signed by keys."""
        return cls(checkpoint, Note.signed(checkpoint.text(), keys))

    def write(self) -> str:
        """As it is passed on."""
        return self.note.write()


class Trust:
    """Which keys may have signed what: those that were given, and those that they handed over to or from.

    Checkpoints are shown in their order. After a hand-over the earlier key's signature is worth nothing.
    """

    def __init__(self, given: Sequence[PublicKey], signed: Iterable[SignedCheckpoint] = ()) -> None:
        self._keys = list(given)
        self._over: list[PublicKey] = []
        left = [one for one in signed if one.checkpoint.next is not None]
        while found := [one for one in left if self._hands_over(one)]:
            left = [one for one in left if one not in found]

    def _hands_over(self, one: SignedCheckpoint) -> bool:
        """Take the keys that a hand-over names, where it is signed by both and one of them is trusted."""
        pair = [key for key in (one.checkpoint.was, one.checkpoint.next) if key is not None]
        if not any(key in self._keys for key in pair) or len(one.note.signers(pair)) < len(pair):
            return False
        self._keys += [key for key in pair if key not in self._keys]
        return True

    def accepts(self, one: SignedCheckpoint) -> bool:
        """Whether the next checkpoint is signed as it must be: by one key that signs then, or by both at a hand-over.

        Every signature must be true: one that is not is a byte that someone has changed.
        """
        signing = [key for key in self._keys if key not in self._over]
        signers = one.note.signers(signing)
        if not signers or len(signers) != len(one.note.signatures):
            return False
        was, following = one.checkpoint.was, one.checkpoint.next
        if was is not None and following is not None:
            if {key.text() for key in signers} != {was.text(), following.text()}:
                return False
            self._over.append(was)
        return True
