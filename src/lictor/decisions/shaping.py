"""From a trusted signal to a typed decision: what exactly is wanted, by when, and what identifies it. Pure.

Identity (I10): `digest` is SHA-256 over tenant, kind, version and the deterministic JSON of the payload. A deadline
is no content, because a caller that repeats a call computes a new one.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from typing import Any

import msgspec

from lictor.declarations.declared import Declared
from lictor.declarations.kinds import Kind
from lictor.declarations.models import given, taken
from lictor.declarations.plain import text, told
from lictor.entry import Entry
from lictor.errors import Code, MalformedError
from lictor.journal.open import Open
from lictor.records import Decision, Priority, Signal

#: Larger payloads are malformed; put the bulk elsewhere and name it.
PAYLOAD_BYTES_MAX = 1 << 20

_encode = msgspec.json.Encoder(order="deterministic", decimal_format="string", enc_hook=given).encode


class Shaping:
    """The stage: shapes the signals of all kinds of an App."""

    def __init__(self, app: Declared, next_id: Callable[[int], int]) -> None:
        self._next_id = next_id
        self._sources = app.sources
        self.shapers = {name: Shaper(kind) for name, kind in app.kinds.items()}

    def shape(self, entry: Entry, find: Callable[[int], Open | None], now_us: int) -> None:
        """Give the entry its decision; a child inherits the deadline and the class of its parent.

        Raises:
            MalformedError: the signal makes no decision.
        """
        signal = entry.signal
        if signal is None:
            return
        decision, entry.value = self.shapers[signal.kind].shape(signal, self._next_id(now_us), entry.received_us)
        found = find(signal.parent) if signal.parent is not None else None
        if found is not None:
            parent = found.decision
            decision = msgspec.structs.replace(
                decision,
                depth=parent.depth + 1,
                deadline_us=min(decision.deadline_us, parent.deadline_us),
                priority=parent.priority if signal.priority is None else max(decision.priority, parent.priority),
            )
        elif signal.priority is None and (granted := self._granted(signal.source)) > decision.priority:
            decision = msgspec.structs.replace(decision, priority=granted)
        if entry.replay is not None and entry.replay.corrected:
            decision = msgspec.structs.replace(decision, corrected_by=entry.replay.by)
        entry.decision = decision

    def _granted(self, source: str) -> int:
        """The highest class of a source; the class of a kind does not raise it."""
        declared = self._sources.get(source)
        return Priority.URGENT if declared is None else declared.priority

    def value(self, decision: Decision) -> Any:
        """The payload of a stored decision as a value of its kind's type."""
        return self.shapers[decision.kind].value(decision)


def check_size(payload: bytes) -> None:
    """Refuse bulk.

    Raises:
        MalformedError: the payload is too large.
    """
    if len(payload) > PAYLOAD_BYTES_MAX:
        raise MalformedError(f"the payload has {len(payload)} bytes", hint=f"at most {PAYLOAD_BYTES_MAX}")


class Shaper:
    """Shapes the signals of one kind."""

    __slots__ = ("_decode", "_prefix", "kind")

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self._decode: Callable[[bytes], Any] = msgspec.json.Decoder(kind.type, dec_hook=taken).decode
        self._prefix = f"{kind.name}\0{kind.version}\0".encode()

    def shape(self, signal: Signal, id_: int, received_us: int) -> tuple[Decision, Any]:
        """The decision and its payload as a value of the kind's type; its time runs from when it was received.

        Raises:
            MalformedError: the payload does not fit the type, is too large, or a field of the signal makes no sense.
        """
        payload, value = self._content(signal)
        kind = self.kind
        expires_in_s = kind.expires_in_s if signal.expires_in_s is None else signal.expires_in_s
        deadline_us = received_us + int(expires_in_s * 1e6)
        if signal.deadline_us is not None:
            deadline_us = signal.deadline_us if signal.expires_in_s is None else min(deadline_us, signal.deadline_us)
        digest = sha256(self._prefix + signal.tenant.encode() + b"\0" + payload).digest()
        decision = Decision(
            id=id_,
            kind=kind.name,
            version=kind.version,
            tenant=signal.tenant,
            source=signal.source,
            key=signal.key,
            digest=digest,
            payload=payload,
            received_us=received_us,
            deadline_us=deadline_us,
            priority=kind.priority if signal.priority is None else signal.priority,
            order_key=self._order_key(value) if kind.order_by else None,
            not_before_us=signal.not_before_us,
            confidence=signal.confidence,
            expects=signal.expects,
            parent=signal.parent,
            supersedes=signal.supersedes,
            submitted_digest=digest,
            worth=None if kind.value is None else kind.worth(value),
            trace=signal.trace,
        )
        return decision, value

    def _content(self, signal: Signal) -> tuple[bytes, Any]:
        try:
            raw = _encode(signal.value) if signal.payload is None else signal.payload
            check_size(raw)
            if signal.version is not None and signal.version != self.kind.version:
                raw = self._upgraded(raw, signal.version)
            value = self._decode(raw)
            return (raw if signal.payload is None else _encode(value)), value
        except MalformedError:
            raise
        except Exception as error:  # the content, and steps that upgrade it, are the user's
            raise MalformedError(f"{self.kind.name}: {error}") from error

    def canonical(self, payload: bytes) -> bytes:
        """The one text of what a payload means: defaults filled in, fields in the kind's own order.

        Raises:
            MalformedError: it does not fit the type.
        """
        return self._content(Signal(source="", kind=self.kind.name, payload=payload))[0]

    def _order_key(self, value: Any) -> str | None:
        by = self.kind.order_by
        try:
            found = None if by is None else by(value)
        except Exception as error:  # user code
            raise MalformedError(f"{self.kind.name}: order_by: {told(error)}") from error
        if found is None:
            return None
        key = str(found)
        if (kept := text(key)) != key:
            raise MalformedError(f"{self.kind.name}: order_by: {kept} has no UTF-8")
        return key

    def _upgraded(self, raw: bytes, version: int) -> bytes:
        """The payload of an older version brought up to this one, step by step."""
        content = msgspec.json.decode(raw)
        while version != self.kind.version:
            step = self.kind.upgrades.get(version)
            if step is None:
                raise MalformedError(
                    f"{Code.KIND_UNKNOWN}: {self.kind.name} version {version} cannot be upgraded to {self.kind.version}"
                )
            content, version = step(content), version + 1
        return _encode(content)

    def value(self, decision: Decision) -> Any:
        """The payload of a stored decision as a value of the kind's type.

        Raises:
            MalformedError: it no longer fits, which is what versions of kinds are for.
        """
        raw = decision.payload
        try:
            return self._decode(self._upgraded(raw, decision.version) if decision.version != self.kind.version else raw)
        except Exception as error:  # steps that upgrade it are the user's
            raise MalformedError(f"{decision.kind} version {decision.version}: {error}") from error

    def amended(self, decision: Decision, value: Any) -> tuple[Decision, Any]:
        """The decision with other content, its parent digest named; kind, key, tenant and order key stay.

        Raises:
            MalformedError: the new content does not fit the type, or has another order key.
        """
        try:
            payload = _encode(value)
            checked = self._decode(payload)
        except (msgspec.MsgspecError, TypeError, ValueError) as error:
            raise MalformedError(f"{self.kind.name}: {error}") from error
        if self.kind.order_by and self._order_key(checked) != decision.order_key:
            raise MalformedError("an amendment may not change the order key")
        digest = sha256(self._prefix + decision.tenant.encode() + b"\0" + payload).digest()
        return msgspec.structs.replace(decision, payload=payload, digest=digest, amended_from=decision.digest), checked
