"""What a halt stops and what it does not: nothing in its scope starts any more, and what has begun goes on.

Reads what is open, in one pass over memory.
"""

from __future__ import annotations

from typing import Any, TypedDict

from lictor.journal.open import Open
from lictor.node import Node
from lictor.runtime.ids import id_text

from .shapes import Flying
from .sight import Sight

#: Actions that are told of one by one.
NAMED_MAX = 50
#: Begun, and not ended: a call runs, the world works on it, or nobody knows.
_BEGUN = frozenset({"started", "pending", "in_doubt", "compensating"})


class InFlight(TypedDict):
    """What a halt stopped, and what it cannot stop."""

    #: Decisions of the scope that will not start, or not go on, while it is halted: admitted, held and deferred ones.
    stopped: int
    #: Actions that had begun, by state: started, pending, in_doubt, compensating.
    in_flight: dict[str, int]
    #: The first of them.
    actions: list[Flying]


def in_flight(node: Node, scope: str, sight: Sight) -> InFlight:
    """What stands still in a scope, and what goes on all the same."""
    states: dict[str, int] = {}
    named: list[Flying] = []
    stopped = 0
    for id_, found in node.journal.state.open.items():
        if not _within(found, scope) or not sight.sees(found.decision.source, found.decision.tenant):
            continue
        begun = 0
        for action, planned in zip(found.actions, found.plan.actions if found.plan else (), strict=False):
            if action.state not in _BEGUN or (scope.startswith("effector:") and scope[9:] != planned.effector):
                continue
            begun += 1
            states[action.state] = states.get(action.state, 0) + 1
            if len(named) < NAMED_MAX:
                kind, effector = found.decision.kind, planned.effector
                named.append({"decision": id_text(id_), "kind": kind, "effector": effector, "state": action.state})
        stopped += not begun
    return {"stopped": stopped + _parked(node, scope, sight), "in_flight": states, "actions": named}


def _within(found: Open, scope: str) -> bool:
    what, _, name = scope.partition(":")
    decision = found.decision
    if what == "effector":
        return found.plan is not None and any(planned.effector == name for planned in found.plan.actions)
    return what == "all" or getattr(decision, what, None) == name


def _parked(node: Node, scope: str, sight: Sight) -> int:
    """Parked decisions have not begun; of a scope that their queues do not tell, they are looked at."""
    parking = node.journal.state.parking
    if not parking.count:
        return 0
    if scope == "all" and sight.whole:
        return parking.count
    return sum(
        _within(found, scope) and sight.sees(found.decision.source, found.decision.tenant) for found in parking.all()
    )


def told(found: dict[str, Any]) -> str:
    """In words, for people who have just pressed the switch."""
    states = ", ".join(f"{count} {state.replace('_', ' ')}" for state, count in found["in_flight"].items())
    return f"{found['stopped']} decisions do not start; " + (f"still in flight: {states}" if states else "none runs")
