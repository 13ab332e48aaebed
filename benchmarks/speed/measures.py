"""The closed ways to load an arm: each returns a sample. The open loop is in `open_loop.py`.

All do a warm-up of a fixed number first, outside the measured time. Processor time is that of the whole process and
of the arm's helper processes, generator included.
"""

from __future__ import annotations

import asyncio
import time
from itertools import count

from benchmarks.speed.arm import Arm
from benchmarks.speed.machine import busy_cpu_s
from benchmarks.speed.run import Run, Sample, percentile

WARM_UP = 64


class Meter:
    """Wall and processor time of one measured stretch."""

    def __init__(self, arm: Arm) -> None:
        self._arm = arm
        self._cpu_s = time.process_time() + arm.cpu_s()
        self._everyone_s = busy_cpu_s()
        self._began_s = time.perf_counter()

    def read(self, done: int) -> Sample:
        """The figures that every measure has, for so many decisions (or actions) done."""
        seconds = time.perf_counter() - self._began_s
        cpu_s = time.process_time() + self._arm.cpu_s() - self._cpu_s
        everyone_s = busy_cpu_s()
        sample = {
            "done": done,
            "seconds": seconds,
            "per_second": done / seconds,
            "cpu_us": 1e6 * cpu_s / max(1, done),
            "cpu_share": cpu_s / seconds,
        }
        if everyone_s is not None and self._everyone_s is not None:
            sample["others_cores"] = max(0.0, everyone_s - self._everyone_s - cpu_s) / seconds
        return sample


async def closed_loop(arm: Arm, run: Run) -> Sample:
    """`concurrent` submitters, each with one decision open at a time, for `seconds`."""
    numbers = count()
    await asyncio.gather(*(arm.submit(next(numbers)) for _ in range(WARM_UP)))
    latencies_s: list[float] = []
    meter = Meter(arm)
    until_s = time.perf_counter() + run.seconds

    async def submitter() -> None:
        while (began_s := time.perf_counter()) < until_s:
            await arm.submit(next(numbers))
            latencies_s.append(time.perf_counter() - began_s)

    await asyncio.gather(*(submitter() for _ in range(run.concurrent)))
    sample = meter.read(len(latencies_s))
    return sample | latency(latencies_s) | {"durable": WARM_UP + len(latencies_s)}


async def bulk(arm: Arm, run: Run) -> Sample:
    """`count` decisions handed over at once."""
    await arm.submit_many(range(WARM_UP))
    meter = Meter(arm)
    await arm.submit_many(range(WARM_UP, WARM_UP + run.count))
    return meter.read(run.count) | {"durable": WARM_UP + run.count}


async def idle(arm: Arm, run: Run) -> Sample:
    """`count` decisions one at a time, with a pause of milliseconds before each, so that everything has gone cold."""
    numbers = count()
    for _ in range(10):
        await arm.submit(next(numbers))
    latencies_s: list[float] = []
    meter = Meter(arm)
    for number in range(10, 10 + run.count):
        await asyncio.sleep(0.003 + 0.002 * (number % 4))  # several lengths, so as not to beat with anyone's timer
        began_s = time.perf_counter()
        await arm.submit(number)
        latencies_s.append(time.perf_counter() - began_s)
    return meter.read(run.count) | latency(latencies_s) | {"durable": 10 + run.count}


async def refusals(arm: Arm, run: Run) -> Sample:
    """`count` decisions handed over at once that the first gate refuses; each refusal is durable."""
    await arm.refuse(range(WARM_UP))
    meter = Meter(arm)
    await arm.refuse(range(WARM_UP, WARM_UP + run.count))
    return meter.read(run.count) | {"durable": WARM_UP + run.count}


async def fan_out(arm: Arm, run: Run) -> Sample:
    """One decision that becomes `count` actions, submit to durable outcome; the first, small one only warms up."""
    await arm.fan_out(WARM_UP)
    meter = Meter(arm)
    await arm.fan_out(run.count)
    return meter.read(run.count) | {"durable": WARM_UP + run.count}


def latency(latencies_s: list[float]) -> Sample:
    return {
        "p50_ms": 1e3 * percentile(latencies_s, 0.50),
        "p99_ms": 1e3 * percentile(latencies_s, 0.99),
        "p999_ms": 1e3 * percentile(latencies_s, 0.999),
    }
