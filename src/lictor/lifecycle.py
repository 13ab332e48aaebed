"""The one transition table: state x event -> next state, what becomes of the reservation, the record in history.

The code below, the diagram in docs/ARCHITECTURE.md (`mermaid`) and the state machine that Hypothesis drives all come
from `DECISION` and `ACTION`. What is not listed raises `LifecycleError`; nothing else in the engine decides a state.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from lictor.errors import LifecycleError


class DecisionState(StrEnum):
    """Where a decision is. `NEW` is before its first verdict; the journal never stores it."""

    NEW = "new"
    HELD = "held"
    DEFERRED = "deferred"
    ADMITTED = "admitted"
    RUNNING = "running"
    COMPENSATING = "compensating"
    REFUSED = "refused"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    COMPENSATED = "compensated"


class ActionState(StrEnum):
    """Where an action is. `PENDING`: the world is working on it. `IN_DOUBT`: nobody knows."""

    WAITING = "waiting"
    STARTED = "started"
    BACKING_OFF = "backing_off"
    PENDING = "pending"
    IN_DOUBT = "in_doubt"
    COMPENSATING = "compensating"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    COMPENSATED = "compensated"


class Event(StrEnum):
    """What can happen to a decision or an action."""

    ADMIT = "admit"
    REFUSE = "refuse"
    HOLD = "hold"
    DEFER = "defer"
    START = "start"
    GIVE_BACK = "give_back"
    BACK_OFF = "back_off"
    PEND = "pend"
    REPORT = "report"
    DOUBT = "doubt"
    ABSENT = "absent"
    SUCCEED = "succeed"
    FAIL = "fail"
    EXPIRE = "expire"
    CANCEL = "cancel"
    COMPENSATE = "compensate"
    COMPENSATED = "compensated"


#: What a transition does to the decision's reservation: `reserve` it, `keep` it, `release` all of it,
#: or `settle` what was truly used and release the rest.
Releases = Literal["reserve", "keep", "release", "settle"]


@dataclass(frozen=True, slots=True)
class Transition:
    """One line of the table."""

    to: str
    releases: Releases
    record: str


D, A, E = DecisionState, ActionState, Event


def _table(*rows: tuple[tuple[str, ...], str, str, Releases]) -> dict[tuple[str, str], Transition]:
    """Spread rows of (states, event, next state, releases) into a lookup; the record is named after the event."""
    return {
        (str(state), str(event)): Transition(str(to), releases, str(event))
        for states, event, to, releases in rows
        for state in states
    }


DECISION: dict[tuple[str, str], Transition] = _table(
    ((D.NEW, D.HELD, D.DEFERRED), E.ADMIT, D.ADMITTED, "reserve"),
    ((D.NEW, D.HELD, D.DEFERRED), E.REFUSE, D.REFUSED, "release"),
    ((D.NEW, D.HELD, D.DEFERRED), E.HOLD, D.HELD, "keep"),
    ((D.NEW, D.HELD, D.DEFERRED), E.DEFER, D.DEFERRED, "keep"),
    ((D.HELD, D.DEFERRED, D.ADMITTED), E.EXPIRE, D.EXPIRED, "release"),
    ((D.HELD, D.DEFERRED, D.ADMITTED), E.CANCEL, D.CANCELLED, "release"),
    ((D.ADMITTED,), E.START, D.RUNNING, "keep"),
    ((D.RUNNING,), E.SUCCEED, D.SUCCEEDED, "settle"),
    ((D.RUNNING,), E.FAIL, D.FAILED, "settle"),
    ((D.RUNNING,), E.EXPIRE, D.EXPIRED, "settle"),
    ((D.RUNNING,), E.CANCEL, D.CANCELLED, "settle"),
    ((D.RUNNING,), E.COMPENSATE, D.COMPENSATING, "keep"),
    ((D.COMPENSATING,), E.COMPENSATED, D.COMPENSATED, "settle"),
    ((D.COMPENSATING,), E.FAIL, D.FAILED, "settle"),
)

ACTION: dict[tuple[str, str], Transition] = _table(
    ((A.WAITING, A.BACKING_OFF, A.IN_DOUBT), E.START, A.STARTED, "keep"),
    ((A.STARTED,), E.GIVE_BACK, A.WAITING, "keep"),
    ((A.STARTED,), E.BACK_OFF, A.BACKING_OFF, "keep"),
    ((A.STARTED, A.IN_DOUBT), E.PEND, A.PENDING, "keep"),
    ((A.STARTED,), E.REPORT, A.STARTED, "keep"),
    ((A.PENDING,), E.REPORT, A.PENDING, "keep"),
    ((A.IN_DOUBT,), E.REPORT, A.IN_DOUBT, "keep"),
    ((A.BACKING_OFF,), E.REPORT, A.BACKING_OFF, "keep"),
    ((A.WAITING, A.STARTED, A.BACKING_OFF, A.PENDING), E.DOUBT, A.IN_DOUBT, "keep"),
    ((A.IN_DOUBT, A.PENDING), E.ABSENT, A.BACKING_OFF, "keep"),
    ((A.STARTED, A.BACKING_OFF, A.PENDING, A.IN_DOUBT), E.SUCCEED, A.SUCCEEDED, "keep"),
    ((A.WAITING, A.STARTED, A.BACKING_OFF, A.PENDING, A.IN_DOUBT), E.FAIL, A.FAILED, "keep"),
    ((A.WAITING, A.BACKING_OFF, A.PENDING, A.IN_DOUBT), E.EXPIRE, A.EXPIRED, "keep"),
    ((A.WAITING, A.STARTED, A.BACKING_OFF, A.PENDING, A.IN_DOUBT), E.CANCEL, A.CANCELLED, "keep"),
    ((A.SUCCEEDED,), E.COMPENSATE, A.COMPENSATING, "keep"),
    ((A.COMPENSATING,), E.COMPENSATED, A.COMPENSATED, "keep"),
    ((A.COMPENSATING,), E.FAIL, A.FAILED, "keep"),
)

#: A decision in one of these never changes again (I2).
TERMINAL: frozenset[str] = frozenset({D.REFUSED, D.SUCCEEDED, D.FAILED, D.EXPIRED, D.CANCELLED, D.COMPENSATED})
#: An action in one of these needs nothing more, except that a success may still be compensated.
ACTION_TERMINAL: frozenset[str] = frozenset({A.SUCCEEDED, A.FAILED, A.EXPIRED, A.CANCELLED, A.COMPENSATED})


def decide(state: str, event: str) -> Transition:
    """The transition of a decision.

    Raises:
        LifecycleError: the table does not list it.
    """
    found = DECISION.get((state, event))
    if found is None:
        raise LifecycleError(f"a decision that is {state} cannot {event}")
    return found


def act(state: str, event: str) -> Transition:
    """The transition of an action.

    Raises:
        LifecycleError: the table does not list it.
    """
    found = ACTION.get((state, event))
    if found is None:
        raise LifecycleError(f"an action that is {state} cannot {event}")
    return found


def mermaid(machine: Literal["decision", "action"]) -> str:
    """The table as a Mermaid state diagram, for docs/ARCHITECTURE.md."""
    table = DECISION if machine == "decision" else ACTION
    ends = TERMINAL if machine == "decision" else ACTION_TERMINAL
    merged: dict[tuple[str, str], list[str]] = {}
    for (state, event), transition in table.items():
        merged.setdefault((state, transition.to), []).append(event)
    start = D.NEW if machine == "decision" else A.WAITING
    lines = ["stateDiagram-v2", f"    [*] --> {start}"]
    lines += [f"    {state} --> {to}: {', '.join(events)}" for (state, to), events in merged.items()]
    lines += [f"    {end} --> [*]" for end in sorted(ends)]
    return "\n".join(lines)
