"""What a user wants to be learned from outcomes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from lictor.records import Decision, Outcome

from .gates import Adjustable

#: Whom a lesson's memory is about.
LessonPer = Literal["source", "kind", "tenant", "all"]


@dataclass(frozen=True, slots=True)
class Change:
    """A lesson's wish: move an adjustable of one subject to a value. The engine keeps it within the declared bounds.

    A tightening is in force for the next verdict. A loosening moves at most as fast as the adjustable's
    `loosen_per_hour` allows, counted from its last move, and never past `loosest` (I20). With `latch` nothing
    loosens it any more until a named person resets it.
    """

    adjustable: Adjustable
    value: float
    reason: str
    #: None is the decision's own subject: its source, kind, tenant or `all`, as the adjustable was declared.
    subject: str | None = None
    latch: bool = False


@dataclass(frozen=True, slots=True)
class Learned:
    """What a user's lesson is given: one closed decision, with what it expected and what it got."""

    decision: Decision
    value: Any
    outcome: Outcome
    #: What the lesson kept for this subject last time; plain data (numbers, texts, lists, maps with text keys), empty
    #: at first.
    memory: dict[str, Any]
    #: The adjustable's value in force for this decision's subject, by name.
    current: dict[str, float]


#: Gets one closed decision and returns what to remember for the subject, and wishes. If what is remembered has
#: `came_true` (a bool, or None for "cannot be told"), that is taken out and says whether what the decision stated
#: with its confidence happened; else success does.
LessonFunction = Callable[[Learned], tuple[dict[str, Any], Sequence[Change]]]


@dataclass(frozen=True, slots=True, eq=False)
class LessonSpec:
    """A user's lesson on one kind."""

    name: str
    kind: str
    learn: LessonFunction
    per: LessonPer = "source"


def subject_of(per: str, decision: Decision) -> str:
    """Whom something declared `per` source, kind, tenant or all is about, for this decision."""
    return "all" if per == "all" else str(getattr(decision, per))
