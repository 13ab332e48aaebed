"""What storage keeps of a user's value: plain data. Arguments must have such a form; evidence and results get one."""

from __future__ import annotations

from typing import Any

import msgspec

#: Text that stands for a value that has no plain form.
TEXT_MAX = 500

#: What storage takes whatever its value; a number may be too large for it, a text no Unicode.
_ALWAYS = frozenset({float, bool, bytes, type(None)})
_SCALARS = frozenset({str, int})
_encode = msgspec.msgpack.Encoder(decimal_format="string").encode


def plain(value: Any) -> Any:
    """A value as data that survives storage.

    Raises:
        TypeError: there is no such data.
        OverflowError: a whole number does not fit 64 bits.
        ValueError: a text is no Unicode.
    """
    kind = type(value)
    if kind in _ALWAYS:
        return value
    made = value if kind in _SCALARS else msgspec.to_builtins(value, builtin_types=(bytes,))
    _encode(made)  # else it would stop the journal
    return made


def storable(value: Any) -> Any:
    """A value as data that survives storage; its text where there is none, because what happened must be told."""
    try:
        return plain(value)
    except (TypeError, ValueError, OverflowError, msgspec.MsgspecError, RecursionError):
        if type(value) is dict:
            return {str(storable(name)): storable(inner) for name, inner in value.items()}
        return _text(value)


def _text(value: Any) -> str:
    try:
        return repr(value)[:TEXT_MAX].encode(errors="backslashreplace").decode()
    except Exception:  # noqa: BLE001 - a user's __repr__ may do anything, and a whole number may be too long to print
        return f"<{type(value).__name__}>"
