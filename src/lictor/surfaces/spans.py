"""What the history of one decision looks like as spans: names, times, attributes. Pure; knows nothing of telemetry."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from lictor.journal.port import Act, Admit, Approve, Cancel, Close, HistoryRow, Progress, Start, Undo
from lictor.monitoring.redaction import Redactor
from lictor.records import Decision, Outcome, Plan, Ruling
from lictor.runtime.ids import id_text

#: Of what a gate saw, and of a detail, so much is told.
TEXT_MAX = 500

_OPENS_QUESTION = frozenset({"doubt", "pend"})
_KEEPS_QUESTION = frozenset({"report"})

Attributes = dict[str, Any]


@dataclass(slots=True)
class Piece:
    """One span."""

    name: str
    from_us: int
    to_us: int
    attributes: Attributes
    events: list[tuple[str, int, Attributes]] = field(default_factory=list)
    #: Why it failed; None where it did not.
    failed: str | None = None
    #: Of the whole: the decision's parent, and the trace of whoever submitted it.
    parent: int | None = None
    traceparent: str | None = None


def pieces(decision: int, rows: Sequence[HistoryRow], redact: Redactor) -> list[Piece]:
    """The whole first, then its parts as they ended; empty where history does not tell the decision."""
    telling = _Telling(decision, redact)
    for row in rows:
        telling.read(row)
    return telling.told()


class _Telling:
    def __init__(self, decision: int, redact: Redactor) -> None:
        self._id = decision
        self._redact = redact
        self._decision: Decision | None = None
        self._plan: Plan | None = None
        self._code: str | None = None
        self._result = ""
        self._policy = ""
        self._parts: list[Piece] = []
        self._events: list[tuple[str, int, Attributes]] = []
        self._attempts: Counter[int] = Counter()
        #: Attempts, questions and undoings that have begun, by action.
        self._running: dict[int, Piece] = {}
        self._asked: dict[int, Piece] = {}
        self._admitted_us: int | None = None
        self._end_us = 0

    def read(self, row: HistoryRow) -> None:
        verb, at_us = row.verb, row.at_us
        self._end_us = max(self._end_us, at_us)
        if isinstance(verb, Admit):
            self._admit(verb, at_us)
        elif isinstance(verb, Start):
            for item in verb.items:
                if item.decision == self._id:
                    for ordinal in item.ordinals:
                        self._begin(ordinal, item.fence, at_us)
        elif isinstance(verb, Progress):
            self._acts(verb.acts, at_us)
        elif isinstance(verb, Close):
            self._acts(verb.acts, at_us)
            self._close(verb.outcome, at_us)
        elif isinstance(verb, Approve):
            a = verb.approval
            said = {"lictor.gate": a.gate, "lictor.by": a.approver}
            self._events.append(("approved" if a.approved else "denied", at_us, said))
        elif isinstance(verb, Cancel):
            self._events.append(("cancel_asked", at_us, {"lictor.by": verb.by}))
        elif isinstance(verb, Undo):
            self._events.append(("compensating", at_us, _given(code=verb.code)))

    def _admit(self, verb: Admit, at_us: int) -> None:
        decision, verdict = verb.decision, verb.verdict
        if decision.id != self._id:  # its successor, which has closed it
            self._result, self._code = "cancelled", "SUPERSEDED"
            return
        began = decision.received_us if self._decision is None else at_us
        self._decision = decision
        self._result, self._code, self._policy = str(verdict.result), verdict.code, verdict.policy
        piece = Piece(
            "validation", began, at_us, _given(verdict=self._result, code=verdict.code, policy=verdict.policy)
        )
        piece.events = [("ruling", at_us, self._ruling(ruling)) for ruling in verdict.rulings]
        if verdict.result == "refused":
            piece.failed = verdict.code
        self._parts.append(piece)
        if verdict.result == "admitted":
            self._plan, self._admitted_us = verb.plan, at_us
        if verb.lease is not None:
            self._begin(0, verb.lease.fence, at_us)

    def _ruling(self, ruling: Ruling) -> Attributes:
        seen = None if not ruling.seen else _encode(self._redact(ruling.seen)).decode()[:TEXT_MAX]
        return _given(
            gate=ruling.gate,
            result=str(ruling.result),
            code=ruling.code,
            gate_version=ruling.version or None,
            shadow=ruling.shadow or None,
            seen=seen,
        )

    def _begin(self, ordinal: int, fence: int, at_us: int) -> None:
        if self._admitted_us is not None:
            self._parts.append(Piece("queue", self._admitted_us, at_us, {}))
            self._admitted_us = None
        self._settle(self._asked, ordinal, at_us, {})
        self._attempts[ordinal] += 1
        name = self._effector(ordinal)
        said = _given(effector=name, action=ordinal, attempt=self._attempts[ordinal], fence=fence)
        self._running[ordinal] = Piece(f"attempt of {name}", at_us, at_us, said)

    def _acts(self, acts: Sequence[Act], at_us: int) -> None:
        for act in acts:
            event = str(act.event)
            said = _given(event=event, code=act.code, detail=self._text(act.detail), report=act.report)
            if event in _KEEPS_QUESTION:
                self._events.append(("report", at_us, said | _given(action=act.ordinal)))
                continue
            failed = act.code or event if event in {"fail", "back_off", "expire", "doubt"} else None
            if not self._settle(self._running, act.ordinal, at_us, said, failed):
                self._settle(self._asked, act.ordinal, at_us, said, failed)
            name = self._effector(act.ordinal)
            if event in _OPENS_QUESTION:
                about = _given(effector=name, action=act.ordinal, state=event, ref=act.ref)
                self._asked[act.ordinal] = Piece(f"reconcile {name}", at_us, at_us, about)
            elif event == "compensate":
                about = _given(effector=name, action=act.ordinal)
                self._asked[act.ordinal] = Piece(f"compensate {name}", at_us, at_us, about)

    def _settle(
        self, where: dict[int, Piece], ordinal: int, at_us: int, said: Attributes, failed: str | None = None
    ) -> bool:
        """What had begun for an action is over."""
        piece = where.pop(ordinal, None)
        if piece is None:
            return False
        piece.to_us, piece.failed = at_us, failed
        piece.attributes |= said
        self._parts.append(piece)
        return True

    def _close(self, outcome: Outcome, at_us: int) -> None:
        self._result, self._code = outcome.result, outcome.code
        said = _given(result=outcome.result, code=outcome.code, detail=self._text(outcome.detail))
        said |= _given(attempts=outcome.attempts)
        failed = outcome.code or outcome.result if outcome.result in {"failed", "expired"} else None
        self._parts.append(Piece("outcome", at_us, at_us, said, failed=failed))

    def told(self) -> list[Piece]:
        """All of it."""
        d = self._decision
        if d is None:
            return []
        for where in (self._running, self._asked):
            for ordinal in list(where):
                self._settle(where, ordinal, self._end_us, {})
        said = _given(
            decision=id_text(d.id),
            kind=d.kind,
            source=d.source,
            tenant=d.tenant,
            key=self._text(d.key),
            priority=int(d.priority),
            result=self._result,
            code=self._code,
            policy=self._policy,
        )
        failed = (self._code or self._result) if self._result in {"refused", "failed", "expired"} else None
        whole = Piece(f"decision {d.kind}", d.received_us, self._end_us, said, self._events, failed, d.parent, d.trace)
        return [whole, *self._parts]

    def _effector(self, ordinal: int) -> str:
        return self._plan.actions[ordinal].effector if self._plan is not None else "action"

    def _text(self, words: str | None) -> str | None:
        return None if words is None else self._redact.text(words)[:TEXT_MAX]


def _given(**said: Any) -> Attributes:
    """Attributes, without those of which there is nothing to say."""
    return {f"lictor.{name}": value for name, value in said.items() if value is not None}


_encode = msgspec.json.Encoder(decimal_format="string", enc_hook=str).encode
