"""Decisions that nest on one effector: a call works for a third, decides for a child, and holds its slot until it ends.

`NestedLictor` drives the engine's lane: children inherit class and deadline, and a slot is kept for each depth.
`NestedFifo` is a limit with one queue, where parents soon hold all slots that their children wait for.
"""

from __future__ import annotations

from collections import deque

from benchmarks.failures.virtual.arms.outcome import finished, shed
from benchmarks.failures.virtual.world import Job, Server, World
from lictor.capacity.feasibility import late
from lictor.capacity.lane import Lane

DEPTH = 3


class Nest(Job):
    """One decision of a nest; depth 0 is the root."""

    __slots__ = ("root", "upper")

    def __init__(self, root: Job, upper: Nest | None) -> None:
        super().__init__(
            root.number, root.at_us, root.deadline_us, root.service_us, root.priority, root.tenant, root.value
        )
        self.root = root
        self.upper = upper
        self.depth = 0 if upper is None else upper.depth + 1


class _Nested:
    """What both have in common: the course of a nest, and the count of deadlocks."""

    def __init__(self, world: World, server: Server, seed: int) -> None:
        self.world = world
        self.slots = server.slots
        self.holding = self.working = 0
        #: Moments at which all slots were held by those who wait for a slot.
        self.deadlocks = 0

    def arrive(self, job: Job) -> None:
        """A root decision comes."""
        self.submit(Nest(job, None))

    def submit(self, nest: Nest) -> None:
        """Admit and queue one decision of a nest."""
        raise NotImplementedError

    def free(self, nest: Nest) -> None:
        """Its slot is free."""
        raise NotImplementedError

    def begin(self, nest: Nest) -> None:
        """It has a slot: work for its part."""
        self.holding += 1
        self.working += 1
        now_us = self.world.now_us
        nest.started_us = now_us
        if nest.root.started_us is None:
            nest.root.started_us = now_us
        self.world.at(now_us + max(1, nest.service_us // DEPTH), self._worked, nest)

    def _worked(self, nest: Nest) -> None:
        self.working -= 1
        if nest.depth + 1 < DEPTH and self.world.now_us < nest.deadline_us:
            self.world.at(nest.deadline_us, self._cut, nest)
            self.submit(Nest(nest.root, nest))
            if not self.working and self.holding == self.slots:
                self.deadlocks += 1
        else:
            self.end(nest, done=self.world.now_us <= nest.deadline_us)

    def _cut(self, nest: Nest) -> None:
        if nest.ended_us is None:
            self.end(nest, done=False)

    def end(self, nest: Nest, *, done: bool) -> None:
        """It has ended, and so does what waits for it."""
        if nest.ended_us is not None:
            return
        nest.ended_us = self.world.now_us
        if nest.started_us is not None:
            self.holding -= 1
            nest.used_us = nest.ended_us - nest.started_us
            self.free(nest)
        if nest.upper is not None:
            self.end(nest.upper, done=done)
        elif done:
            finished(nest.root, nest.ended_us)
        else:
            nest.root.end = "late" if nest.root.started_us is not None else "turned_away"


class NestedLictor(_Nested):
    """By the engine's lane."""

    def __init__(self, world: World, server: Server, seed: int) -> None:
        super().__init__(world, server, seed)
        self.lane: Lane[Nest] = Lane(server.slots, nests=DEPTH - 1)

    def submit(self, nest: Nest) -> None:
        if late(nest, (self.lane,), self.world.now_us) is not None:
            if nest.upper is None:
                shed(nest.root, self.world.now_us)
            else:
                self.end(nest, done=False)
        elif self.lane.open(nest.depth) and not self.lane.before(nest):
            self._start(nest)
        else:
            self.lane.push(nest)
            self.world.at(nest.deadline_us, self._expired, nest)
            self._fill()

    def _start(self, nest: Nest) -> None:
        self.lane.take(nest.depth)
        nest.concluded = True
        self.begin(nest)

    def free(self, nest: Nest) -> None:
        self.lane.note(nest, nest.used_us / 1e6, self.world.now_us / 1e6, late=self.world.now_us >= nest.deadline_us)
        self._fill()

    def _fill(self) -> None:
        while (nest := self.lane.pop(self.world.now_us)) is not None:
            self._start(nest)
        for nest in self.lane.take_displaced():
            nest.concluded = True
            self.end(nest, done=False)

    def _expired(self, nest: Nest) -> None:
        if not nest.concluded:
            nest.concluded = True
            self.lane.left()
            self.end(nest, done=False)


class NestedFifo(_Nested):
    """By a limit and a queue."""

    def __init__(self, world: World, server: Server, seed: int) -> None:
        super().__init__(world, server, seed)
        self.waiting: deque[Nest] = deque()

    def submit(self, nest: Nest) -> None:
        if self.holding < self.slots:
            self.begin(nest)
        else:
            self.waiting.append(nest)

    def free(self, nest: Nest) -> None:
        while self.waiting and self.holding < self.slots:
            found = self.waiting.popleft()
            if found.ended_us is None:
                self.begin(found)
