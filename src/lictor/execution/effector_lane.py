"""One effector's capacity on this node: its slots, ready queues, extra-work pool, breaker and drain rate.

A call that waits for a child of its own decision holds its slot meanwhile. So that parents do not wait for the slots
that they hold themselves, one slot is kept for each depth of nesting that is declared or has been seen, and children go
first.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lictor.capacity.breaker import Breaker
from lictor.capacity.drain import DrainRate
from lictor.capacity.extra_work import ExtraWorkPool
from lictor.capacity.fairness import FairQueue
from lictor.declarations.effectors import Effector

from .work import Work

#: Mean calls; a single one is charged no more, so that one that hung does not lock its tenant out.
COST_MAX = 100.0


#: Work that has ended is looked for in the queues when there is this much of it.
LEFT_MIN = 1_024


def _goes_on(work: Work) -> bool:
    return not work.concluded


class EffectorLane:
    """Where work for one effector waits for a slot."""

    __slots__ = (
        "_left",
        "_nested",
        "_weights",
        "breaker",
        "coming",
        "drain",
        "effector",
        "free",
        "pool",
        "ready",
        "seconds",
    )

    def __init__(self, effector: Effector[..., Any], weights: Mapping[str, float]) -> None:
        self.effector = effector
        self.free = effector.slots
        self.ready: FairQueue[Work] = FairQueue(weights)
        #: Ready children by their depth, the deepest last.
        self._nested: dict[int, FairQueue[Work]] = {}
        self._weights = weights
        #: How much has ended while it stood here, since that was last looked for.
        self._left = 0
        self._know(effector.nests)
        #: What this turn has planned for it, by class; in `ready` after the commit.
        self.coming: dict[int, int] = {}
        self.pool = ExtraWorkPool(effector.extra_work)
        self.breaker = Breaker()
        self.drain = DrainRate()
        #: Running mean of how long a call takes.
        self.seconds = 0.0

    def push(self, work: Work, priority: int) -> None:
        """Queue ready work."""
        decision = work.open.decision
        queue = self.ready
        if decision.depth:
            self._know(decision.depth)
            queue = self._nested[decision.depth]
        queue.push(work, priority, decision.tenant, decision.deadline_us)

    def _know(self, deepest: int) -> None:
        """Work of this depth exists: from now on a slot is kept for it."""
        for depth in range(len(self._nested) + 1, deepest + 1):
            self._nested[depth] = FairQueue(self._weights)

    def pop(self) -> Work | None:
        """Take the work that may start next, the deepest first; None when there is none."""
        if self._nested:
            for depth in range(len(self._nested), 0, -1):
                if self._nested[depth].size and self.open(depth):
                    return self._nested[depth].pop()
        return self.ready.pop() if self.ready.size and self.open(0) else None

    def left(self) -> None:
        """Work has ended while it stood here; it is dropped when such work may be half of all (I17)."""
        self._left += 1
        if self._left >= max(LEFT_MIN, self.ready.size // 2):
            self._left = 0
            for queue in (self.ready, *self._nested.values()):
                queue.keep(_goes_on)

    def open(self, depth: int) -> bool:
        """Whether a call at this depth may take a slot now; those that deeper calls may need are left free."""
        return self.free > (min(len(self._nested) - depth, self.effector.slots - 1) if self._nested else 0)

    def take(self, depth: int) -> None:
        """A slot is taken by a call at this depth."""
        self.free -= 1
        if depth:
            self._know(depth)

    def note(self, work: Work, seconds: float, now: float) -> None:
        """A call returned and its slot is free; its tenant is charged for the time that it really took."""
        if self.ready.size and self.seconds:
            more = min(seconds / self.seconds, COST_MAX) - 1.0
            self.ready.charge(work.urgency, work.open.decision.tenant, more)
        self.free += 1
        # Not "all slots taken": of calls that return between two turns only the first would count.
        self.drain.note(1, now, busy=self.ready.size > 0)
        self.seconds += (seconds - self.seconds) * 0.05 if self.seconds else seconds

    def ahead(self, priority: int) -> int:
        """How much work of the same or a higher class is before work that comes now."""
        ahead = self.ready.ahead(priority) if self.ready.size else 0
        if self._nested:
            ahead += sum(queue.size for queue in self._nested.values())
        return ahead + sum(n for other, n in self.coming.items() if other <= priority) if self.coming else ahead

    def wait_s(self, priority: int) -> float:
        """How long work of this class would wait for a slot: what is ahead of it over the measured drain rate."""
        ahead = self.ahead(priority)
        if not ahead and self.free > 0:
            return 0.0
        rate = self.drain.per_s() or (self.effector.slots / self.seconds if self.seconds else None)
        return ahead / rate if rate else 0.0
