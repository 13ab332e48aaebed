"""One effector's capacity: its slots, ready queues, extra-work pool, breaker and what is known of its speed. Pure.

Policy alone: it performs nothing and reads no clock, so that an engine drives it in real time and a simulation in
virtual time. How to drive it, with work `w` that has the fields of `Ready`:

1. On arrival: `late(w, [lane], now_us)` of `capacity.feasibility` says why it should be shed, or None. What is admitted
   and cannot be pushed at once is announced by `expect(w)`, until `begin_turn()` forgets that.
2. `push(w)` queues it in the class `w.urgency`. When `lane.open(w.depth)` and `not lane.before(w)` it may start instead
   at once: `take(w.depth)`.
3. After each push and note: `while (w := lane.pop(now_us)) is not None:` start it, and `take(w.depth)`. None means no
   slot or no work. What cannot be in time any more is not given out but kept for `take_displaced()`: it has expired.
4. A call returned: `note(w, seconds, now, late=...)`, whatever came of it. `seconds` is how long it ran, `now` is read
   from any steady clock in seconds, `late` says that it ended after its deadline, or was cut there. A slot that was
   taken for nothing is given back by `give_back()`.
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

#: Mean calls; a single one is charged no more, so that one that hung does not lock its tenant out.
COST_MAX = 100.0
#: Work that has ended is looked for in the queues when there is this much of it.
LEFT_MIN = 1_024


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
        "_weights",
        "breaker",
        "coming",
        "drain",
        "free",
        "pool",
        "ready",
        "seconds",
        "slots",
    )

    def __init__(
        self, slots: int, weights: Mapping[str, float] | None = None, *, extra_work: float = 0.05, nests: int = 0
    ) -> None:
        self.slots = slots
        self.free = slots
        self._weights = weights or {}
        self.ready: FairQueue[W] = FairQueue(self._weights)
        #: Ready children by their depth, the deepest last.
        self._nested: dict[int, FairQueue[W]] = {}
        #: How much has ended while it stood here, since that was last looked for.
        self._left = 0
        self._know(nests)
        #: What this turn has planned for it, by class; in `ready` after the commit.
        self.coming: dict[int, int] = {}
        self._displaced: list[W] = []
        self.pool = ExtraWorkPool(extra_work)
        self.breaker = Breaker()
        self.drain = DrainRate()
        #: Running mean of how long a call takes.
        self.seconds = 0.0

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

    def pop(self, now_us: int) -> W | None:
        """Take the work that may start next, the deepest first; None when there is none."""
        while (work := self._pop()) is not None:
            if work.concluded:
                continue
            if work.deadline_us > now_us:
                return work
            self._displaced.append(work)
        return None

    def _pop(self) -> W | None:
        if self._nested:
            for depth in range(len(self._nested), 0, -1):
                if self._nested[depth].size and self.open(depth):
                    return self._nested[depth].pop()
        return self.ready.pop() if self.ready.size and self.open(0) else None

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
        return self.free > (min(len(self._nested) - depth, self.slots - 1) if self._nested else 0)

    def take(self, depth: int) -> None:
        """A slot is taken by a call at this depth."""
        self.free -= 1
        if depth:
            self._know(depth)

    def give_back(self) -> None:
        """A slot that was taken is free again, and nothing ran in it."""
        self.free += 1

    def note(self, work: W, seconds: float, now: float, *, late: bool = False) -> None:  # noqa: ARG002
        """A call returned and its slot is free; its tenant is charged for the time that it really took."""
        if self.ready.size and self.seconds:
            more = min(seconds / self.seconds, COST_MAX) - 1.0
            self.ready.charge(work.urgency, work.tenant, more)
        self.free += 1
        # Not "all slots taken": of calls that return between two turns only the first would count.
        self.drain.note(1, now, busy=self.ready.size > 0)
        self.seconds += (seconds - self.seconds) * 0.05 if self.seconds else seconds

    # -- what admission asks --------------------------------------------------------------------------------------

    def begin_turn(self) -> None:
        """What was expected is in the queues by now."""
        if self.coming:
            self.coming.clear()

    def expect(self, asked: Asked) -> None:
        """It is admitted and will be pushed; it counts against what comes after it."""
        self.coming[asked.priority] = self.coming.get(asked.priority, 0) + 1

    def before(self, asked: Asked) -> bool:
        """Whether anything of the same or a higher class waits, so that it may not pass."""
        return self.ahead(asked) > 0

    def ahead(self, asked: Asked) -> float:
        """How much work is before work that comes now."""
        priority = asked.priority
        ahead = self.ready.ahead(priority) if self.ready.size else 0
        if self._nested:
            ahead += sum(queue.size for queue in self._nested.values())
        return ahead + sum(n for other, n in self.coming.items() if other <= priority) if self.coming else ahead

    def wait_s(self, asked: Asked) -> float:
        """How long this would wait for a slot: what is ahead of it over the measured drain rate."""
        ahead = self.ahead(asked)
        if not ahead and self.free > 0:
            return 0.0
        rate = self.drain.per_s() or (self.slots / self.seconds if self.seconds else None)
        return ahead / rate if rate else 0.0
