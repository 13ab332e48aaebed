"""One decision to ten thousand concurrent actions, and a hundred such decisions at once."""

from __future__ import annotations

import asyncio
import resource
import time
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.scale.run import Run, Sample
from lictor import App, Call, Node, Settings, all_of

#: Actions that run at once at most, over all decisions: what is beyond waits in its queue.
SLOTS = 10_000


class Fan(msgspec.Struct, frozen=True):
    """So many actions."""

    actions: int


class Crowd:
    """Counts what is in flight."""

    def __init__(self) -> None:
        self.now = self.most = self.done = 0


def build(run: Run, crowd: Crowd) -> App:
    """One kind, one effector that takes its time."""
    app = App("fan")
    app.decision(expires_in_s=3_600)(Fan)

    @app.effector(idempotent=True, timeout_s=60, slots=SLOTS)
    async def step(_call: Call, _number: int) -> None:
        crowd.now += 1
        crowd.most = max(crowd.most, crowd.now)
        await asyncio.sleep(run.action_s)
        crowd.now -= 1
        crowd.done += 1

    @app.plan(Fan)
    def fan(wanted: Fan) -> Any:
        return all_of(*(step.action(number) for number in range(wanted.actions)))

    return app


async def fan(run: Run, directory: Path) -> Sample:
    """Submit all at once and wait for all outcomes; processor time and memory are those of the whole process."""
    crowd = Crowd()
    async with Node(build(run, crowd), str(directory / "fan.db"), settings=Settings(durability="sync")) as node:
        await _one(node, 64)
        crowd.most = crowd.done = 0
        before_mb = _rss_mb()
        cpu_s, began_s = time.process_time(), time.perf_counter()
        ends = await asyncio.gather(*(_one(node, run.actions) for _ in range(run.decisions)))
        cpu_s, seconds = time.process_time() - cpu_s, time.perf_counter() - began_s
        after_mb = _rss_mb()
    actions = run.actions * run.decisions
    if crowd.done != actions:
        raise RuntimeError(f"{crowd.done} of {actions} actions were done")
    return {
        "seconds": seconds,
        "cpu_us_per_action": 1e6 * cpu_s / actions,
        "actions_per_second": actions / seconds,
        "in_flight_most": float(crowd.most),
        "first_end_s": min(ends) - began_s,
        "rss_mb": after_mb,
        "memory_bytes_per_action": (after_mb - before_mb) * 2**20 / actions,
    }


async def _one(node: Node, actions: int) -> float:
    handle = await node.submit(Fan(actions))
    outcome = await handle.outcome()
    if outcome is None or outcome.result != "succeeded":
        raise RuntimeError(f"{handle} {outcome}")
    return time.perf_counter()


def _rss_mb() -> float:
    """The most that this process has had so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
