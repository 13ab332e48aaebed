"""Reads a body as a type, strictly; but JSON has one kind of number, so that 7.0 is a whole number, too."""

from __future__ import annotations

import re
from typing import Any, TypeVar

import msgspec

from .answers import encode
from .problem import HttpError

T = TypeVar("T")
_WHOLE = re.compile(rb"-?[0-9]+([.][0-9]+)?([eE][+-]?[0-9]{1,2})?")
#: What belongs to whoever sent it, and stays as it is.
_THEIRS = frozenset({"payload", "value", "data"})
_parts = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def decode(decoder: msgspec.json.Decoder[T], body: bytes, what: str) -> T:
    """The body.

    Raises:
        HttpError: it is not what the decoder reads; says where.
    """
    try:
        try:
            return decoder.decode(body)
        except msgspec.ValidationError:
            again = _with_whole_numbers(body)
            if again is None:
                raise
            return decoder.decode(again)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise HttpError(400, "MALFORMED", f"{what}: {error}") from None


def _with_whole_numbers(body: bytes) -> bytes | None:
    """The same with its whole numbers written as such; None where it has no others."""
    try:
        parts: dict[str, Any] = dict(_parts(body))
    except msgspec.MsgspecError:
        return None
    found = False
    for name, raw in parts.items():
        text = bytes(raw)
        if name in _THEIRS or text.isdigit() or _WHOLE.fullmatch(text) is None:
            continue
        number = float(text)
        if number.is_integer():
            parts[name], found = int(number), True
    return encode(parts) if found else None
