"""What storage keeps of a user's value: plain data. Arguments must have such a form; evidence and results get one."""

from __future__ import annotations

from typing import Any

import msgspec

#: Text that stands for a value that has no plain form.
TEXT_MAX = 500

_PLAIN = frozenset({str, int, float, bool, bytes, type(None)})


def plain(value: Any) -> Any:
    """A value as data that survives storage.

    Raises:
        TypeError: there is no such data.
    """
    return value if type(value) in _PLAIN else msgspec.to_builtins(value, builtin_types=(bytes,))


def storable(value: Any) -> Any:
    """A value as data that survives storage; its text where there is none, because what happened must be told."""
    try:
        return plain(value)
    except (TypeError, ValueError, msgspec.MsgspecError, RecursionError):
        return repr(value)[:TEXT_MAX]
