"""One effector's capacity on this node.

Its free slots, its ready queue, its extra-work pool, its breaker, its drain rate.
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


class EffectorLane:
    """Where work for one effector waits for a slot."""

    __slots__ = ("breaker", "coming", "drain", "effector", "free", "pool", "ready", "seconds")

    def __init__(self, effector: Effector[..., Any], weights: Mapping[str, float]) -> None:
        self.effector = effector
        self.free = effector.slots
        self.ready: FairQueue[Work] = FairQueue(weights)
        #: What this turn has planned for it, by class; in `ready` after the commit.
        self.coming: dict[int, int] = {}
        self.pool = ExtraWorkPool(effector.extra_work)
        self.breaker = Breaker()
        self.drain = DrainRate()
        #: Running mean of how long a call takes.
        self.seconds = 0.0

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
        return ahead + sum(n for other, n in self.coming.items() if other <= priority) if self.coming else ahead

    def wait_s(self, priority: int) -> float:
        """How long work of this class would wait for a slot: what is ahead of it over the measured drain rate."""
        ahead = self.ahead(priority)
        if not ahead and self.free:
            return 0.0
        rate = self.drain.per_s() or (self.effector.slots / self.seconds if self.seconds else None)
        return ahead / rate if rate else 0.0
