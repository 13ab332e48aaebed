"""The token that a key is: `lk_<id>_<secret>`, made once, shown once, stored as a hash.

The secret is 256 random bits. A slow, salted hash protects what people choose and guess; nobody guesses 256 bits, so
one SHA-256 is as safe and costs a microsecond where a slow one would cost each request a tenth of a second. The id
goes into the hash, so that a stored hash moved to another key opens nothing.
"""

from __future__ import annotations

from hashlib import sha256
from hmac import compare_digest
from typing import NamedTuple

PREFIX = "lk"
SECRET_BYTES = 32
ID_BYTES = 6
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_DOMAIN = b"lictor api key\0"
_TOKEN_MAX = 128


class Token(NamedTuple):
    """The two halves of a presented token."""

    id: str
    secret: str


def token_text(id_: str, secret: str) -> str:
    """As its owner keeps it."""
    return f"{PREFIX}_{id_}_{secret}"


def token_of(text: str) -> Token | None:
    """The halves of what was presented; None where it has not the shape of a token."""
    if len(text) > _TOKEN_MAX or not text.isascii():
        return None
    parts = text.split("_")
    return Token(parts[1], parts[2]) if len(parts) == 3 and parts[0] == PREFIX and all(parts) else None  # noqa: PLR2004


def letters(raw: bytes) -> str:
    """Random bytes as letters that survive being read aloud and double-clicked."""
    number, text = int.from_bytes(raw), []
    for _ in range((len(raw) * 8 + 4) // 5):
        number, digit = divmod(number, 32)
        text.append(_ALPHABET[digit])
    return "".join(reversed(text))


def hash_of(id_: str, secret: str) -> bytes:
    """What is stored of a key."""
    return sha256(_DOMAIN + id_.encode() + b"\0" + secret.encode()).digest()


def fits(id_: str, secret: str, stored: bytes) -> bool:
    """Whether a secret is the one that was hashed; takes the same time whether and where they differ."""
    return compare_digest(hash_of(id_, secret), stored)
