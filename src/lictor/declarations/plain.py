"""What storage keeps of a user's value: plain data. Arguments must have such a form; evidence and results get one.

Whatever passes here can be stored: text that is UTF-8 (half a surrogate pair is not), integers of 64 bits. What the
journal could not store would stop the node.
"""

from __future__ import annotations

from math import isfinite
from typing import Any

import msgspec

from .models import given
from .secret import hidden

#: Text that stands for a value that has no plain form.
TEXT_MAX = 500
#: Longer waits are a mistake of units.
WAIT_S_MAX = 10 * 366 * 86_400.0

_ALWAYS = frozenset({bool, float, bytes, type(None)})
_encode = msgspec.msgpack.Encoder(decimal_format="string").encode


def plain(value: Any) -> Any:
    """A value as data that survives storage.

    Raises:
        TypeError, ValueError, OverflowError, RecursionError: there is no such data.
    """
    kind = type(value)
    if kind in _ALWAYS or (kind is str and value.isascii()):
        return value
    data = msgspec.to_builtins(value, builtin_types=(bytes,), enc_hook=given)
    _encode(data)
    return data


def storable(value: Any, depth: int = 8) -> Any:
    """A value as data that survives storage; its text where there is none, because what happened must be told.

    Of a dict only what has no such form becomes text, down to `depth` dicts inside each other.
    """
    try:
        return plain(value)
    except Exception:  # noqa: BLE001 - properties of a user's type are user code; what has no form has a text
        if type(value) is dict and depth:
            return {str(storable(name)): storable(inner, depth - 1) for name, inner in value.items()}
        return _shown(value)


def text(words: object, length_max: int | None = None) -> str:
    """Free text as storage keeps it; half a surrogate pair shows as its escape."""
    found = (words if type(words) is str else str(words))[:length_max]
    return found if found.isascii() else found.encode(errors="backslashreplace").decode()


def told(error: BaseException) -> str:
    """What was raised, as text that storage keeps; its name alone where the exception cannot say more."""
    name = type(error).__name__
    try:
        return text(hidden(f"{name}: {error}"), TEXT_MAX)
    except Exception:  # noqa: BLE001 - `__str__` of a user's exception is user code
        return text(name)


def wait_s(seconds: object) -> float | None:
    """A wait that user code asked for, within bounds; None where it is no number."""
    if not isinstance(seconds, int | float) or not isfinite(seconds):
        return None
    return min(max(0.0, float(seconds)), WAIT_S_MAX)


def _shown(value: Any) -> str:
    try:
        return text(repr(value), TEXT_MAX)
    except Exception:  # noqa: BLE001 - `__repr__` is user code
        return text(f"<{type(value).__name__}>")
