"""The open loop: decisions arrive on a precomputed schedule whether or not the arm keeps up, from inside its process.

A closed loop slows down with the system and so cannot see it collapse; the worst case for a commit thread, an event
loop that is never idle, exists only here. The schedule is Poisson, drawn before the clock starts. Everything that is
due is offered at once, without a cap, so that the offered rate is the one asked for; what cannot be offered because
`concurrent` admissions are pending already is shed at the door, like what the arm sheds itself. The sample says how
far the generator lagged; a run whose offered rate falls short of the schedule's is visible in `offered_per_second`.
"""

from __future__ import annotations

import asyncio
import random
import time

import msgspec

from benchmarks.speed.arm import Arm
from benchmarks.speed.measures import WARM_UP, Meter, closed_loop, latency
from benchmarks.speed.run import Run, Sample, percentile

#: The shortest sleep that really sleeps: event loops count in milliseconds, and one that is asked for less spins, which
#: would make every loop a busy one.
TICK_S = 0.001


class Door:
    """Offers decisions, bounds how many admissions are pending, and keeps what became of them."""

    def __init__(self, arm: Arm, pending_max: int) -> None:
        self._arm = arm
        self._pending_max = pending_max
        self._tasks: set[asyncio.Task[None]] = set()
        self.admit_s: list[float] = []
        self.shed_at_door = 0
        self.shed_by_arm = 0

    def offer(self, number: int) -> None:
        """One arrival."""
        if len(self._tasks) >= self._pending_max:
            self.shed_at_door += 1
            return
        task = asyncio.create_task(self._admit(number, time.perf_counter()))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _admit(self, number: int, offered_s: float) -> None:
        if await self._arm.admit(number):
            self.admit_s.append(time.perf_counter() - offered_s)
        else:
            self.shed_by_arm += 1

    async def drained(self) -> None:
        """Everything that was offered has been answered; what failed raises here."""
        while self._tasks:
            await asyncio.gather(*self._tasks)


async def open_loop(arm: Arm, run: Run) -> Sample:
    """Offer `rate` a second for `seconds`; what was admitted and shed in that time, and admission to disk."""
    await asyncio.gather(*(arm.submit(number) for number in range(WARM_UP)))
    schedule_s = _schedule(run)
    door = Door(arm, run.concurrent)
    lags_s: list[float] = []
    meter = Meter(arm)
    began_s = time.perf_counter()
    due = 0
    while due < len(schedule_s):
        now_s = time.perf_counter() - began_s
        if schedule_s[due] > now_s:
            await asyncio.sleep(max(TICK_S, schedule_s[due] - now_s))
            continue
        lags_s.append(now_s - schedule_s[due])
        while due < len(schedule_s) and schedule_s[due] <= now_s:
            door.offer(WARM_UP + due)
            due += 1
        await asyncio.sleep(0)
    admitted = len(door.admit_s)
    sample = meter.read(admitted)
    await door.drained()
    if door.admit_s:
        sample["admit_p50_ms"] = 1e3 * percentile(door.admit_s, 0.50)
        sample["admit_p99_ms"] = 1e3 * percentile(door.admit_s, 0.99)
    return sample | {
        "offered_per_second": due / sample["seconds"],
        "admitted_per_second": admitted / sample["seconds"],
        "shed_at_door_per_second": door.shed_at_door / sample["seconds"],
        "shed_by_arm_per_second": door.shed_by_arm / sample["seconds"],
        "generator_lag_p99_ms": 1e3 * percentile(lags_s, 0.99),
        "durable": WARM_UP + len(door.admit_s),
    }


async def part_load(arm: Arm, run: Run) -> Sample:
    """Submit to outcome at a share (`rate`) of what the arm's closed loop does in the same process, just before.

    Latency counts from the intended arrival, so a generator that lags makes the figure worse and not better.
    """
    capacity = (await closed_loop(arm, run))["per_second"]
    schedule_s = _schedule(msgspec.structs.replace(run, rate=run.rate * capacity))
    latencies_s: list[float] = []
    tasks: set[asyncio.Task[None]] = set()
    began_s = time.perf_counter()
    meter = Meter(arm)

    async def submit(number: int, due_s: float) -> None:
        await arm.submit(number)
        latencies_s.append(time.perf_counter() - began_s - due_s)

    due = 0
    while due < len(schedule_s):
        now_s = time.perf_counter() - began_s
        if schedule_s[due] > now_s:
            await asyncio.sleep(max(TICK_S, schedule_s[due] - now_s))
            continue
        task = asyncio.create_task(submit(1_000_000 + due, schedule_s[due]))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        due += 1
    await asyncio.gather(*tasks)
    return meter.read(due) | latency(latencies_s) | {"capacity_per_second": capacity, "durable": due}


def _schedule(run: Run) -> list[float]:
    """Arrival times in seconds from the start."""
    draw = random.Random(run.seed).expovariate
    arrivals: list[float] = []
    at_s = draw(run.rate)
    while at_s < run.seconds:
        arrivals.append(at_s)
        at_s += draw(run.rate)
    return arrivals
