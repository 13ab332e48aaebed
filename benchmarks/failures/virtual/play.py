"""Plays a workload against an arm; and says by a digest what came of every job, for those who compare runs."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import TypeVar

from benchmarks.failures.virtual.arms import Arm, Factory
from benchmarks.failures.virtual.workload import SLOTS
from benchmarks.failures.virtual.world import Job, Server, World

A = TypeVar("A", bound=Arm)


def play(factory: Factory, jobs: Iterable[Job], seed: int, slots: int = SLOTS) -> list[Job]:
    """Let all jobs arrive at a fresh arm and everything end; the jobs with what came of them."""
    world = World()
    arm = factory(world, Server(world, slots), seed)
    seen: list[Job] = []
    take, arrive = seen.append, arm.arrive

    def came(job: Job) -> None:
        take(job)
        arrive(job)

    world.run(jobs, came)
    return seen


def digest(jobs: Iterable[Job]) -> str:
    """The same for two runs only if every job was treated alike, to the microsecond."""
    told = hashlib.sha256()
    for job in jobs:
        told.update(f"{job.number} {job.started_us} {job.ended_us} {job.shed_us} {job.end} {job.used_us}\n".encode())
    return told.hexdigest()
