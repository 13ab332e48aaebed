"""Signed notes, as C2SP signed-note and Go's `sumdb/note` write them: a text, and signatures by Ed25519. Pure.

A key that verifies is written `<name>+<id>+<base64>`, one that signs `PRIVATE+KEY+<name>+<id>+<base64>`.
"""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from collections.abc import Iterable
from hashlib import sha256

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from lictor.errors import MalformedError

_ED25519 = b"\x01"
_SIGNS = "PRIVATE+KEY+"
_DASH = "\N{EM DASH} "
_KEY_BYTES = 32
_ID_BYTES = 4
_SIGNATURE_BYTES = 64


def _id(name: str, public: bytes) -> bytes:
    return sha256(name.encode() + b"\n" + _ED25519 + public).digest()[:_ID_BYTES]


def _named(name: str) -> str:
    if not name or "+" in name or any(letter.isspace() for letter in name):
        raise MalformedError(f"{name!r} is no name of a key", hint="neither spaces nor +")
    return name


class PublicKey(msgspec.Struct, frozen=True):
    """A key that verifies."""

    name: str
    public: bytes

    @property
    def id(self) -> bytes:
        """What a signature names it by."""
        return _id(self.name, self.public)

    def text(self) -> str:
        """As people pass it on."""
        return f"{self.name}+{self.id.hex()}+{b64encode(_ED25519 + self.public).decode()}"

    @classmethod
    def read(cls, text: str) -> PublicKey:
        """The key that a text is.

        Raises:
            MalformedError: it is none.
        """
        name, id_, key = _parts(text, text)
        found = cls(name, key)
        if found.id.hex() != id_:
            raise MalformedError(f"{text!r} is no public key: its id does not fit", hint="see `lictor audit key`")
        return found

    def signed(self, text: str, signature: bytes) -> bool:
        """Whether it is this key's signature of the text."""
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, text.encode())
        except (InvalidSignature, ValueError):
            return False
        return True


class SecretKey(msgspec.Struct, frozen=True):
    """A key that signs. Never printed but into its own file."""

    name: str
    seed: bytes

    def __repr__(self) -> str:
        return f"SecretKey({self.name!r})"

    __str__ = __repr__

    @classmethod
    def made(cls, name: str, seed: bytes) -> SecretKey:
        """The key of 32 unguessable bytes."""
        if len(seed) != _KEY_BYTES:
            raise ValueError(f"{len(seed)} bytes for a key of {_KEY_BYTES}")
        return cls(_named(name), seed)

    @property
    def public(self) -> PublicKey:
        """Its other half."""
        return PublicKey(self.name, self._key().public_key().public_bytes_raw())

    def text(self) -> str:
        """As its file keeps it."""
        return f"{_SIGNS}{self.name}+{self.public.id.hex()}+{b64encode(_ED25519 + self.seed).decode()}"

    @classmethod
    def read(cls, text: str) -> SecretKey:
        """The key that a text is; the text is in no error.

        Raises:
            MalformedError: it is none.
        """
        if not text.startswith(_SIGNS):
            raise MalformedError(f"no private key: it does not begin with {_SIGNS}")
        name, id_, seed = _parts(text.removeprefix(_SIGNS), "a private key")
        found = cls(name, seed)
        if found.public.id.hex() != id_:
            raise MalformedError("a private key is damaged: its id does not fit")
        return found

    def sign(self, text: str) -> bytes:
        """Its signature of a text."""
        return self._key().sign(text.encode())

    def _key(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(self.seed)


def _parts(text: str, told: str) -> tuple[str, str, bytes]:
    wrong = MalformedError(f"{told!r} is no key of a signed note", hint="see `lictor audit key`")
    name, plus, rest = text.partition("+")
    id_, _, encoded = rest.partition("+")
    try:
        key = b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        raise wrong from None
    if not plus or key[:1] != _ED25519 or len(key) != 1 + _KEY_BYTES or b64encode(key).decode() != encoded:
        raise wrong
    return _named(name), id_, key[1:]


class Note(msgspec.Struct, frozen=True):
    """A text, and who signed it: (name, id of the key, signature)."""

    text: str
    signatures: tuple[tuple[str, bytes, bytes], ...]

    @classmethod
    def signed(cls, text: str, keys: Iterable[SecretKey]) -> Note:
        """A text signed by keys."""
        _check(text)
        return cls(text, tuple((key.name, key.public.id, key.sign(text)) for key in keys))

    def write(self) -> str:
        """As it is passed on."""
        lines = [f"{_DASH}{name} {b64encode(id_ + signature).decode()}\n" for name, id_, signature in self.signatures]
        return f"{self.text}\n{''.join(lines)}"

    @classmethod
    def read(cls, written: str) -> Note:
        """A note as it was written; nothing else is one.

        Raises:
            MalformedError: it is none.
        """
        text, empty, rest = written.rpartition("\n\n")
        text += "\n"
        if not empty or not rest.endswith("\n"):
            raise MalformedError("no signed note: a text, an empty line, signatures")
        _check(text)
        note = cls(text, tuple(_signature(line) for line in rest[:-1].split("\n")))
        if note.write() != written:
            raise MalformedError("a signed note is not written as such notes are")
        return note

    def signers(self, keys: Iterable[PublicKey]) -> list[PublicKey]:
        """Which of the keys signed it. A signature that names one of them and is not its own counts for nothing."""
        return [
            key
            for key in keys
            if any((name, id_) == (key.name, key.id) and key.signed(self.text, by) for name, id_, by in self.signatures)
        ]


def _check(text: str) -> None:
    if not text.endswith("\n") or any(ord(letter) < ord(" ") and letter != "\n" for letter in text):
        raise MalformedError("the text of a note has lines, each ended, and no control characters")


def _signature(line: str) -> tuple[str, bytes, bytes]:
    name, _, encoded = line.removeprefix(_DASH).partition(" ")
    try:
        found = b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        found = b""
    if not line.startswith(_DASH) or len(found) != _ID_BYTES + _SIGNATURE_BYTES:
        raise MalformedError("a line that should be a signature is none")
    return _named(name), found[:_ID_BYTES], found[_ID_BYTES:]
