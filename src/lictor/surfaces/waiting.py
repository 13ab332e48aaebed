"""What open decisions wait for, counted in one pass over memory: a slot, tokens, an order key, a person, the world.

Reads a node and changes nothing.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from lictor.capacity.lane import HELD
from lictor.node import Node
from lictor.runtime.ids import id_text

#: What is told of by name, the longest first.
NAMED_MAX = 5


class Waiting:
    """Everything that is open, by what it waits for."""

    def __init__(self, node: Node) -> None:
        self.held = 0
        self.deferred = 0
        #: Admitted decisions that a halt keeps back, by its scope.
        self.halted: Counter[str] = Counter()
        #: Those that wait for an earlier decision of their order key.
        self.behind: Counter[tuple[str, str]] = Counter()
        #: Who is first in such a key: the decision, and what it is doing itself.
        self.heads: dict[tuple[str, str], tuple[str, str]] = {}
        #: By the name of the rate whose tokens they wait for.
        self.tokens: Counter[str] = Counter()
        self.undeclared = len(node.pipeline.execution.undeclared)
        #: Actions of decisions that have started, by effector and state: started, pending, in_doubt, backing_off.
        self.actions: Counter[tuple[str, str]] = Counter()
        self._look(node)
        #: Actions in the queue of each effector, what is parked included.
        self.queued = {
            name: lane.ready.size + lane.ready.away + sum(nested.size for nested in nested_of(lane))
            for name, lane in node.pipeline.execution.lanes.items()
        }
        self.first_held_us = self._oldest

    def _look(self, node: Node) -> None:
        execution = node.pipeline.execution
        work_of, halts = execution.work, node.journal.state.halts
        self._oldest: int | None = None
        for id_, found in node.journal.state.open.items():
            if found.waits:
                if found.state == "held":
                    self.held += 1
                    arrived_us = found.decision.received_us
                    self._oldest = arrived_us if self._oldest is None else min(self._oldest, arrived_us)
                else:
                    self.deferred += 1
                continue
            if found.started and found.plan is not None:
                for action, planned in zip(found.actions, found.plan.actions, strict=True):
                    if action.attempts and not action.done:
                        self.actions[planned.effector, action.state] += 1
                continue
            work = work_of.get(id_)
            if work is None:
                continue
            if halts and execution.halted(work):
                self.halted[_scope(halts, found.decision)] += 1
            elif work.key is not None and not execution.order.head(work):
                self.behind[work.key] += 1
                if work.key not in self.heads:
                    self.heads[work.key] = _head(execution.order.before(work))
            elif work.short:
                self.tokens[max(work.takes, key=lambda take: take.count).budget if work.takes else "?"] += 1

    def of(self, effector: str) -> dict[str, int]:
        """The open actions of one effector."""
        states = ("started", "pending", "in_doubt", "backing_off")
        return {"queued": self.queued.get(effector, 0), **{s: self.actions[effector, s] for s in states}}

    def state(self, state: str) -> int:
        """Actions in one state, of all effectors."""
        return sum(count for (_, which), count in self.actions.items() if which == state)

    def data(self) -> dict[str, Any]:
        """As plain data."""
        return {
            "held": self.held,
            "deferred": self.deferred,
            "queued": sum(self.queued.values()),
            "behind": sum(self.behind.values()),
            "tokens": dict(self.tokens),
            "halted": dict(self.halted),
            "undeclared": self.undeclared,
            "in_flight": self.state("started"),
            "pending": self.state("pending"),
            "in_doubt": self.state("in_doubt"),
            "backing_off": self.state("backing_off"),
            "keys": [
                {
                    "tenant": key[0],
                    "order_key": key[1],
                    "waiting": count,
                    "behind": self.heads[key][0],
                    "doing": self.heads[key][1],
                }
                for key, count in self.behind.most_common(NAMED_MAX)
            ],
        }


def nested_of(lane: Any) -> list[Any]:
    """The queues of what is nested, which go before the others."""
    return list(lane._nested.values())  # noqa: SLF001 - the lane's own numbers, read for people


def in_flight(lane: Any) -> int:
    """Slots that calls have now."""
    free = lane.free + (HELD if lane.held_until_us else 0)
    return int(lane.slots - free)


def _head(turn: list[Any]) -> tuple[str, str]:
    """The first of an order key, and what it does."""
    if not turn:
        return "", "ending"
    found = turn[0].open
    unfinished = [action.state for action in found.actions if not action.done]
    doing = unfinished[0].replace("_", " ") if found.started and unfinished else "waiting"
    return id_text(found.decision.id), {"started": "running"}.get(doing, doing)


def _scope(halts: Any, decision: Any) -> str:
    for scope in (
        "all",
        f"kind:{decision.kind}",
        f"source:{decision.source}",
        f"tenant:{decision.tenant}",
    ):
        if scope in halts:
            return scope
    return next((scope for scope in halts if scope.startswith("effector:")), "all")
