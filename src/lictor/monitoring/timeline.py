"""The timeline of one decision: its story from the journal, from arrival to its outcome and what that taught."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from lictor.errors import NotFoundError
from lictor.journal.port import Journal, Learn
from lictor.records import Adjustment, Decision, Lesson
from lictor.runtime.ids import id_text

from .line import Line, day, duration
from .redaction import Redactor
from .story import Story

#: Facts after an outcome among which its lesson is looked for; lessons are written every second or so.
LESSON_WITHIN = 50_000
#: Facts between two moments in which other work may run.
_BREATH = 250


@dataclass(frozen=True, slots=True)
class Timeline:
    """All that is known of one decision, in order."""

    decision: int
    entries: tuple[Line, ...]

    def lines(self) -> list[str]:
        """Readable, the first line says what it is about."""
        return [f"{day(self.entries[0].at_us)} decision {id_text(self.decision)}", *map(str, self.entries)]

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def data(self) -> dict[str, Any]:
        """For JSON."""
        entries = [{"at_us": e.at_us, "event": e.event, "text": e.text.strip(), **e.data} for e in self.entries]
        return {"decision": id_text(self.decision), "id": self.decision, "entries": entries}


async def timeline(journal: Journal, decision: int, redact: Redactor, now_us: int) -> Timeline:
    """Read a decision's story.

    Raises:
        NotFoundError: the journal has no such decision.
    """
    rows = await journal.history(decision)
    if not rows:
        raise NotFoundError(f"no decision {id_text(decision)}")

    def left(budget: str, scope: str, window: int | None) -> Any:
        balance = journal.state.balances.get((budget, scope))
        return balance.room(window) if balance is not None else None

    story = Story(decision, redact, left)
    entries = [line for row in rows for line in story.tell(row)]
    found = journal.state.find(decision)
    if found is not None:
        entries.append(_now(found, now_us))
    elif story.closed_seq is not None and story.last is not None:
        entries += await _taught(journal, story.last, story.closed_seq)
    return Timeline(decision, tuple(entries))


def _now(found: Any, now_us: int) -> Line:
    """Where an open decision stands."""
    left_us = found.decision.deadline_us - now_us
    due = f"due in {duration(left_us)}" if left_us > 0 else f"{duration(-left_us)} past its deadline"
    states = sorted({str(action.state) for action in found.actions} - {"succeeded"}) if found.started else []
    doing = f" ({', '.join(state.replace('_', ' ') for state in states)})" if states else ""
    return Line(now_us, "now", f"now {found.state}{doing}, {due}", {"state": str(found.state), "actions": states})


async def _taught(journal: Journal, decision: Decision, closed_seq: int) -> list[Line]:
    """What the outcome taught: the next lessons about its source and kind, and the adjustments that it moved."""
    async with aclosing(journal.scan(closed_seq)) as rows:  # type: ignore[type-var]
        async for row in rows:
            if isinstance(row.verb, Learn):
                lessons = [line for lesson in row.verb.lessons if (line := _lesson(lesson, decision, row.at_us))]
                moves = [_move(m, row.at_us) for m in row.verb.adjustments if m.decision == decision.id]
                if lessons or moves:
                    return lessons + moves
            if row.seq > closed_seq + LESSON_WITHIN:
                break
            if row.seq % _BREATH == 0:
                await asyncio.sleep(0)
    return []


def _lesson(lesson: Lesson, decision: Decision, at_us: int) -> Line | None:
    values = lesson.values
    if lesson.name == "outcomes":
        if (values["source"], values["kind"]) != (decision.source, decision.kind):
            return None
        counted = values["count"] - values["cancelled"]
        late, calibration = values["late"][0], values["calibration"]
        text = f"learned: {decision.source} has succeeded in {values['succeeded']} of {counted} {decision.kind}"
        text += f", {late} late"
        text += f", Brier {calibration['brier']:.3f}" if calibration else ""
        return Line(at_us, "lesson", text, {"lesson": lesson.name, "subject": lesson.subject, "values": values})
    if lesson.decision != decision.id:
        return None
    text = f"learned: {lesson.name} about {lesson.subject}"
    return Line(at_us, "lesson", text, {"lesson": lesson.name, "subject": lesson.subject, "values": values})


def _move(move: Adjustment, at_us: int) -> Line:
    text = f"adjusted: {move.name} of {move.subject} from {move.was:g} to {move.value:g} by {move.lesson}"
    text += f": {move.reason}" if move.reason else ""
    text += ", latched until a person resets it" if move.latched else ""
    data = {"name": move.name, "subject": move.subject, "value": move.value, "was": move.was, "reason": move.reason}
    return Line(at_us, "adjustment", text, data | {"latched": move.latched})
