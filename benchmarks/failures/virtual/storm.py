"""F5's world: callers at a steady rate, a server that is hit by a trigger for a while, and what is noted of it.

A trigger takes the server's capacity away (0), a fifth of it is left (0.2), or three times as much is offered (3). Each
call draws its own service time; it fails at its end with a small chance, for no reason (benign failures). Every call
that reaches the server is noted.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import NamedTuple

from benchmarks.failures.virtual.workload import D_US, S_US, SLOTS, Stretch, service_us, stretches, workload
from benchmarks.failures.virtual.world import NEVER, Call, Job, Server, World

#: How long a decision may take, and one try of it.
PATIENCE_US = 30 * S_US
TIMEOUT_US = D_US


class Trigger(NamedTuple):
    """What hits the server, and for how long."""

    kind: str
    long_s: float

    @property
    def speed(self) -> float:
        """Of the server meanwhile."""
        return {"outage": 0.0, "slow": 0.2, "load": 1.0}[self.kind]

    @property
    def load(self) -> float:
        """Offered meanwhile, as a multiple of before."""
        return 3.0 if self.kind == "load" else 1.0


class Storm:
    """World, server and notes of one run."""

    def __init__(self, seed: int, failing: float, timeout_us: int) -> None:
        self.timeout_us = timeout_us
        self.world = World()
        self.server = Server(self.world, SLOTS)
        self._service = random.Random(f"storm service {seed}")
        self._fails = random.Random(f"storm failures {seed}")
        self._failing = failing
        #: When each call came to the server, and what it was for.
        self.sent_us: list[int] = []
        self.calls: dict[int, int] = {}

    def send(self, root: Job, done: Callable[[Call], None], cut_us: int = NEVER) -> Call:
        """Call the server on behalf of a root decision."""
        call = Call(root, service_us(self._service), done, cut_us)
        call.failed = self._fails.random() < self._failing
        now_us = self.world.now_us
        self.sent_us.append(now_us)
        self.calls[root.number] = self.calls.get(root.number, 0) + 1
        self.server.send(call)
        return call


class Played(NamedTuple):
    """What came of a storm."""

    storm: Storm
    jobs: list[Job]
    before: Stretch
    trigger: Stretch
    after: Stretch


def storm(
    make: Callable[[Storm, int, int], object],
    *,
    rho: float,
    trigger: Trigger | None,
    layers: int,
    seed: int,
    before_s: float = 2.0,
    after_s: float = 4.0,
    failing: float = 0.0,
    timeout_us: int = TIMEOUT_US,
) -> Played:
    """Play one storm against an arm; it ends soon after the last caller has come."""
    world = Storm(seed, failing, timeout_us)
    hit = trigger or Trigger("load", 0.0)
    offered = stretches((rho, rho * hit.load, rho), (before_s, hit.long_s, after_s))
    arm = make(world, layers, seed)
    if trigger is not None:
        world.world.at(offered[1].from_us, world.server.work_at, hit.speed)
        world.world.at(offered[1].until_us, world.server.work_at, 1.0)
    jobs: list[Job] = []

    def came(job: Job) -> None:
        jobs.append(job)
        arm.arrive(job)

    made = workload(seed, [Stretch(*s) for s in _apart(offered)], deadline_us=PATIENCE_US)
    world.world.run(made.jobs(), came, offered[2].until_us + 2 * PATIENCE_US)
    return Played(world, jobs, *offered)


def _apart(offered: list[Stretch]) -> list[Stretch]:
    """The same load before and after must not bring the same arrivals: the last stretch is drawn as if it were new."""
    *first, last = offered
    return [*first, last._replace(load=last.load * (1 + 1e-9))]
