"""Lictor's arms without one mechanism: the policy object in question replaced by one that does nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.failures.virtual.arms.lictor import Lictor, Watched
from benchmarks.failures.virtual.arms.lictor_tree import LictorTree, Step
from benchmarks.failures.virtual.arms.nested import NestedLictor
from benchmarks.failures.virtual.storm import Storm
from benchmarks.failures.virtual.world import NEVER, Job, Server, World
from lictor.capacity.breaker import Breaker
from lictor.capacity.extra_work import ExtraWorkPool
from lictor.capacity.fairness import FairQueue
from lictor.capacity.lane import Lane
from lictor.capacity.service import ServiceTime


class WithoutFeasibility(Lictor):
    """Everything is admitted."""

    def infeasible(self, job: Job) -> bool:
        return False


class WithoutCut(Lictor):
    """Calls run to their end."""

    def cut_us(self, job: Job) -> int:
        return NEVER


class WithoutClasses(Lictor):
    """All work is of one class."""

    def arrive(self, job: Job) -> None:
        job.priority = job.urgency = 0
        super().arrive(job)


class WithoutFairness(Lictor):
    """All work is of one tenant."""

    def arrive(self, job: Job) -> None:
        job.tenant = ""
        super().arrive(job)


class _OtherQueue(Lictor):
    """With another ready queue."""

    queue: type[FairQueue[Any]]

    def __init__(self, world: World, server: Server, seed: int) -> None:
        super().__init__(world, server, seed)
        cost = self.lane.ready.cost
        self.lane.ready = self.queue()
        self.lane.ready.cost = cost


class _Uncorrected(FairQueue[Any]):
    """A call is charged what was guessed, whatever it took."""

    def _settle(self, priority: int, tenant: str, cost: float) -> None:
        found = self._tenant(self._class(priority), tenant)
        super()._settle(priority, tenant, found.lent / found.running if found.running else self.cost)

    def learn(self, priority: int, tenant: str, cost: float) -> float | None:
        return None


class WithoutCorrection(_OtherQueue):
    """Charges stay as guessed."""

    queue = _Uncorrected


class _Unaged(FairQueue[Any]):
    def _next(self) -> Any:
        return next(queue for queue in self._sorted if queue.count)


class WithoutAgeing(Watched):
    """Nobody is lifted."""

    def __init__(self, world: World, server: Server, seed: int) -> None:
        super().__init__(world, server, seed)
        cost = self.lane.ready.cost
        self.lane.ready = _Unaged()
        self.lane.ready.cost = cost


class _Unclaimed(FairQueue[Any]):
    def turned_away(self, priority: int, tenant: str) -> None:
        return


class WithoutClaims(_OtherQueue):
    """Whose work is turned away starts anew."""

    queue = _Unclaimed


class _Typical(ServiceTime):
    def reckoned(self, *_: Any) -> float:
        return self.typical


class WithoutQuantile(Lictor):
    """Admission always reckons with the typical call."""

    def __init__(self, world: World, server: Server, seed: int) -> None:
        super().__init__(world, server, seed)
        self.lane.service = _Typical()


# -- extra work -------------------------------------------------------------------------------------------------------


class _Unlimited(ExtraWorkPool):
    @property
    def tokens(self) -> float:
        return 1.0

    def withdraw(self) -> bool:
        return True


class WithoutBudget(LictorTree):
    """Any extra attempt is paid for, by each layer's pool and the tree's."""

    def __init__(self, storm: Storm, layers: int, seed: int) -> None:
        super().__init__(storm, layers, seed)
        for lane in self.lanes:
            lane.pool = _Unlimited(0.0)
        self.tree = _Unlimited(0.0)


class _Closed(Breaker):
    def note(self, *, failed: bool) -> None:
        return


class WithoutBreaker(LictorTree):
    """Retries go on while everything fails."""

    def __init__(self, storm: Storm, layers: int, seed: int) -> None:
        super().__init__(storm, layers, seed)
        for lane in self.lanes:
            lane.breaker = _Closed()


class WithoutStormFeasibility(LictorTree):
    """Everything is admitted, at every layer."""

    def infeasible(self, step: Step, lane: Lane[Step]) -> bool:
        return False


# -- nesting ----------------------------------------------------------------------------------------------------------


class _Flat:
    """What a lane is told of a nested decision: that it is not nested."""

    def __init__(self, inner: Any) -> None:
        self.__dict__["inner"] = inner
        self.__dict__["depth"] = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self.inner, name, value)


class _FlatLane(Lane[Any]):
    """No slot is kept for children, and they stand in line with all others."""

    def push(self, work: Any) -> None:
        super().push(_Flat(work))

    def pop(self, now_us: int) -> Any:
        work = super().pop(now_us)
        return work if work is None else work.inner

    def take_displaced(self) -> list[Any]:
        return [work.inner for work in super().take_displaced()]

    def take(self, depth: int) -> None:
        super().take(0)

    def open(self, depth: int) -> bool:
        return super().open(0)

    def note(self, work: Any, seconds: float, now: float, *, late: bool = False) -> None:
        super().note(_Flat(work), seconds, now, late=late)

    def wait_s(self, asked: Any) -> float:
        return super().wait_s(_Flat(asked))

    def takes_s(self, asked: Any, *more: Any) -> float:
        return super().takes_s(_Flat(asked), *more)


class WithoutDepthSlots(NestedLictor):
    """Children wait among all others for the slots that their parents hold."""

    def __init__(self, world: World, server: Server, seed: int) -> None:
        super().__init__(world, server, seed)
        self.lane = _FlatLane(server.slots)


#: Mechanism -> the arm without it.
PLAIN: dict[str, Callable[[World, Server, int], Lictor]] = {
    "feasible admission": WithoutFeasibility,
    "cutting late calls": WithoutCut,
    "classes": WithoutClasses,
    "fair queueing": WithoutFairness,
    "charge correction": WithoutCorrection,
    "claims of the turned away": WithoutClaims,
    "adaptive quantile": WithoutQuantile,
}
STORMS: dict[str, Callable[[Storm, int, int], LictorTree]] = {
    "extra-work budget": WithoutBudget,
    "breaker": WithoutBreaker,
}
NESTS: dict[str, Callable[[World, Server, int], NestedLictor]] = {"slots kept for children": WithoutDepthSlots}
RANKS: dict[str, Callable[[World, Server, int], Watched]] = {"ageing": WithoutAgeing}
