"""A signal as text for quarantine, and back. Storing never fails, however odd the signal; reading back may.

JSON, so that people can read it there. What is no text is kept as base64; what is too large to keep is cut, and
then needs a payload of its own to be replayed.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from typing import Any

import msgspec

from lictor.declarations.models import given, is_model
from lictor.errors import MalformedError
from lictor.records import Signal

from .envelope import fault

#: Larger payloads are cut to their head; the bulk stays with its source.
KEPT_BYTES_MAX = 64 << 10
HEAD_BYTES = 1 << 10

_FIELDS = tuple(name for name in Signal.__struct_fields__ if name not in {"payload", "value"})


def store(signal: Signal) -> bytes:
    """A signal as JSON that `load` reads back."""
    fields: dict[str, Any] = {}
    for name in _FIELDS:
        value = getattr(signal, name)
        if value is not None:
            fields[name] = value
    fields |= _content(signal)
    try:
        return msgspec.json.encode(fields, enc_hook=_shown)
    except (TypeError, ValueError, OverflowError, RecursionError):
        odd = {name: _text(value) for name, value in fields.items()}
        return msgspec.json.encode({**odd, "odd": True})


def _content(signal: Signal) -> dict[str, Any]:
    raw = signal.payload
    if raw is None:
        try:
            raw = msgspec.json.encode(signal.value, enc_hook=_shown, order="deterministic")
        except (TypeError, ValueError, OverflowError, RecursionError):
            return {"head": _text(signal.value), "cut": True}
    if type(raw) is not bytes:
        return {"head": _text(raw), "cut": True}
    if len(raw) > KEPT_BYTES_MAX:
        return {"head": raw[:HEAD_BYTES].decode(errors="replace"), "bytes": len(raw), "cut": True}
    try:
        return {"payload": raw.decode()}
    except UnicodeDecodeError:
        return {"payload_base64": b64encode(raw).decode()}


def load(stored: bytes, payload: bytes | None = None) -> Signal:
    """The signal that was stored, with another payload where one is given.

    Raises:
        MalformedError: it was kept only in part, or a field of it is what no signal can have.
    """
    fields = msgspec.json.decode(stored)
    if payload is None:
        if fields.get("cut"):
            raise MalformedError("only the head of its payload was kept", hint="replay it with a payload")
        text = fields.get("payload")
        payload = text.encode() if text is not None else b64decode(fields["payload_base64"])
    kept = {name: value for name, value in fields.items() if name in _FIELDS}
    signal = Signal(**{"source": "", "kind": "", **kept, "payload": payload})
    wrong = fault(signal)
    if wrong is not None or fields.get("odd"):
        raise MalformedError(f"its envelope cannot be replayed: {wrong or 'kept as text'}", hint="submit it anew")
    return signal


def _text(value: Any) -> str:
    try:
        text = value if isinstance(value, str) else repr(value)
    except Exception as error:  # noqa: BLE001 - a user's __repr__ may do anything
        text = f"<{type(value).__name__}: {type(error).__name__}>"
    return text[:HEAD_BYTES].encode(errors="backslashreplace").decode()


def _shown(value: Any) -> Any:
    """A model as its data; of anything else how it shows itself."""
    return given(value) if is_model(type(value)) else repr(value)
