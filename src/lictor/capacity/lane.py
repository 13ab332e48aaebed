"""One effector's capacity: its slots, ready queues, extra-work pool, breaker and what is known of its speed. Pure.

Policy alone: it performs nothing and reads no clock, so that an engine drives it in real time and a simulation in
virtual time. How to drive it, with work `w` that has the fields of `Ready`:

1. On arrival: `late(w, [lane], now_us)` of `capacity.feasibility` says why it should be shed, or None. What is admitted
   and cannot be pushed at once is announced by `expect(w)`, until `begin_turn()` forgets that.
2. `push(w)` queues it in the class `w.urgency`. When `lane.open(w.depth)` and `not lane.before(w)` it may start instead
   at once: `take(w.depth)`.
3. After each push and note: `while (w := lane.pop(now_us)) is not None:` start it, and `take(w.depth)`; or tell
   `unused(w)`. None means no slot or no work. What cannot be in time any more is not given out but kept for
   `take_displaced()`: it has expired.
4. A call returned: `note(w, seconds, now, late=...)`, whatever came of it. `seconds` is how long it ran, `now` is read
   from any steady clock in seconds, `late` says that it ended after its deadline, or was cut there, and `waited` what
   share of the time from its arrival to its deadline it spent waiting. A slot that was taken for nothing is given back
   by `give_back(w)`.
5. Work that ends while it is queued gets `concluded = True`, and the lane is told by `left()`.

`pool` and `breaker` answer whether an extra attempt may be made: see those. A call that waits for a child of its own
decision holds its slot meanwhile. So that parents do not wait for the slots that they hold themselves, one slot is kept
for each depth of nesting that is declared or has been seen, and children go first.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Generic, Protocol, TypeVar

from .breaker import Breaker
from .drain import DrainRate
from .extra_work import ExtraWorkPool
from .fairness import FairQueue
from .service import ServiceTime

#: Seconds that a call is charged while no call is known; as good as none, so that nothing is shed for it.
COST_UNKNOWN = 1e-6
#: Calls that teach nothing, for each that does, while nobody waits.
UNHEARD = 7
#: Mean calls by which a tenant whose work was turned away may start before others.
CREDIT = 4.0
#: The share of its time left that work may always spend waiting: a call that does not end in the rest is a long one,
#: and would hardly have ended if it had not waited at all, while a queue that is too short leaves slots idle.
WAITING_MIN = 0.2
#: Work that has ended is looked for in the queues when there is this much of it.
LEFT_MIN = 1_024
#: More slots than there ever are: taken all at once, while the world is busy.
HELD = 1 << 30


class Asked(Protocol):
    """What admission knows of work: a decision is that."""

    @property
    def priority(self) -> int:
        """Its class; the lowest number is first."""
        ...

    @property
    def tenant(self) -> str:
        """Whose share it draws from."""
        ...

    @property
    def deadline_us(self) -> int:
        """When it has to have ended, in microseconds of the clock that `now_us` is read from."""
        ...

    @property
    def depth(self) -> int:
        """How deep it is nested: 0 for what no decision waits for."""
        ...


class Ready(Protocol):
    """Work that waits for a slot."""

    #: The class that it is queued in: its own, or a higher one that it has inherited.
    urgency: int
    tenant: str
    deadline_us: int
    depth: int
    #: It has ended, and is passed over.
    concluded: bool


W = TypeVar("W", bound=Ready)


def _goes_on(work: Ready) -> bool:
    return not work.concluded


class Lane(Generic[W]):
    """Where work for one effector waits for a slot."""

    __slots__ = (
        "_displaced",
        "_left",
        "_nested",
        "_unheard",
        "_weights",
        "breaker",
        "drain",
        "free",
        "held_until_us",
        "pool",
        "ready",
        "service",
        "slots",
    )

    def __init__(
        self, slots: int, weights: Mapping[str, float] | None = None, *, extra_work: float = 0.05, nests: int = 0
    ) -> None:
        self.slots = slots
        self.free = slots
        #: The world is busy until then; 0 while it is not.
        self.held_until_us = 0
        self._weights = weights or {}
        self.ready: FairQueue[W] = FairQueue(self._weights)
        self.ready.cost = COST_UNKNOWN
        #: Ready children by their depth, the deepest last.
        self._nested: dict[int, FairQueue[W]] = {}
        self.service = ServiceTime()
        #: How much has ended while it stood here, since that was last looked for.
        self._left = 0
        self._know(nests)
        self._displaced: list[W] = []
        self._unheard = 0
        self.pool = ExtraWorkPool(extra_work)
        self.breaker = Breaker()
        self.drain = DrainRate()

    # -- queue and slots ------------------------------------------------------------------------------------------

    def push(self, work: W) -> None:
        """Queue ready work."""
        queue, depth = self.ready, work.depth
        if depth:
            self._know(depth)
            queue = self._nested[depth]
        queue.push(work, work.urgency, work.tenant, work.deadline_us)

    def _know(self, deepest: int) -> None:
        """Work of this depth exists: from now on a slot is kept for it."""
        for depth in range(len(self._nested) + 1, deepest + 1):
            self._nested[depth] = FairQueue(self._weights)
            self._nested[depth].cost = self.service.mean_s or COST_UNKNOWN

    def pop(self, now_us: int) -> W | None:
        """Take the work that may start next, the deepest first; None when there is none.

        What a typical call could not finish in time any more is passed over while others wait, and found in
        `take_displaced`.
        """
        typical_us = self.service.typical * 1e6
        while (queue := self._open_queue()) is not None:
            work = queue.pop()
            if work is None:
                return None
            needs_us = queue.taken * typical_us if queue.size else 0.0
            if not work.concluded and work.deadline_us > now_us + needs_us:
                return work
            queue.give_back(work.urgency, work.tenant)
            if not work.concluded:
                self._displaced.append(work)
        return None

    def _open_queue(self) -> FairQueue[W] | None:
        """The queue that goes next and has a slot: the deepest first."""
        if self._nested:
            for depth in range(len(self._nested), 0, -1):
                if self._nested[depth].size and self.open(depth):
                    return self._nested[depth]
        return self.ready if self.ready.size and self.open(0) else None

    def take_displaced(self) -> list[W]:
        """What came up when it could not be in time any more, since the last call; the caller ends it as expired."""
        if not self._displaced:
            return self._displaced  # the same empty list, so that asking costs nothing
        displaced, self._displaced = self._displaced, []
        return displaced

    def left(self) -> None:
        """Work has ended while it stood here; it is dropped when such work may be half of all (I17)."""
        self._left += 1
        if self._left >= max(LEFT_MIN, self.ready.size // 2):
            self._left = 0
            for queue in (self.ready, *self._nested.values()):
                queue.keep(_goes_on)

    def open(self, depth: int) -> bool:
        """Whether a call at this depth may take a slot now; those that deeper calls may need are left free."""
        return self.free > (self._kept(depth) if self._nested else 0)

    def _kept(self, depth: int) -> int:
        """Slots that a call at this depth leaves to deeper ones."""
        return min(len(self._nested) - depth, self.slots - 1) if self._nested else 0

    def take(self, depth: int) -> None:
        """A slot is taken by a call at this depth."""
        self.free -= 1
        if depth:
            self._know(depth)

    def unused(self, work: W) -> None:
        """Work that was popped does not start: what its tenant was charged is returned."""
        self._queue(work.depth).give_back(work.urgency, work.tenant)

    def give_back(self, work: W | None = None) -> None:
        """A slot that was taken is free again, and nothing ran in it; `work` was popped for it."""
        self.free += 1
        if work is not None:
            self.unused(work)

    def resize(self, slots: int) -> None:
        """So many slots from now on; calls that run beyond them go on, and none starts until they have ended."""
        self.free += slots - self.slots
        self.slots = slots

    def hold(self, until_us: int) -> None:
        """Start nothing until then, because the world is busy. No slot is free meanwhile: that costs no look."""
        if not self.held_until_us:
            self.free -= HELD
        self.held_until_us = until_us

    def release(self) -> None:
        """The hold is over."""
        if self.held_until_us:
            self.free += HELD
            self.held_until_us = 0

    def note(self, work: W, seconds: float, now: float, *, late: bool = False, waited: float = 1.0) -> None:
        """A call returned and its slot is free; its tenant is charged for the time that it really took."""
        self.free += 1
        ready = self.ready
        busy = ready.size > 0
        if not busy and not ready.running and not work.depth:
            self._note_idle(work, seconds)
            return
        service, queue = self.service, self._queue(work.depth)
        if busy or queue.running:
            like_s = queue.settle(work.urgency, work.tenant, seconds)
        else:  # nobody waits: what it used was nobody else's
            like_s = queue.learn(work.urgency, work.tenant, seconds)
        service.note(seconds, like_s)
        # Not "all slots taken": of calls that return between two turns only the first would count.
        self.drain.note(seconds, now, busy=busy, within_s=seconds)
        if busy:
            service.ended(late=late and waited > WAITING_MIN)
        queue.cost = service.mean_s
        queue.credit = CREDIT * service.mean_s

    def _note_idle(self, work: W, seconds: float) -> None:
        """Nobody waits, so there is nothing to charge, and of many calls some teach enough."""
        if self._unheard:
            self._unheard -= 1
            return
        ready, service = self.ready, self.service
        service.note(seconds, ready.learn(work.urgency, work.tenant, seconds))
        ready.cost = service.mean_s
        ready.credit = CREDIT * service.mean_s
        if service.known:
            self._unheard = UNHEARD

    def _queue(self, depth: int) -> FairQueue[W]:
        return self._nested.get(depth, self.ready) if depth else self.ready

    # -- what admission asks --------------------------------------------------------------------------------------

    def begin_turn(self) -> None:
        """What was expected is in the queues by now."""
        self.ready.begin_turn()

    def expect(self, asked: Asked) -> None:
        """It is admitted and will be pushed; it counts against what comes after it."""
        self.ready.expect(asked.priority, asked.tenant)

    def park(self, priority: int, tenant: str, change: int) -> None:
        """So much more work of a class and tenant waits elsewhere, and will be pushed in time."""
        self.ready.park(priority, tenant, change)

    def judged(self, asked: Asked, *, shed: bool) -> None:
        """It is let in, or shed; then its tenant keeps the place that it had."""
        self.service.judged(shed=shed)
        if shed:
            self.ready.turned_away(asked.priority, asked.tenant)

    def before(self, asked: Asked) -> bool:
        """Whether anything of the same or a higher class waits, so that this may not pass."""
        ready = self.ready
        if (ready.size or ready.coming or ready.away) and ready.waiting(asked.priority):
            return True
        return bool(self._nested) and any(queue.size for queue in self._nested.values())

    def wait_s(self, asked: Asked) -> float:
        """How long this would wait for a slot: the work ahead of it over the measured drain rate."""
        ready, mean_s = self.ready, self.service.mean_s
        ahead_s = 0.0
        if ready.size or ready.coming or ready.away:
            ahead_s = ready.ahead(asked.priority, asked.tenant)
        if self._nested:
            ahead_s += sum([queue.size for queue in self._nested.values()]) * mean_s
        usable = self.free - self._kept(asked.depth)
        ahead_s += (1 - usable) * mean_s if usable > 0 else mean_s
        return ahead_s / (self.drain.per_s() or self.slots) if ahead_s > 0.0 else 0.0

    def entitled_s(self, asked: Asked) -> float:
        """How long its tenant's backlog takes at its share alone; what passes the deadline is more than its due."""
        if not self.ready.size:
            return 0.0
        backlog_s, share = self.ready.share(asked.priority, asked.tenant)
        return backlog_s / (share * (self.drain.per_s() or self.slots))

    def takes_s(self, asked: Asked, wait_s: float, left_s: float) -> float:
        """How long the call is reckoned to take, after so much waiting of the time left."""
        if wait_s <= 0.0:  # a free slot that nobody waits for is lost by no attempt, and how long calls take is learned
            return 0.0
        like_s = self._queue(asked.depth).reckoned(asked.priority, asked.tenant)
        return like_s * self.service.reckoned(left_s * (1.0 - WAITING_MIN) / like_s) if like_s else 0.0
