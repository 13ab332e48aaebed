"""The world in virtual time: a heap of events, jobs that arrive by a schedule, and a server of so many slots.

All times are integers, microseconds of virtual time, so that two runs of one seed agree to the bit. The server knows
how long each call takes; the arms in front of it do not.
"""

from __future__ import annotations

import gc
from collections import deque
from collections.abc import Callable, Iterable
from heapq import heappop, heappush
from itertools import count
from typing import Any

#: Later than anything.
NEVER = 1 << 62


class Job:
    """One decision, as an arm sees it and as it is judged; has the fields that `capacity.lane` asks for."""

    __slots__ = (
        "at_us",
        "attempts",
        "concluded",
        "deadline_us",
        "depth",
        "end",
        "ended_us",
        "extra",
        "number",
        "owner",
        "priority",
        "service_us",
        "shed_us",
        "started_us",
        "tenant",
        "urgency",
        "used_us",
        "value",
        "waits",
    )

    def __init__(
        self, number: int, at_us: int, deadline_us: int, service_us: int, priority: int, tenant: str, value: float
    ) -> None:
        self.number = number
        self.at_us = at_us
        self.deadline_us = deadline_us
        #: What a first call takes; the arms must not look.
        self.service_us = service_us
        self.priority = self.urgency = priority
        #: The tenant that the arm is told of, and the one that it is judged by.
        self.tenant = self.owner = tenant
        self.value = value
        self.depth = 0
        self.concluded = False
        self.attempts = 0
        self.extra = 0
        self.started_us: int | None = None
        self.ended_us: int | None = None
        self.shed_us: int | None = None
        #: Slot time that its calls took.
        self.used_us = 0
        #: kept | late | stale | wasted | turned_away; None while it is open.
        self.end: str | None = None
        self.waits = False


class Call:
    """One call to the server."""

    __slots__ = (
        "began_us",
        "cut",
        "cut_us",
        "done",
        "ends_us",
        "failed",
        "job",
        "left_us",
        "sent_us",
        "since_us",
        "told",
    )

    def __init__(self, job: Job, service_us: int, done: Callable[[Call], None], cut_us: int = NEVER) -> None:
        self.job = job
        self.left_us = service_us
        self.done = done
        #: It is cancelled then, which frees its slot.
        self.cut_us = cut_us
        self.cut = False
        #: It answers with a failure.
        self.failed = False
        self.began_us = self.since_us = self.ends_us = self.sent_us = -1
        #: Whoever made it has stopped waiting for it.
        self.told = False


class World:
    """Virtual time and what happens in it."""

    def __init__(self) -> None:
        self.now_us = 0
        self._heap: list[tuple[int, int, Callable[[Any], None], Any]] = []
        self._ticket = count()

    def at(self, at_us: int, what: Callable[[Any], None], about: Any = None) -> None:
        """Do something then."""
        heappush(self._heap, (at_us, next(self._ticket), what, about))

    def run(self, jobs: Iterable[Job], arrive: Callable[[Job], None], until_us: int = NEVER) -> None:
        """Let jobs arrive in the order of their times, and time pass until then or until nothing happens any more."""
        collects = gc.isenabled()
        gc.disable()  # millions of jobs live on: looking through them again and again would take most of the time
        try:
            self._run(jobs, arrive, until_us)
        finally:
            if collects:
                gc.enable()

    def _run(self, jobs: Iterable[Job], arrive: Callable[[Job], None], until_us: int) -> None:
        heap = self._heap
        for job in jobs:
            at_us = job.at_us
            while heap and heap[0][0] <= at_us:
                self.now_us, _, what, about = heappop(heap)
                what(about)
            self.now_us = at_us
            arrive(job)
        while heap and heap[0][0] <= until_us:
            self.now_us, _, what, about = heappop(heap)
            what(about)


class Server:
    """What does the work: so many calls at a time, the others in the order in which they came."""

    def __init__(self, world: World, slots: int) -> None:
        self.world = world
        self.slots = self.free = slots
        self.backlog: deque[Call] = deque()
        self.running: set[Call] = set()
        #: How fast it works; 0 is an outage.
        self.speed = 1.0
        self.calls = 0
        self.busy_us = 0

    def send(self, call: Call) -> None:
        """Begin a call, or put it in line."""
        self.calls += 1
        if self.free:
            self._begin(call)
        else:
            self.backlog.append(call)

    def _begin(self, call: Call) -> None:
        self.free -= 1
        now_us = self.world.now_us
        call.began_us = call.since_us = now_us
        if call.job.started_us is None:
            call.job.started_us = now_us
        self.running.add(call)
        self._plan(call)

    def _plan(self, call: Call) -> None:
        """Plan the end of a running call at the speed that there is."""
        ends_us = self.world.now_us + round(call.left_us / self.speed) if self.speed else NEVER
        call.cut = ends_us > call.cut_us
        call.ends_us = call.cut_us if call.cut else ends_us
        if call.ends_us < NEVER:
            self.world.at(call.ends_us, self._end, call)

    def _end(self, call: Call) -> None:
        now_us = self.world.now_us
        if call.ends_us != now_us or call not in self.running:
            return  # planned anew since
        self.running.discard(call)
        self.free += 1
        took_us = now_us - call.began_us
        call.job.used_us += took_us
        self.busy_us += took_us
        if self.backlog:
            self._begin(self.backlog.popleft())
        call.done(call)

    def work_at(self, speed: float) -> None:
        """Change the speed; what runs is slowed or hastened with it."""
        now_us = self.world.now_us
        for call in sorted(self.running, key=lambda c: (c.began_us, c.job.number)):
            call.left_us -= round((now_us - call.since_us) * self.speed)
            call.since_us = now_us
        self.speed = speed
        for call in sorted(self.running, key=lambda c: (c.began_us, c.job.number)):
            self._plan(call)
