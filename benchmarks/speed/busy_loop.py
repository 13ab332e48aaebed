"""A loop that is always busy, with one commit outstanding at a time: does the commit get its turn?

The event loop does `ITERATION_US` of pure Python in every iteration and never sleeps; meanwhile one group of 50 rows
after the other is committed by the placement under test. The commit's latency says whether it starves; the loop's own
speed, against the same loop with no commits at all, says what it costs everyone else. Between two groups the loop has
at least `ITERATIONS_BETWEEN` iterations, so that a commit on the loop cannot take all of it.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from benchmarks.speed.arms.pipeline import signal
from benchmarks.speed.arms.placement import Rows, place
from benchmarks.speed.arms.tables import key_maker
from benchmarks.speed.run import Run, Sample, percentile

GROUP = 50
ITERATION_US = 200
ITERATIONS_BETWEEN = 5


async def busy_loop(run: Run, directory: Path) -> Sample:
    """Commits a second, their latency, and the loop's speed beside them."""
    spins = _spins_for(ITERATION_US)
    alone = await _spin(spins, run.seconds / 4, None)
    placement = place(run, directory / "busy.db")
    key = key_maker(run.keys, run.seed)
    latencies_s: list[float] = []

    async def commit_groups() -> None:
        number = 0
        while True:
            bodies = [signal(number + index) for index in range(GROUP)]
            states = [(number + index, key(number + index), body) for index, body in enumerate(bodies)]
            rows = Rows([(body,) for body in bodies], states, [])
            number += GROUP
            began_s = time.perf_counter()
            await placement.commit(rows)
            latencies_s.append(time.perf_counter() - began_s)
            for _ in range(ITERATIONS_BETWEEN):
                await asyncio.sleep(0)

    commits = asyncio.create_task(commit_groups())
    beside = await _spin(spins, run.seconds, commits)
    counted = list(latencies_s)
    commits.cancel()
    await asyncio.gather(commits, return_exceptions=True)
    placement.close()
    never = [run.seconds]  # a commit that never came took at least this long
    return {
        "commits_per_second": len(counted) / run.seconds,
        "p50_ms": 1e3 * percentile(counted or never, 0.50),
        "p99_ms": 1e3 * percentile(counted or never, 0.99),
        "loop_share": beside / alone,
    }


async def _spin(spins: int, seconds: float, beside: asyncio.Task[None] | None) -> float:
    """Iterations a second of a loop that is never idle."""
    began_s = time.perf_counter()
    iterations = 0
    while (elapsed_s := time.perf_counter() - began_s) < seconds:
        for _ in range(spins):
            pass
        iterations += 1
        if beside is not None and beside.done():
            beside.result()
        await asyncio.sleep(0)
    return iterations / elapsed_s


def _spins_for(microseconds: float) -> int:
    trial = 200_000
    began_s = time.perf_counter()
    for _ in range(trial):
        pass
    return int(trial * microseconds / 1e6 / (time.perf_counter() - began_s))
