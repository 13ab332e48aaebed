"""Which ready work starts next: class, then weighted fair queueing over tenants, then earliest deadline. Pure.

Start-time fair queueing (Goyal 1996, as in `research/overload.md` 1.3): each tenant has a virtual time that advances
by cost / weight when it is served; the tenant with the smallest goes next; one that returns starts at the queue's own
virtual time, so idling earns nothing. O(log tenants + log work) an operation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from heapq import heapify, heappop, heappush
from typing import Generic, TypeVar

W = TypeVar("W")

#: Idle tenants are forgotten from this many on; those who are gone leave nothing behind (I17).
TENANTS_KEPT = 1_024
#: After so many of a higher class one of the class below goes, so that nobody starves; never past the top class.
AGEING = 16
TOP = 0


class _Tenant(Generic[W]):
    __slots__ = ("active", "time", "work")

    def __init__(self) -> None:
        self.time = 0.0
        self.active = False
        self.work: list[tuple[int, int, W]] = []


class _Class(Generic[W]):
    """The tenants of one class."""

    __slots__ = ("forget_at", "order", "tenants", "time")

    def __init__(self) -> None:
        self.forget_at = TENANTS_KEPT
        self.time = 0.0
        self.tenants: dict[str, _Tenant[W]] = {}
        self.order: list[tuple[float, str]] = []


class FairQueue(Generic[W]):
    """Ready work of one effector."""

    def __init__(self, weights: Mapping[str, float] | None = None) -> None:
        self._weights = weights or {}
        self._classes: dict[int, _Class[W]] = {}
        self._counts: dict[int, int] = {}
        self._ticket = 0
        #: How many have gone since a lower class had its turn.
        self._passed = 0
        self.size = 0

    def push(self, work: W, priority: int, tenant: str, deadline_us: int) -> None:
        """Add ready work."""
        queue = self._classes.get(priority)
        if queue is None:
            queue = self._classes[priority] = _Class()
        found = queue.tenants.get(tenant)
        if found is None:
            found = queue.tenants[tenant] = _Tenant()
        self._ticket += 1
        heappush(found.work, (deadline_us, self._ticket, work))
        if not found.active:
            found.active = True
            found.time = max(found.time, queue.time)
            heappush(queue.order, (found.time, tenant))
        self._counts[priority] = self._counts.get(priority, 0) + 1
        self.size += 1

    def peek(self) -> W | None:
        """The work that starts next, left in its place."""
        if not self.size:
            return None
        queue = self._classes[self._next()]
        return self._head(queue).work[0][2]

    def pop(self, cost: float = 1.0) -> W | None:
        """Take the work that starts next; None when there is none."""
        if not self.size:
            return None
        priority = self._next()
        self._passed = 0 if priority != self._top() else self._passed + 1
        queue = self._classes[priority]
        found = self._head(queue)
        time, tenant = heappop(queue.order)
        work = heappop(found.work)[2]
        queue.time = time
        found.time = time + cost / self._weights.get(tenant, 1.0)
        if found.work:
            heappush(queue.order, (found.time, tenant))
        else:
            found.active = False
            if not queue.order:  # nobody waits: whoever comes next starts level with everyone
                queue.time = max(queue.time, found.time)
            if len(queue.tenants) > queue.forget_at:
                self._forget(queue)
        self._counts[priority] -= 1
        self.size -= 1
        return work

    def charge(self, priority: int, tenant: str, more: float) -> None:
        """What was taken cost more than was charged for it, or less: correct the tenant's time by that."""
        queue = self._classes.get(priority)
        found = queue.tenants.get(tenant) if queue is not None else None
        if queue is None or found is None or len(queue.tenants) == 1:
            return
        found.time = max(0.0, found.time + more / self._weights.get(tenant, 1.0))
        if found.active:
            heappush(queue.order, (found.time, tenant))  # its entry with the old time is passed over

    def keep(self, wanted: Callable[[W], bool]) -> None:
        """Drop all work that is not wanted any more."""
        self.size = 0
        for priority, queue in self._classes.items():
            count = 0
            for tenant in queue.tenants.values():
                tenant.work = [ready for ready in tenant.work if wanted(ready[2])]
                heapify(tenant.work)
                tenant.active = bool(tenant.work)
                count += len(tenant.work)
            queue.order = [(tenant.time, name) for name, tenant in queue.tenants.items() if tenant.active]
            heapify(queue.order)
            self._counts[priority] = count
            self.size += count

    @staticmethod
    def _head(queue: _Class[W]) -> _Tenant[W]:
        """The tenant that goes next; entries with times of before a correction are dropped."""
        while True:
            time, tenant = queue.order[0]
            found = queue.tenants.get(tenant)
            if found is not None and found.active and found.time == time:
                return found
            heappop(queue.order)

    def _top(self) -> int:
        return min(priority for priority, count in self._counts.items() if count)

    def _next(self) -> int:
        """The class that goes next: the highest, but for one turn in `AGEING`, which goes to the one below it.

        So low work is lifted within a bound; the top class is never made to wait for it.
        """
        waiting = sorted(priority for priority, count in self._counts.items() if count)
        aged = self._passed >= AGEING and waiting[0] != TOP and len(waiting) > 1
        return waiting[1] if aged else waiting[0]

    @staticmethod
    def _forget(queue: _Class[W]) -> None:
        """Drop tenants that are idle and behind the queue's time: returning, they would start at it anyway."""
        queue.tenants = {name: t for name, t in queue.tenants.items() if t.active or t.time > queue.time}
        queue.forget_at = max(TENANTS_KEPT, 2 * len(queue.tenants))

    def ahead(self, priority: int) -> int:
        """How much ready work is in the same or a higher class."""
        return sum(count for other, count in self._counts.items() if other <= priority)
