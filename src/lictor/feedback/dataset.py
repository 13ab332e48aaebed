"""Decisions as flat rows for training and analysis, read from history in one pass: what was asked, ruled and done.

Each row also has what was known of its source at that time: what the last `Learn` before the verdict said and never
anything later, so that a model trained on the rows sees no future. A row is complete when its decision has ended;
decisions that are still open come last, without an outcome.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from typing import Any

import msgspec

from lictor.journal.port import Admit, Approve, Cancel, Close, Journal, Learn
from lictor.records import Adjustment, Decision, Lesson, Outcome, Ruling, Verdict
from lictor.runtime.ids import id_text

from .share import Share
from .tally import Tally, number

Redact = Callable[[Any], Any]

#: Facts between two moments in which other work may run.
_BREATH = 500

#: Fixed columns that are not text, with their types; see `rows`. Names say the unit.
TYPES: dict[str, str] = {
    "number": "int",
    "version": "int",
    "received_us": "int",
    "deadline_us": "int",
    "priority": "int",
    "depth": "int",
    "confidence": "float",
    "amended": "bool",
    "held": "bool",
    "verdict_us": "int",
    "verdict_ms": "float",
    "actions": "int",
    "attempts": "int",
    "started_us": "int",
    "ended_us": "int",
    "outcome_ms": "float",
    "on_time": "bool",
    "settled_amount": "float",
    "expected_amount": "float",
    "known_count": "int",
    "known_success": "float",
    "known_on_time": "float",
    "known_brier": "float",
    "known_quality": "float",
}
#: Fixed columns that hold nested data: JSON in a table, as it is in JSON lines.
NESTED = ("expects", "rulings", "reserved", "value", "settled", "adjustments", "lessons")
TEXTS = (
    "id",
    "kind",
    "tenant",
    "source",
    "key",
    "order_key",
    "parent",
    "digest",
    "policy",
    "verdict",
    "code",
    "denied_by",
    "approved_by",
    "effector",
    "outcome",
    "outcome_code",
    "detail",
)
COLUMNS = (*TEXTS, *TYPES, *NESTED)


class Known:
    """What the facts so far have taught."""

    def __init__(self) -> None:
        self.lessons: dict[tuple[str, str], Lesson] = {}
        self.adjustments: dict[tuple[str, str], Adjustment] = {}

    def learn(self, verb: Learn) -> None:
        """Fold one fact."""
        self.lessons.update({(lesson.name, lesson.subject): lesson for lesson in verb.lessons})
        self.adjustments.update({(move.name, move.subject): move for move in verb.adjustments})

    def of(self, decision: Decision) -> dict[str, Any]:
        """What was known of the decision's source, kind and tenant."""
        about = {decision.source, decision.kind, decision.tenant, "all"}
        found: dict[str, Any] = {
            "adjustments": {name: a.value for (name, subject), a in self.adjustments.items() if subject in about},
            "lessons": {
                name: lesson.values
                for (name, subject), lesson in self.lessons.items()
                if subject in about and name not in {"outcomes", "quality"}
            },
        }
        outcomes = self.lessons.get(("outcomes", f"{decision.source} {decision.kind}"))
        if outcomes is not None:
            tally = Tally.of(outcomes.values, 0)
            found |= {
                "known_count": tally.count,
                "known_success": tally.success.value,
                "known_on_time": tally.on_time.value,
                "known_brier": tally.calibration.brier if tally.calibration is not None else None,
            }
        quality = self.lessons.get(("quality", decision.source))
        if quality is not None:
            found["known_quality"] = Share(*quality.values["recent"]).value
        return found


async def rows(
    journal: Journal, *, kind: str | None = None, redact: Redact | None = None, until: int | None = None
) -> AsyncIterator[tuple[int, dict[str, Any]]]:
    """Each decision, of one kind or all, as it was at position `until`: how far history was read, and the row."""
    known = Known()
    waiting: dict[int, dict[str, Any]] = {}
    seen = last = 0
    async with aclosing(journal.scan()) as facts:  # type: ignore[type-var]
        async for fact in facts:
            if until is not None and fact.seq > until:
                break
            seen, last = seen + 1, fact.seq
            if seen % _BREATH == 0:
                await asyncio.sleep(0)
            for row in _folded(fact.verb, fact.at_us, known, waiting, kind):
                yield fact.seq, _shown(row, redact)
    for row in waiting.values():
        yield last, _shown(row, redact)


def _folded(
    verb: Any, at_us: int, known: Known, waiting: dict[int, dict[str, Any]], kind: str | None
) -> list[dict[str, Any]]:
    """Fold one fact; the rows that it completes."""
    done: list[dict[str, Any]] = []
    if isinstance(verb, Learn):
        known.learn(verb)
    elif isinstance(verb, Admit) and kind in {None, verb.decision.kind}:
        row = waiting.setdefault(verb.decision.id, {})
        _ruled(row, verb, at_us, known)
        if verb.verdict.result == "refused":
            done.append(waiting.pop(verb.decision.id))
        replaced = waiting.get(verb.decision.supersedes or 0)
        if verb.verdict.result == "admitted" and replaced is not None and replaced["started_us"] is None:
            _ended(replaced, Outcome(decision=0, result="cancelled", at_us=at_us, code="SUPERSEDED"))
            done.append(waiting.pop(verb.decision.supersedes or 0))
    elif isinstance(verb, Approve) and (found := waiting.get(verb.approval.decision)) is not None:
        found["approved_by"] = verb.approval.approver if verb.approval.approved else None
    elif isinstance(verb, Close) and (found := waiting.pop(verb.decision, None)) is not None:
        _ended(found, verb.outcome)
        done.append(found)
    elif isinstance(verb, Cancel) and (found := waiting.get(verb.decision)) is not None and found["started_us"] is None:
        _ended(found, Outcome(decision=0, result="cancelled", at_us=at_us, detail=f"by {verb.by}: {verb.reason}"))
        done.append(waiting.pop(verb.decision))
    else:
        _started(verb, at_us, waiting)
    return done


def _started(verb: Any, at_us: int, waiting: dict[int, dict[str, Any]]) -> None:
    for item in getattr(verb, "items", ()):
        found = waiting.get(item.decision)
        if found is not None and found["started_us"] is None:
            found["started_us"] = at_us


def _ruled(row: dict[str, Any], verb: Admit, at_us: int, known: Known) -> None:
    d, verdict, plan = verb.decision, verb.verdict, verb.plan
    held = bool(row.get("held")) or verdict.result == "held"
    approved_by = row.get("approved_by")
    row.clear()
    row.update(dict.fromkeys(COLUMNS))
    row.update(
        id=id_text(d.id),
        number=d.id,
        kind=d.kind,
        version=d.version,
        tenant=d.tenant,
        source=d.source,
        key=d.key,
        received_us=d.received_us,
        deadline_us=d.deadline_us,
        priority=d.priority,
        order_key=d.order_key,
        parent=id_text(d.parent) if d.parent is not None else None,
        depth=d.depth,
        confidence=d.confidence,
        expects=d.expects,
        amended=d.amended_from is not None,
        digest=d.digest.hex(),
        held=held,
        approved_by=approved_by,
        verdict_us=at_us,
        verdict_ms=(at_us - d.received_us) / 1000,
        payload=_payload(d.payload),
        **_verdict(verdict),
        actions=len(plan.actions) if plan is not None else 0,
        effector=plan.actions[0].effector if plan is not None and plan.actions else None,
        started_us=at_us if verb.lease is not None else None,
        **known.of(d),
    )
    amount = (d.expects or {}).get("amount")
    row["expected_amount"] = float(amount) if amount is not None and number(amount) else None


def _verdict(verdict: Verdict) -> dict[str, Any]:
    denied = next((r.gate for r in verdict.rulings if r.result == "deny" and not r.shadow), None)
    return {
        "verdict": str(verdict.result),
        "code": verdict.code,
        "policy": verdict.policy,
        "denied_by": denied,
        "rulings": [_ruling(ruling) for ruling in verdict.rulings],
        "reserved": {f"{r.budget}/{r.scope}": str(r.amount) for r in verdict.reservations},
    }


def _ruling(ruling: Ruling) -> dict[str, Any]:
    said: dict[str, Any] = {"gate": ruling.gate, "result": ruling.result, "code": ruling.code, "seen": ruling.seen}
    reads = {read.name: read.value if read.value is not None else read.version for read in ruling.reads}
    said |= {"reads": reads or None, "shadow": ruling.shadow or None}
    return {name: value for name, value in said.items() if value is not None}


def _payload(raw: bytes) -> Any:
    """The content; None where it was erased."""
    return msgspec.json.decode(raw) if raw else None


def _ended(row: dict[str, Any], outcome: Outcome) -> None:
    settled: dict[str, str] = {f"{r.budget}/{r.scope}": str(r.amount) for r in outcome.settled}
    row.update(
        outcome=outcome.result,
        outcome_code=outcome.code,
        value=outcome.value,
        detail=outcome.detail,
        settled=settled,
        attempts=outcome.attempts,
        ended_us=outcome.at_us,
        outcome_ms=(outcome.at_us - row["received_us"]) / 1000,
        on_time=outcome.at_us <= row["deadline_us"],
        settled_amount=float(outcome.settled[0].amount) if len(outcome.settled) == 1 else None,
    )
    if outcome.started_us is not None:
        row["started_us"] = outcome.started_us


def _shown(row: dict[str, Any], redact: Redact | None) -> dict[str, Any]:
    if redact is None:
        return row
    hidden = {name: redact(row[name]) for name in ("payload", "expects", "rulings", "value", "detail", "lessons")}
    return {**row, **hidden}
