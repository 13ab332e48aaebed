"""The fields that a signal has besides its payload: bounded, of their types, and storable.

Signals made in process are not decoded, so nothing else has looked at them; one that no journal can store would stop
the node.
"""

from __future__ import annotations

from typing import Any

import msgspec

from lictor.records import Priority, Signal

#: Characters of a name (source, tenant, kind), of a key or position, and bytes of what is expected.
NAME_MAX = 200
KEY_MAX = 512
TRACE_MAX = 64
EXPECTS_BYTES_MAX = 16 << 10
#: Ten years: a deadline further away is a mistake of units.
EXPIRES_S_MAX = 10 * 366 * 86_400.0

_TIME_MAX = 1 << 62
_fields = msgspec.structs.astuple
#: What signals nearly always say of the fields from `not_before_us` on.
_NONE = [None] * (len(Signal.__struct_fields__) - Signal.__struct_fields__.index("not_before_us"))
_LOWEST = max(Priority)


def fault(signal: Signal) -> str | None:
    """What makes no sense, or None."""
    source, kind, payload, _, version, key, tenant, priority, deadline_us, expires_s, *rest = _fields(signal)
    if not (
        type(source) is type(tenant) is type(kind) is str
        and 0 < len(source) <= NAME_MAX
        and 0 < len(tenant) <= NAME_MAX
        and 0 < len(kind) <= NAME_MAX
        and _storable(source + tenant + kind)
    ):
        return f"source, tenant and kind are text of 1 to {NAME_MAX} characters"
    if key is not None and not (type(key) is str and 0 < len(key) <= KEY_MAX and _storable(key)):
        return f"a key is text of 1 to {KEY_MAX} characters"
    if expires_s is not None and not (_number(expires_s) and 0 < expires_s <= EXPIRES_S_MAX):
        return f"expires_in_s={expires_s!r}: above 0 and at most {EXPIRES_S_MAX:.0f}"
    if rest == _NONE and version is priority is deadline_us is None and (payload is None or type(payload) is bytes):
        return None
    return _rare_fault(signal)


def presentable(signal: Signal) -> Signal:
    """The signal with names that can be shown and stored, for one that has a fault."""
    names = {name: getattr(signal, name) for name in ("source", "tenant", "kind")}
    return msgspec.structs.replace(
        signal, **{name: text if _named(text) else "?" for name, text in names.items()}, key=None, position=None
    )


def _rare_fault(signal: Signal) -> str | None:
    for name in ("deadline_us", "not_before_us", "parent", "supersedes", "sent_us", "version"):
        value = getattr(signal, name)
        if value is not None and not (type(value) is int and 0 <= value < 2 * _TIME_MAX):
            return f"{name}={_shown(value)}: a whole number of 63 bits"
    if signal.priority is not None and not _class(signal.priority):
        return f"priority={_shown(signal.priority)}: 0 to {int(_LOWEST)}"
    if signal.confidence is not None and not (_number(signal.confidence) and 0 <= signal.confidence <= 1):
        return f"confidence={_shown(signal.confidence)} is no probability"
    position = signal.position
    if position is not None and not (type(position) is str and len(position) <= KEY_MAX and _storable(position)):
        return f"a position is text of at most {KEY_MAX} characters"
    if signal.trace is not None and not (
        type(signal.trace) is str and len(signal.trace) <= TRACE_MAX and signal.trace.isascii()
    ):
        return f"a trace is a traceparent of at most {TRACE_MAX} characters"
    if signal.payload is not None and type(signal.payload) is not bytes:
        return f"a payload is bytes, not {type(signal.payload).__name__}"
    return _expects_fault(signal.expects) if signal.expects is not None else None


def _expects_fault(expects: Any) -> str | None:
    if type(expects) is not dict:
        return f"expects is an object, not {type(expects).__name__}"
    try:
        size = len(msgspec.msgpack.encode(expects))
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        return f"expects cannot be stored: {error}"
    return f"expects has {size} bytes; at most {EXPECTS_BYTES_MAX}" if size > EXPECTS_BYTES_MAX else None


def _named(text: Any) -> bool:
    return type(text) is str and 0 < len(text) <= NAME_MAX and (text.isascii() or _storable(text))


def _storable(text: str) -> bool:
    """Half a surrogate pair has no UTF-8."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _class(value: Any) -> bool:
    return isinstance(value, int) and 0 <= value <= _LOWEST


def _number(value: Any) -> bool:
    return type(value) is float or type(value) is int


def _shown(value: Any) -> str:
    text = repr(value) if not isinstance(value, int) or value.bit_length() < NAME_MAX else "an integer too large"
    return text[:NAME_MAX]
