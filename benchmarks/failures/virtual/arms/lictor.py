"""`lictor`: the engine's own policy code (`lictor.capacity`), driven in virtual time as its lane says.

`without.py` has the same arm with one policy object replaced by one that does nothing.
"""

from __future__ import annotations

from benchmarks.failures.virtual.arms.outcome import finished, shed
from benchmarks.failures.virtual.workload import S_US
from benchmarks.failures.virtual.world import Call, Job, Server, World
from lictor.capacity.feasibility import late
from lictor.capacity.lane import Lane


class Lictor:
    """One effector's lane in front of a server with as many slots."""

    def __init__(self, world: World, server: Server, seed: int) -> None:
        self.world = world
        self.server = server
        self.lane: Lane[Job] = Lane(server.slots)

    def arrive(self, job: Job) -> None:
        """Shed what would come too late; start or queue the rest."""
        if self.infeasible(job):
            shed(job, self.world.now_us)
        elif self.lane.open(job.depth) and not self.lane.before(job):
            self._start(job)
        else:
            job.waits = True
            self.lane.push(job)
            self.world.at(job.deadline_us, self._expired, job)
            self._fill()

    def infeasible(self, job: Job) -> bool:
        """Admission's prediction."""
        return late(job, (self.lane,), self.world.now_us) is not None

    def cut_us(self, job: Job) -> int:
        """When a call is cut."""
        return job.deadline_us

    def _start(self, job: Job) -> None:
        self.lane.take(job.depth)
        job.attempts += 1
        job.concluded = True
        self.server.send(Call(job, job.service_us, self._returned, self.cut_us(job)))

    def _returned(self, call: Call) -> None:
        job, now_us = call.job, self.world.now_us
        if call.cut:
            job.end = "late"
        else:
            finished(job, now_us)
        late_end = call.cut or now_us > job.deadline_us
        self.lane.note(job, (now_us - call.began_us) / 1e6, now_us / 1e6, late=late_end)
        self._fill()

    def _fill(self) -> None:
        lane, now_us = self.lane, self.world.now_us
        while (job := lane.pop(now_us)) is not None:
            self._start(job)
        for job in lane.take_displaced():
            job.end, job.concluded = "turned_away", True

    def _expired(self, job: Job) -> None:
        """Its deadline passed while it was queued: it is displaced."""
        if not job.concluded:
            job.end, job.concluded = "turned_away", True
            self.lane.left()


class Watched(Lictor):
    """Counts starts of work while eligible work of a higher effective class waited: what could still end in time."""

    def __init__(self, world: World, server: Server, seed: int) -> None:
        super().__init__(world, server, seed)
        self.inversions = 0
        self._waiting: dict[int, set[Job]] = {}

    def arrive(self, job: Job) -> None:
        super().arrive(job)
        if not job.concluded:
            self._waiting.setdefault(job.urgency, set()).add(job)

    def _start(self, job: Job) -> None:
        now_us = self.world.now_us
        effective = job.urgency - 1 if self.lane.ready.aged and job.waits else job.urgency
        for priority, jobs in self._waiting.items():
            jobs.difference_update([other for other in jobs if other.concluded or other is job])
            self.inversions += priority < effective and any(other.deadline_us > now_us + S_US for other in jobs)
        super()._start(job)
