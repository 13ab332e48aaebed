"""Which ready work starts next: class, then weighted fair queueing over tenants, then earliest deadline. Pure.

Start-time fair queueing (Goyal 1996, as in `research/overload.md` 1.3): each tenant has a virtual time that advances by
cost / weight when it is served; the tenant with the smallest goes next; one that returns starts at the queue's own
virtual time, so idling earns nothing. When work is taken it is charged what the tenant's work costs on average, and
that is corrected when its true cost is known (as in virtual token counters, arXiv 2401.00588), so that unknown costs
are shared fairly too.

A tenant whose work is turned away is not idle: it keeps the place that it had, by at most `credit`. Otherwise whoever
is admitted next under overload would be a matter of luck, and luck is not fair.

O(log tenants + log work) an operation, and a move of memory in the sorted list of tenants.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping
from heapq import heapify, heappop, heappush
from typing import Generic, TypeVar

from .tenants import TENANTS_KEPT, Tenant, Tenants

W = TypeVar("W")

#: After so many of a higher class one of the class below goes, so that nobody starves; never past the top class.
AGEING = 16
TOP = 0
#: Pieces of work over which a tenant's average cost is learned, and how many make it known.
LEARNED_FROM = 20
KNOWN_FROM = 3


class FairQueue(Generic[W]):
    """Ready work of one effector."""

    def __init__(self, weights: Mapping[str, float] | None = None) -> None:
        self._weights = weights or {}
        self._classes: dict[int, Tenants[W]] = {}
        #: The same, the highest class first.
        self._sorted: list[Tenants[W]] = []
        self._ticket = 0
        #: How many have gone since a lower class had its turn.
        self._passed = 0
        self.size = 0
        #: What was taken and has not been settled.
        self.running = 0
        #: Work that is expected and not pushed yet; and that waits elsewhere.
        self.coming = 0
        self.away = 0
        #: How far behind the others a tenant may claim to start whose work was turned away.
        self.credit = 0.0
        #: What work of a tenant that nothing is known of is reckoned to cost.
        self.cost = 1.0
        #: What the last work taken was reckoned to cost.
        self.taken = 0.0
        #: The last work taken was lifted by one class, because it was its turn by age.
        self.aged = False

    # -- work -----------------------------------------------------------------------------------------------------

    def _class(self, priority: int) -> Tenants[W]:
        queue = self._classes.get(priority)
        if queue is None:
            queue = self._classes[priority] = Tenants(priority)
            self._sorted = sorted(self._classes.values(), key=lambda found: found.priority)
        return queue

    def _tenant(self, queue: Tenants[W], tenant: str) -> Tenant[W]:
        found = queue.tenants.get(tenant)
        if found is None:
            if len(queue.tenants) >= queue.forget_at:
                self._forget(queue)
            found = queue.tenants[tenant] = Tenant(self._weights.get(tenant, 1.0), self.cost)
        return found

    def push(self, work: W, priority: int, tenant: str, deadline_us: int) -> None:
        """Add ready work."""
        queue = self._class(priority)
        found = self._tenant(queue, tenant)
        self._ticket += 1
        heappush(found.work, (deadline_us, self._ticket, work))
        if found.place is None:
            found.time = queue.start(found, self.credit)
            queue.enter(found, self._ticket)
            queue.weight += found.weight
        queue.count += 1
        queue.cost += found.cost
        self.size += 1

    def peek(self) -> W | None:
        """The work that starts next, left in its place."""
        if not self.size:
            return None
        queue = self._next()
        return queue.order[queue.gone][2].work[0][2]

    def pop(self) -> W | None:
        """Take the work that starts next, and charge for it; None when there is none."""
        if not self.size:
            return None
        queue = self._next()
        self._passed = 0 if self.aged else self._passed + 1
        found = queue.order[queue.gone][2]
        queue.leave(found)
        work = heappop(found.work)[2]
        queue.time = max(queue.time, found.time)
        self.taken = cost = found.cost
        found.time += cost / found.weight
        found.running += 1
        found.lent += cost
        found.claims = False
        if found.work:
            self._ticket += 1
            queue.enter(found, self._ticket)
        else:
            queue.weight -= found.weight
            if queue.count == 1:  # nobody waits: whoever comes next starts level with everyone
                queue.time = max(queue.time, found.time)
                queue.weight, queue.cost = 0.0, cost  # and no rounding error stays
        queue.count -= 1
        queue.cost -= cost
        self.size -= 1
        self.running += 1
        return work

    def settle(self, priority: int, tenant: str, cost: float) -> float | None:
        """Work that was taken has cost this: learn from it, and correct what was charged for it.

        Also for work that never waited here. Returns what `learn` does.
        """
        self._settle(priority, tenant, cost)
        return self.learn(priority, tenant, cost)

    def learn(self, priority: int, tenant: str, cost: float) -> float | None:
        """Work of this tenant has cost this.

        Returns what it was reckoned to cost; None while too little is known of the tenant's work.
        """
        queue = self._classes.get(priority)
        found = queue.tenants.get(tenant) if queue is not None else None
        if queue is None or found is None:
            queue = self._class(priority)
            found = self._tenant(queue, tenant)
        was, known = found.cost, found.known
        if known < LEARNED_FROM:
            found.known = known = known + 1
        found.cost = was + (cost - was) / known
        if found.work:
            queue.cost += (found.cost - was) * len(found.work)
        return was if known > KNOWN_FROM else None

    def give_back(self, priority: int, tenant: str) -> None:
        """Work that was taken did not run: what was charged for it is returned."""
        self._settle(priority, tenant, 0.0)

    def _settle(self, priority: int, tenant: str, cost: float) -> None:
        if self.running:
            self.running -= 1
        queue = self._class(priority)
        found = self._tenant(queue, tenant)
        charged = 0.0
        if found.running:
            charged = found.lent / found.running
            found.running -= 1
            found.lent -= charged
        time = found.time + (cost - charged) / found.weight
        if found.place is None:
            found.time = time
        elif time != found.time:
            queue.leave(found)
            found.time = time
            self._ticket += 1
            queue.enter(found, self._ticket)

    def turned_away(self, priority: int, tenant: str) -> None:
        """Work of this tenant was shed: it keeps the place that it had, so that it is admitted before others are."""
        queue = self._class(priority)
        found = self._tenant(queue, tenant)
        if found.place is None and not found.claims:
            found.time = max(found.time, queue.time)
            found.claims = True

    def keep(self, wanted: Callable[[W], bool]) -> None:
        """Drop all work that is not wanted any more."""
        self.size = 0
        for queue in self._sorted:
            queue.count, queue.cost, queue.weight, queue.gone, queue.order = 0, 0.0, 0.0, 0, []
            for tenant in queue.tenants.values():
                tenant.work = [ready for ready in tenant.work if wanted(ready[2])]
                heapify(tenant.work)
                place, tenant.place = tenant.place, None
                if tenant.work and place is not None:
                    tenant.place = place
                    queue.order.append(place)
                    queue.weight += tenant.weight
                    queue.count += len(tenant.work)
                    queue.cost += len(tenant.work) * tenant.cost
            queue.order.sort()
            self.size += queue.count

    def _next(self) -> Tenants[W]:
        """The class that goes next: the highest, but for one turn in `AGEING`, which goes to the one below it.

        So low work is lifted within a bound; the top class is never made to wait for it.
        """
        waiting = [queue for queue in self._sorted if queue.count]
        top = waiting[0]
        self.aged = self._passed >= AGEING and top.priority != TOP and len(waiting) > 1
        return waiting[1] if self.aged else top

    def _forget(self, queue: Tenants[W]) -> None:
        """Drop tenants that are idle and behind the queue's time: returning, they would start at it anyway."""
        since = queue.time - self.credit
        queue.tenants = {
            name: t
            for name, t in queue.tenants.items()
            if t.place is not None or t.time > queue.time or (t.claims and t.time > since)
        }
        queue.forget_at = max(TENANTS_KEPT, 2 * len(queue.tenants))

    # -- what admission asks --------------------------------------------------------------------------------------

    def expect(self, priority: int, tenant: str) -> None:
        """It is admitted and will be pushed; it counts against what comes after it, until `begin_turn`."""
        queue = self._class(priority)
        queue.coming[tenant] = queue.coming.get(tenant, 0) + 1
        queue.coming_count += 1
        queue.coming_cost += self.reckoned(priority, tenant)
        self.coming += 1

    def begin_turn(self) -> None:
        """What was expected has been pushed, or never will be."""
        if self.coming:
            self.coming = 0
            for queue in self._sorted:
                queue.coming.clear()
                queue.coming_count, queue.coming_cost = 0, 0.0

    def park(self, priority: int, tenant: str, change: int) -> None:
        """So much more work of a class and tenant waits elsewhere; it is before whatever comes now."""
        queue = self._class(priority)
        left = queue.away.get(tenant, 0) + change
        if left:
            queue.away[tenant] = left
        else:
            queue.away.pop(tenant, None)
        queue.away_count += change
        self.away += change

    def waiting(self, priority: int) -> int:
        """How much work is in the same or a higher class, what is expected and what waits elsewhere included."""
        return sum([q.count + q.coming_count + q.away_count for q in self._sorted if q.priority <= priority])

    def reckoned(self, priority: int, tenant: str) -> float:
        """What one piece of work of this tenant is reckoned to cost."""
        queue = self._classes.get(priority)
        found = queue.tenants.get(tenant) if queue is not None else None
        return self.cost if found is None else found.cost

    def ahead(self, priority: int, tenant: str) -> float:
        """The cost of what starts before work of this tenant that comes now.

        All of higher classes, and in its own what fair queueing puts before it: the lesser of all work there, and what
        is served until the tenant's own backlog is, at its share of the weight of those who wait.
        """
        higher = 0.0
        queue = None
        for found in self._sorted:
            if found.priority < priority:
                higher += found.cost + found.coming_cost + found.away_count * self.cost
            elif found.priority == priority:
                queue = found
        if queue is None or not queue.count + queue.coming_count + queue.away_count:
            return higher
        mine = queue.tenants.get(tenant)
        own = queue.coming.get(tenant, 0) + queue.away.get(tenant, 0)
        weight, cost = queue.weight, self.cost
        if mine is None:
            start, each = queue.time, self._weights.get(tenant, 1.0)
            weight += each
        else:
            each, cost = mine.weight, mine.cost
            if mine.place is None:
                start = queue.start(mine, self.credit)
                weight += each
            else:
                start = mine.time
                own += len(mine.work)
        start += own * cost / each
        heads = bisect_right(queue.order, start, lo=queue.gone, key=_time) - queue.gone + len(queue.coming)
        whole = queue.cost + queue.coming_cost + queue.away_count * self.cost
        before = heads * whole / (queue.count + queue.coming_count + queue.away_count)
        return higher + min(whole, max(before, (start - queue.time) * weight))

    def share(self, priority: int, tenant: str) -> tuple[float, float]:
        """A tenant's backlog in its class, by cost, and its share of the weight of those who wait, itself included."""
        queue = self._classes.get(priority)
        if queue is None:
            return 0.0, 1.0
        mine = queue.tenants.get(tenant)
        backlog = queue.coming.get(tenant, 0) + queue.away.get(tenant, 0) + (len(mine.work) if mine is not None else 0)
        each = self._weights.get(tenant, 1.0)
        waits = mine is not None and mine.place is not None
        cost = mine.cost if mine is not None else self.cost
        return backlog * cost, each / (queue.weight if waits else queue.weight + each)


def _time(place: tuple[float, int, object]) -> float:
    return place[0]
