"""Which cells there are: arms, workloads and stages of the scenarios on this rig. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.failures.real.cell import Cell, Stage, Workload

#: Short calls, of which asyncio arms carry twenty times the capacity; and calls long enough for peers to do so.
SHORT = Workload(service_s=0.02, cv=1.0, servers=16, deadline_s=0.1)
LONG = Workload(service_s=0.2, cv=0.0, servers=16, deadline_s=1.0)

LOADS = (0.5, 0.8, 0.95, 1.0, 1.2, 1.5, 2.0, 5.0, 10.0, 20.0)
SOME_LOADS = (0.8, 1.0, 10.0, 20.0)
#: From below capacity to ten times it in one step, and down again, with whatever the load before has left.
STAIRS = (0.8, 10.0, 2.0, 1.2, 0.8)
PEER_LOADS = (0.8, 1.2, 2.0, 10.0, 20.0)
AS_DOCUMENTED = (0.8, 2.0, 10.0)

#: The same for those whose collapse needs no detail.
STEP = (0.8, 10.0, 0.8)

#: Every so many seeds the other asyncio arms run too: Lictor's figures have targets, theirs stand beside them.
RIVALS_EVERY = 3

ASYNCIO = ("naive", "semaphore", "best-known (Gradient2)", "lictor")
PEERS = ("celery", "dramatiq", "dbos", "huey")
#: Those whose own submit path carries twenty times the capacity.
_CARRY = ("celery", "dramatiq")

#: Windows last at least so many deadlines.
WINDOW_DEADLINES = 20.0


def steady(loads: tuple[float, ...], workload: Workload, *, windows: float = WINDOW_DEADLINES) -> Iterator[Stage]:
    """Each load from an idle start."""
    for load in loads:
        yield Stage(
            load=load,
            before_s=3 * workload.deadline_s,
            window_s=windows * workload.deadline_s,
            after_s=workload.deadline_s,
        )


def stairs(workload: Workload, loads: tuple[float, ...] = STAIRS) -> Iterator[Stage]:
    """One load after another, each beginning with what the one before has left."""
    for place, load in enumerate(loads):
        window_s = WINDOW_DEADLINES * workload.deadline_s
        yield Stage(load=load, before_s=0.0, window_s=window_s, after_s=0.0, fresh=place == 0)


def short_cells(seeds: range) -> Iterator[Cell]:
    """Asyncio arms at all loads, then up and down the stairs."""
    for seed in seeds:
        for arm in ASYNCIO if seed in seeds[::RIVALS_EVERY] else ("lictor",):
            stages = (*steady(LOADS, SHORT), *stairs(SHORT, STAIRS if arm == "lictor" else STEP))
            yield Cell(arm=arm, workload=SHORT, stages=stages, seed=seed, calibrate_s=1.5)
        stages = tuple(steady(SOME_LOADS, SHORT))
        yield Cell(arm="lictor sync", workload=SHORT, stages=stages, seed=seed, calibrate_s=1.5)
    stages = tuple(steady((0.8, 2.0, 10.0), SHORT))
    yield Cell(arm="best-known (Vegas)", workload=SHORT, stages=stages, seed=seeds[0], calibrate_s=1.5)


def long_cells(seed: int, *, quick: bool = False) -> Iterator[Cell]:
    """Peers, as documented and tuned, beside naive and Lictor."""
    windows = 5.0 if quick else WINDOW_DEADLINES
    loads = (0.8, 10.0) if quick else PEER_LOADS
    for arm in ("naive", "lictor"):
        which = loads if arm == "lictor" or quick else AS_DOCUMENTED
        stages = tuple(steady(which, LONG, windows=windows))
        yield Cell(arm=arm, workload=LONG, stages=stages, seed=seed, calibrate_s=2.0)
    for arm in PEERS:
        for tuned in (False, True):
            which = loads if (tuned and arm in _CARRY) or quick else AS_DOCUMENTED
            stages = tuple(steady(which, LONG, windows=windows))
            yield Cell(arm=arm, workload=LONG, stages=stages, seed=seed, calibrate_s=2.0, tuned=tuned, engine_core=None)


def quick_cells(seed: int) -> Iterator[Cell]:
    """A look at every figure, in a minute."""
    for arm in ("naive", "semaphore", "best-known (Gradient2)", "lictor", "lictor sync"):
        stages = (*steady((0.8, 10.0, 20.0), SHORT, windows=10.0), *(stairs(SHORT) if arm == "lictor" else ()))
        yield Cell(arm=arm, workload=SHORT, stages=stages, seed=seed, calibrate_s=0.5)


def smoke_cells(seed: int) -> Iterator[Cell]:
    """The same shape in seconds."""
    for arm in ("naive", "lictor"):
        stages = tuple(steady((0.8, 5.0), SHORT, windows=10.0))
        yield Cell(arm=arm, workload=SHORT, stages=stages, seed=seed, calibrate_s=0.5)
