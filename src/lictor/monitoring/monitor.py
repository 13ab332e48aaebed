"""Monitoring on one node: sees each turn after its commit, counts it, and logs what is notable. It never steers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lictor.errors import Code
from lictor.journal.open import Open
from lictor.journal.port import (
    Act,
    Admit,
    Answer,
    Approve,
    Cancel,
    Close,
    Journal,
    Learn,
    Progress,
    Quarantine,
    SetGrant,
    SetHalt,
    SetLimit,
    SetStanding,
    Shed,
    Undo,
    Verb,
)
from lictor.lifecycle import Event
from lictor.records import Outcome
from lictor.runtime.clock import Clock
from lictor.runtime.ids import id_text

from .counts import Counts
from .logbook import Logbook
from .redaction import Redactor

_DOUBT = Event.DOUBT.value  # read once: on CPython 3.11 reading a member of an enumeration costs as much as a call


Hear = Callable[[Sequence[Verb], Sequence[Answer], Sequence[Open]], None]


class Monitor:
    """Counts and tells what passes. It is the `Probe` of the other stages."""

    def __init__(self, clock: Clock, journal: Journal, redact: Redactor | None = None) -> None:
        self._clock = clock
        self._journal = journal
        self.redact = redact or Redactor()
        self.log = Logbook(clock, self.redact)
        self.counts = Counts(self._find)
        #: Told of each turn that was committed, while they want to be: who watches the node from outside.
        self.heard: list[Hear] = []
        self._latched: set[tuple[str, str]] = set()

    def _find(self, decision: int) -> Open | None:
        return self._journal.state.open.get(decision)

    def recover(self) -> None:
        """Which decisions already waited, and which scopes were already latched, when the journal was opened."""
        state = self._journal.state
        self.counts.waiting = {o.decision.id for o in state.open.values() if o.state in {"held", "deferred"}}
        self._latched = {scope for scope, balance in state.balances.items() if balance.latched}

    def note(self, event: str, /, **fields: Any) -> None:
        """Something notable happened that no fact tells."""
        self.log.note(event, **fields)

    def turned(
        self, verbs: Sequence[Verb], answers: Sequence[Answer], finished: Sequence[Open], commit_s: float
    ) -> None:
        """One turn was committed."""
        self.counts.turned(verbs, answers, finished, self._clock.wall_us(), commit_s)
        for hear in self.heard:
            hear(verbs, answers, finished)
        if self.counts.quality.alerts:
            self._quality()
        debugging = self.log.debugging
        for verb, answer in zip(verbs, answers, strict=True):
            kind = type(verb)
            if kind is Admit:
                if debugging:
                    self._ruled(verb, answer)
            elif kind is Close or kind is Progress:
                acts = verb.acts  # type: ignore[attr-defined]
                if len(acts) > 1 or (acts and acts[0].event == _DOUBT):
                    self._acted(verb, answer)
            else:
                self._told(verb, answer)
        for found in finished:
            outcome = found.outcome
            if outcome is not None and (outcome.settled or outcome.result == "failed" or debugging):
                self._ended(found, outcome, debugging=debugging)

    def _quality(self) -> None:
        """Quality falls as load rises, or is back."""
        alerts, self.counts.quality.alerts = self.counts.quality.alerts, []
        for raised, found in alerts:
            self.log.note("quality_falls" if raised else "quality_back", **found.data())

    def _acted(self, verb: Any, answer: Answer) -> None:
        for act in verb.acts:
            if act.event != _DOUBT or act.code == Code.UNVERIFIED:
                continue  # or a success that is only being asked about
            if answer.open is not None and answer.open.plan is not None:
                self._doubted(verb.decision, act, answer.open.plan.actions[act.ordinal].effector)

    def _doubted(self, decision: int, act: Act, effector: str) -> None:
        self.log.note(
            "in_doubt",
            decision=id_text(decision),
            action=act.ordinal,
            effector=effector,
            code=act.code,
            detail=act.detail,
        )

    def _ruled(self, verb: Any, answer: Answer) -> None:
        decision, verdict = verb.decision, answer.verdict
        if verdict is not None:
            self.log.debug(
                "ruled",
                decision=id_text(decision.id),
                kind=decision.kind,
                source=decision.source,
                tenant=decision.tenant,
                key=decision.key,
                verdict=verdict.result,
                code=verdict.code,
                duplicate=answer.code == "DUPLICATE",
            )

    def _ended(self, found: Open, outcome: Outcome, *, debugging: bool) -> None:
        decision = found.decision
        if outcome.settled:
            self._settled(outcome.settled, decision.id)
        if outcome.result == "failed":
            self.log.note(
                "outcome_failed",
                decision=id_text(decision.id),
                kind=decision.kind,
                source=decision.source,
                code=outcome.code,
                detail=outcome.detail,
                attempts=outcome.attempts,
            )
        elif debugging:
            self.log.debug("ended", decision=id_text(decision.id), result=outcome.result, code=outcome.code)

    def _settled(self, settled: Sequence[Any], decision: int) -> None:
        """A settlement above its reservation latches its scope: say so, once."""
        for reservation in settled:
            scope = (reservation.budget, reservation.scope)
            balance = self._journal.state.balances.get(scope)
            if balance is None or not balance.latched:
                self._latched.discard(scope)
            elif scope not in self._latched:
                self._latched.add(scope)
                self.log.note(
                    "overrun",
                    budget=scope[0],
                    scope=scope[1],
                    decision=id_text(decision),
                    settled=reservation.amount,
                    limit=balance.limit,
                )

    def _told(self, verb: Verb, answer: Answer) -> None:
        if answer.ok and type(verb) in _TOLD:
            if isinstance(verb, SetLimit) and verb.reset_latch:
                self._latched.discard((verb.budget, verb.scope))
            for event, fields in _TOLD[type(verb)](verb):
                self.log.note(event, **fields)


def lines_of(verb: Verb) -> list[Line]:
    """What is told of a fact that is about more than one decision's own course; secrets included."""
    tell = _TOLD.get(type(verb))
    return tell(verb) if tell is not None else []


Line = tuple[str, Mapping[str, Any]]


def _halt(verb: Any) -> list[Line]:
    halt = verb.halt
    event = {"none": "resumed", "halted": "halted"}.get(halt.mode, halt.mode)
    return [(event, {"scope": halt.scope, "by": halt.by, "reason": halt.reason})]


def _limit(verb: Any) -> list[Line]:
    fields = {"budget": verb.budget, "scope": verb.scope, "limit": verb.limit, "by": verb.by}
    return [] if verb.by.startswith("app:") else [("limit_set", fields | {"latch_lifted": verb.reset_latch})]


def _approve(verb: Any) -> list[Line]:
    a = verb.approval
    fields = {"decision": id_text(a.decision), "gate": a.gate, "by": a.approver, "reason": a.reason}
    return [("approved" if a.approved else "denied", fields)]


def _grant(verb: Any) -> list[Line]:
    g = verb.grant
    fields = {"key": g.id, "name": g.name, "roles": list(g.roles), "sources": g.sources, "tenants": g.tenants}
    return [("key_revoked" if g.revoked_us is not None else "key_set", fields | {"by": g.by})]


def _standing(verb: Any) -> list[Line]:
    s = verb.standing
    fields = {"gate": s.gate, "kind": s.kind, "source": s.source, "by": s.approver, "decision": id_text(s.decision)}
    return [("standing_approval_given" if s.until_us else "standing_approval_gone", fields)]


def _cancel(verb: Any) -> list[Line]:
    return [("cancel_asked", {"decision": id_text(verb.decision), "by": verb.by, "reason": verb.reason})]


def _undo(verb: Any) -> list[Line]:
    return [("compensating", {"decision": id_text(verb.decision), "code": verb.code})]


def _learn(verb: Any) -> list[Line]:
    lines: list[Line] = []
    for move in verb.adjustments:
        event = "adjusted"
        if move.name == "demoted":
            event = "demoted" if move.value else "reinstated"
        fields = {"name": move.name, "subject": move.subject, "value": move.value, "was": move.was, "by": move.by}
        lines.append((event, fields | {"lesson": move.lesson, "reason": move.reason, "latched": move.latched}))
    return lines


def _quarantine(verb: Any) -> list[Line]:
    entry = verb.entry
    event = "quarantined" if entry.state == "kept" else f"quarantine_{entry.state}"
    fields = {"entry": id_text(entry.id), "source": entry.source, "reason": entry.reason, "detail": entry.detail}
    return [(event, fields)]


def _shed(verb: Any) -> list[Line]:
    by_code: dict[str, int] = {}
    for shed in verb.counts:
        by_code[shed.code] = by_code.get(shed.code, 0) + shed.count
    return [("shed", {"count": sum(by_code.values()), "by_code": by_code})]


_TOLD = {
    SetHalt: _halt,
    SetLimit: _limit,
    Approve: _approve,
    SetGrant: _grant,
    SetStanding: _standing,
    Cancel: _cancel,
    Undo: _undo,
    Learn: _learn,
    Quarantine: _quarantine,
    Shed: _shed,
}
