"""What a user wants to be learned from outcomes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from lictor.records import Decision, Outcome

from .gates import Adjustable


@dataclass(frozen=True, slots=True)
class Change:
    """A lesson's wish: move an adjustable of one subject to a value. The engine keeps it within the declared bounds."""

    adjustable: Adjustable
    value: float
    reason: str
    subject: str | None = None
    latch: bool = False


@dataclass(frozen=True, slots=True)
class Learned:
    """What a user's lesson is given: one closed decision, with what it expected and what it got."""

    decision: Decision
    value: Any
    outcome: Outcome
    #: Values that the user's lesson kept for this subject last time.
    memory: dict[str, Any]
    #: The adjustable's value in force for this decision's subject, by name.
    current: dict[str, float]


#: Gets one closed decision and returns what to remember for the subject, and wishes.
LessonFunction = Callable[[Learned], tuple[dict[str, Any], Sequence[Change]]]


@dataclass(frozen=True, slots=True, eq=False)
class LessonSpec:
    """A user's lesson on one kind."""

    name: str
    kind: str
    learn: LessonFunction
