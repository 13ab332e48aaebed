"""`lictor` for decisions that nest: each layer an effector with its own lane, whose call decides for the next layer.

The rules for extra attempts are the engine's (`execution.resolution`): the breaker, the cap of the root, the pool of
the effector, and for what nests the pool of the tree. Upper layers only wait, so their slots are no limit; the lowest
has the server's.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from benchmarks.failures.virtual.arms.outcome import finished
from benchmarks.failures.virtual.storm import Storm
from benchmarks.failures.virtual.world import Call, Job
from lictor.capacity.extra_work import EXTRA_PER_ROOT_MAX, ExtraWorkPool, backoff_s
from lictor.capacity.feasibility import late
from lictor.capacity.lane import Lane

_PLENTY = 1_000_000
#: As an effector's defaults would be at this time scale: base, and at the most, in service times of 20 ms.
RETRY_BASE_S, RETRY_MAX_S = 0.02, 0.2
EXTRA_WORK = 0.05

Ended = Callable[[bool], None]


class Step(Job):
    """One layer's decision on behalf of a root."""

    __slots__ = ("ended", "layer", "of_extra", "root")

    def __init__(self, root: Job, layer: int, ended: Ended, *, of_extra: bool) -> None:
        super().__init__(root.number, root.at_us, root.deadline_us, 0, root.priority, root.tenant, root.value)
        self.root = root
        self.layer = self.depth = layer
        self.ended = ended
        self.of_extra = of_extra


class LictorTree:
    """The lanes of all layers."""

    def __init__(self, storm: Storm, layers: int, seed: int) -> None:
        self.storm = storm
        self.world = storm.world
        self.lanes: list[Lane[Step]] = [
            Lane(storm.server.slots if layer == layers - 1 else _PLENTY, extra_work=EXTRA_WORK)
            for layer in range(layers)
        ]
        self.tree = ExtraWorkPool(EXTRA_WORK)
        self._draw = random.Random(f"tree {seed}")

    def arrive(self, job: Job) -> None:
        """A root decision comes."""
        self._submit(Step(job, 0, lambda done: self._over(job, done=done), of_extra=False))

    def _over(self, job: Job, *, done: bool) -> None:
        if done:
            finished(job, self.world.now_us)
        else:
            job.end = "wasted" if job.started_us is not None else "turned_away"

    def _submit(self, step: Step) -> None:
        lane, now_us = self.lanes[step.layer], self.world.now_us
        if self.infeasible(step, lane):
            step.root.shed_us = now_us
            step.ended(False)  # noqa: FBT003
            return
        self.world.at(step.deadline_us, self._expired, step)
        self._ready(step)

    def infeasible(self, step: Step, lane: Lane[Step]) -> bool:
        """Admission's prediction."""
        return late(step, (lane,), self.world.now_us) is not None

    def _ready(self, step: Step) -> None:
        if step.concluded:
            return
        lane = self.lanes[step.layer]
        if lane.open(step.depth) and not lane.before(step):
            self._start(lane, step)
        else:
            step.waits = True
            lane.push(step)
            self._fill(lane)

    def _start(self, lane: Lane[Step], step: Step) -> None:
        lane.take(step.depth)
        step.waits = False
        step.attempts += 1
        began_us = self.world.now_us
        if step.layer + 1 < len(self.lanes):
            of_extra = step.of_extra or step.attempts > 1

            def ended(done: bool) -> None:  # noqa: FBT001 - an answer
                self._returned(step, began_us, done=done, cut=False)

            self._submit(Step(step.root, step.layer + 1, ended, of_extra=of_extra))
            return
        cut_us = min(step.deadline_us, began_us + self.storm.timeout_us)
        self.storm.send(step.root, lambda call: self._answered(call, step), cut_us)

    def _answered(self, call: Call, step: Step) -> None:
        self._returned(step, call.began_us, done=not (call.cut or call.failed), cut=call.cut)

    def _returned(self, step: Step, began_us: int, *, done: bool, cut: bool) -> None:
        lane, now_us = self.lanes[step.layer], self.world.now_us
        lane.note(step, (now_us - began_us) / 1e6, now_us / 1e6, late=cut and now_us >= step.deadline_us)
        if step.attempts == 1:
            lane.breaker.note(failed=not done)
            lane.pool.deposit()
            if step.layer == len(self.lanes) - 1 and not step.of_extra:
                self.tree.deposit()
        if step.concluded:
            pass
        elif done:
            self._conclude(step, done=True)
        else:
            self._again(step, lane)
        self._fill(lane)

    def _again(self, step: Step, lane: Lane[Step]) -> None:
        """May be tried again: after a jittered wait, if deadline, breaker and budgets allow."""
        wait_s = backoff_s(step.attempts, RETRY_BASE_S, RETRY_MAX_S, self._draw.random())
        at_us = self.world.now_us + round(wait_s * 1e6)
        if at_us < step.deadline_us and self.may_retry(step, lane):
            step.root.extra += 1
            self.world.at(at_us, self._ready, step)
        else:
            self._conclude(step, done=False)

    def may_retry(self, step: Step, lane: Lane[Step]) -> bool:
        """Whether an extra attempt is paid for."""
        if lane.breaker.open or step.root.extra >= EXTRA_PER_ROOT_MAX:
            return False
        if len(self.lanes) == 1:
            return lane.pool.withdraw()
        if self.tree.tokens < 1.0:
            return False
        return lane.pool.withdraw() and self.tree.withdraw()

    def _conclude(self, step: Step, *, done: bool) -> None:
        step.concluded = True
        step.ended(done)

    def _fill(self, lane: Lane[Step]) -> None:
        now_us = self.world.now_us
        while (step := lane.pop(now_us)) is not None:
            self._start(lane, step)
        for step in lane.take_displaced():
            if not step.concluded:
                self._conclude(step, done=False)

    def _expired(self, step: Step) -> None:
        """Its deadline has passed: queued or backing off it ends, running it is cut."""
        if not step.concluded:
            if step.waits:
                self.lanes[step.layer].left()
            self._conclude(step, done=False)
