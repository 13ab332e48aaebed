"""Capacity, measured by a closed loop at the start of each cell: a caller for each server, calling again at once.

The deadline is in force from each call's start, so that calls longer than any deadline count for none, whoever makes
them. How long a call occupies its server beyond its drawn time is measured; the mean of the drawn times is the known
one, not that of the few that were drawn here, which leaves the noise of the draw out of the denominator.
"""

from __future__ import annotations

import asyncio
import math
import random
import time
from array import array
from statistics import NormalDist
from typing import NamedTuple

from benchmarks.failures.real.cell import Workload
from benchmarks.failures.real.downstream import Downstream
from benchmarks.failures.real.schedule import service_s


class Capacity(NamedTuple):
    """On-time completions a second, and on-time service seconds a second."""

    per_s: float
    work_per_s: float
    #: Seconds that a call occupied its server beyond its drawn time, on average.
    overhead_s: float


async def calibrated(downstream: Downstream, workload: Workload, seed: int, seconds: float) -> Capacity:
    """Call in a closed loop for so long."""
    source = random.Random(seed)
    drawn = array("d", (service_s(source, workload) for _ in range(20_000)))
    downstream.watch(0, drawn)
    ends_s = time.monotonic() + seconds
    numbers = iter(range(len(drawn)))
    spent = [0.0, 0.0, 0.0]

    async def caller() -> None:
        while (began_s := time.monotonic()) < ends_s:
            number = next(numbers)
            await call_in_time(downstream, number, workload.deadline_s)
            spent[0] += 1
            spent[1] += time.monotonic() - began_s
            spent[2] += min(drawn[number], workload.deadline_s)

    await asyncio.gather(*(caller() for _ in range(workload.servers)))
    downstream.reset()
    return _capacity(workload, max(0.0, (spent[1] - spent[2]) / max(1.0, spent[0])))


async def call_in_time(downstream: Downstream, number: int, left_s: float) -> bool:
    """Call and cut it when the time is up; whether it ended in time."""
    try:
        async with asyncio.timeout(left_s):
            await downstream.call(number)
    except TimeoutError:
        return False
    return True


def _capacity(workload: Workload, overhead_s: float) -> Capacity:
    in_time, work_s = in_time_share(workload)
    occupied_s = work_s + (1.0 - in_time) * workload.deadline_s + overhead_s
    per_s = workload.servers / occupied_s
    return Capacity(per_s * in_time, per_s * work_s, overhead_s)


def in_time_share(workload: Workload) -> tuple[float, float]:
    """Of all calls, the share that ends within the deadline, and their service seconds a call: the lognormal's own."""
    if not workload.cv:
        return 1.0, workload.service_s
    variance = math.log(1.0 + workload.cv**2)
    deviation = math.sqrt(variance)
    above = (math.log(workload.deadline_s / workload.service_s) + variance / 2) / deviation
    normal = NormalDist()
    return normal.cdf(above), workload.service_s * normal.cdf(above - deviation)
