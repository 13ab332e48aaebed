"""The only door. Signals wait here, bounded, for the next turn.

Each is then trusted, refused, or put into quarantine with its reason.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

import msgspec

from lictor.declarations.declared import Declared
from lictor.entry import Entry
from lictor.errors import Code, LictorError
from lictor.journal.port import Quarantine, Verb
from lictor.records import Quarantined, Result, Signal
from lictor.runtime.ids import Ids, id_text

from .shedding import Shedding


class Finding(NamedTuple):
    """Why a signal is not trusted. Without a `reason` it is refused with the code, else it goes into quarantine."""

    code: Code
    detail: str
    reason: str | None = None


class QualityGate(Protocol):
    """What judges the signals of one source."""

    def judge(self, signal: Signal, now_us: int) -> Finding | None:
        """A finding, or None for a good signal."""
        ...


class Intake:
    """Signals that have arrived and not been decided on."""

    def __init__(
        self,
        app: Declared,
        ids: Ids,
        waiting_max: int,
        shed_every_s: float,
        quality: Callable[[str], QualityGate | None],
    ) -> None:
        self._app = app
        self._ids = ids
        self._waiting: list[Entry] = []
        self._quarantine: list[Quarantine] = []
        self._quality = quality
        self.shedding = Shedding(shed_every_s)
        self.waiting_max = waiting_max

    @property
    def full(self) -> bool:
        """No more until the next turn has taken what waits (I17)."""
        return len(self._waiting) >= self.waiting_max

    def offer(self, entry: Entry) -> None:
        """Add an arrival; the caller has asked `full`."""
        self._waiting.append(entry)

    def take(self, count_max: int) -> list[Entry]:
        """Arrivals since the last turn, the first `count_max` of them."""
        waiting = self._waiting
        if len(waiting) <= count_max:
            self._waiting = []
            return waiting
        taken, self._waiting = waiting[:count_max], waiting[count_max:]
        return taken

    def __len__(self) -> int:
        return len(self._waiting)

    def trusted(self, entry: Entry, now_us: int) -> bool:
        """Whether the signal is trusted; if not, it has been refused or put into quarantine, and answered."""
        signal = entry.signal
        if signal is None:
            return True
        finding = self._distrust(signal, now_us)
        if finding is None:
            return True
        if finding.reason is None:
            self.shed(entry, finding.code, now_us, {"why": finding.detail})
        else:
            self.quarantine(entry, finding.reason, finding.detail, now_us)
        return False

    def _distrust(self, signal: Signal, now_us: int) -> Finding | None:
        app = self._app
        if signal.kind not in app.kinds:
            known = ", ".join(app.kinds) or "none"
            return Finding(Code.KIND_UNKNOWN, f"no kind {signal.kind!r} is declared; there are: {known}")
        if app.sources and signal.source not in app.sources:
            return Finding(Code.SOURCE_UNKNOWN, f"no source {signal.source!r} is declared")
        gate = self._quality(signal.source)
        return gate.judge(signal, now_us) if gate is not None else None

    def malformed(self, entry: Entry, error: LictorError, now_us: int) -> None:
        """The payload does not fit its kind: into quarantine."""
        self.quarantine(entry, "schema", error.message, now_us)

    def quarantine(self, entry: Entry, reason: str, detail: str, now_us: int) -> None:
        """Keep the signal aside, with the reason, until someone replays or discards it."""
        signal = entry.signal
        if signal is None:
            return
        id_ = self._ids.next(now_us)
        kept = Quarantined(
            id=id_,
            source=signal.source,
            at_us=now_us,
            reason=reason,
            detail=detail,
            signal=signal_json(signal),
        )
        self._quarantine.append(Quarantine(kept))
        seen = {"quarantine": id_text(id_), "reason": reason, "detail": detail}
        entry.refuse(Result.REFUSED, Code.MALFORMED if reason == "schema" else Code.QUARANTINED, now_us, seen)

    def shed(
        self,
        entry: Entry,
        code: Code,
        now_us: int,
        seen: dict[str, object],
        retry_after_s: float | None = None,
    ) -> None:
        """Refuse without a record of its own: count it, answer at once.

        With `retry_after_s` it is shed, else refused.
        """
        if entry.signal is not None:
            self.shedding.count(entry.signal, code, now_us)
        result = Result.REFUSED if retry_after_s is None else Result.SHED
        entry.refuse(result, code, now_us, seen, retry_after_s=retry_after_s)

    def verbs(self, now_us: int) -> list[Verb]:
        """What this stage has to write."""
        verbs: list[Verb] = list(self._quarantine)
        self._quarantine = []
        shed = self.shedding.verb(now_us)
        return [*verbs, shed] if shed is not None else verbs


def signal_json(signal: Signal) -> bytes:
    """A signal as JSON that `signal_from` reads back."""
    fields = {name: getattr(signal, name) for name in signal.__struct_fields__}
    value = fields.pop("value")
    payload = fields.pop("payload")
    fields["payload"] = (
        payload.decode(errors="replace") if payload is not None else msgspec.json.encode(value, enc_hook=repr).decode()
    )
    return msgspec.json.encode({name: field for name, field in fields.items() if field is not None})


def signal_from(stored: bytes) -> Signal:
    """The signal that `signal_json` stored."""
    fields = msgspec.json.decode(stored)
    return Signal(**{**fields, "payload": fields["payload"].encode()})
