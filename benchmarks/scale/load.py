"""A node under load: a closed loop over any number of tenants and any length of history, and an open one that lasts.

Keys are random, durability is `sync`, five gates and one balance: the App of the speed benchmark.
"""

from __future__ import annotations

import asyncio
import random
import time
from itertools import count
from pathlib import Path

from benchmarks.scale.fill import GATES, body, tenant_name
from benchmarks.scale.run import Run, Sample
from benchmarks.speed.lictor_arm import build
from benchmarks.speed.machine import busy_cpu_s
from benchmarks.speed.run import percentile
from lictor import Node, Settings, Signal

WARM_UP = 2_000
#: Where figures of a long run are compared: so many slices of it, the first of which is not looked at.
SLICES = 20
TICK_S = 0.001
PAGE_BYTES = 4_096


class Load:
    """Makes signals and takes outcomes."""

    def __init__(self, run: Run, path: Path) -> None:
        self.node = Node(build(GATES), str(path), settings=Settings(durability="sync"))
        self._tenants = [tenant_name(number) for number in range(run.tenants)]
        self._draw = random.Random(f"{run.name}/{run.seed}")

    async def submit(self, number: int) -> None:
        """One decision, submit to durable outcome."""
        key = self._draw.randbytes(16).hex()
        tenant = self._tenants[number % len(self._tenants)]
        handle = await self.node.submit(
            Signal(source="load", kind="Payout", payload=body(number), tenant=tenant, key=key)
        )
        outcome = await handle.outcome()
        if outcome is None or outcome.result != "succeeded":
            raise RuntimeError(f"{handle} {outcome}")


async def closed(run: Run, directory: Path) -> Sample:
    """`concurrent` submitters for `seconds`; on a given journal, or on a new one."""
    path = Path(run.journal) if run.journal else directory / "journal.db"
    load = Load(run, path)
    began_s = time.perf_counter()
    await load.node.start()
    open_s = time.perf_counter() - began_s
    numbers = count()
    latencies_s: list[float] = []
    for first in range(0, max(WARM_UP, 2 * run.tenants), 500):
        await asyncio.gather(*(load.submit(number) for number in range(first, first + 500)))
    cpu_s, everyone_s, began_s = time.process_time(), busy_cpu_s(), time.perf_counter()
    until_s = began_s + run.seconds

    async def submitter() -> None:
        while (at_s := time.perf_counter()) < until_s:
            await load.submit(next(numbers))
            latencies_s.append(time.perf_counter() - at_s)

    await asyncio.gather(*(submitter() for _ in range(run.concurrent)))
    seconds, cpu_s = time.perf_counter() - began_s, time.process_time() - cpu_s
    after_s = busy_cpu_s()
    await load.node.drain()
    await load.node.stop()
    sample = {
        "open_s": open_s,
        "done": float(len(latencies_s)),
        "per_second": len(latencies_s) / seconds,
        "cpu_us": 1e6 * cpu_s / max(1, len(latencies_s)),
        "p50_ms": 1e3 * percentile(latencies_s, 0.5),
        "p99_ms": 1e3 * percentile(latencies_s, 0.99),
        "rss_mb": rss_mb(),
    }
    if everyone_s is not None and after_s is not None:
        sample["others_cores"] = max(0.0, after_s - everyone_s - cpu_s) / seconds
    return sample


async def sustained(run: Run, directory: Path) -> Sample:
    """`rate` a second arrive for `seconds` (Poisson); latency counts from the intended arrival.

    What is compared is the last quarter with the second: processor time a decision, latency, memory.
    """
    load = Load(run, directory / "journal.db")
    await load.node.start()
    draw, due_s, number = random.Random(run.seed), 0.0, 0
    slices: list[list[float]] = [[] for _ in range(SLICES)]
    cpu_s, memory_mb = [0.0] * SLICES, [0.0] * SLICES
    tasks: set[asyncio.Task[None]] = set()
    for first in range(0, max(WARM_UP, 2 * run.tenants), 500):
        await asyncio.gather(*(load.submit(number) for number in range(first, first + 500)))
    began_s = time.perf_counter()

    async def one(number: int, at_s: float) -> None:
        await load.submit(number)
        place = min(SLICES - 1, int(at_s / run.seconds * SLICES))
        slices[place].append(time.perf_counter() - began_s - at_s)

    cpu_at_s, place = time.process_time(), 0
    while due_s < run.seconds:
        now_s = time.perf_counter() - began_s
        if due_s > now_s:
            await asyncio.sleep(max(TICK_S, due_s - now_s))
            continue
        while due_s <= now_s and due_s < run.seconds:
            task = asyncio.create_task(one(number, due_s))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
            due_s += draw.expovariate(run.rate)
            number += 1
        while place < SLICES - 1 and now_s >= (place + 1) * run.seconds / SLICES:
            cpu_s[place], memory_mb[place] = time.process_time() - cpu_at_s, rss_mb()
            cpu_at_s, place = time.process_time(), place + 1
        await asyncio.sleep(0)
    while tasks:
        await asyncio.gather(*tasks)
    cpu_s[place], memory_mb[place] = time.process_time() - cpu_at_s, rss_mb()
    seconds = time.perf_counter() - began_s
    await load.node.drain()
    await load.node.stop()
    return _over_time(slices, cpu_s, memory_mb) | {"per_second": number / seconds, "seconds": seconds}


def _over_time(slices: list[list[float]], cpu_s: list[float], memory_mb: list[float]) -> Sample:
    quarter = SLICES // 4
    early, late = slice(quarter, 2 * quarter), slice(SLICES - quarter, SLICES)
    sample = {"done": float(sum(len(one) for one in slices))}
    for name, where in (("early", early), ("late", late)):
        latencies_s = [latency for one in slices[where] for latency in one]
        sample[f"{name}_p50_ms"] = 1e3 * percentile(latencies_s, 0.5)
        sample[f"{name}_p99_ms"] = 1e3 * percentile(latencies_s, 0.99)
        sample[f"{name}_cpu_us"] = 1e6 * sum(cpu_s[where]) / max(1, len(latencies_s))
        sample[f"{name}_rss_mb"] = memory_mb[where][-1]
    everything = [latency for one in slices for latency in one]
    sample["p99_ms"] = 1e3 * percentile(everything, 0.99)
    sample["growth_bytes_per_decision"] = (
        (memory_mb[-1] - memory_mb[quarter]) * 2**20 / max(1, sum(len(one) for one in slices[quarter:]))
    )
    return sample


def rss_mb() -> float:
    """What this process has in memory now; where the system does not say, nothing."""
    statm = Path("/proc/self/statm")
    return int(statm.read_text().split()[1]) * PAGE_BYTES / 2**20 if statm.exists() else 0.0
