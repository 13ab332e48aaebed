"""What control costs (Shows 6): the whole stack beside a bare semaphore, closed loop, calls of 1 to 3 ms, no disk.

    python -m benchmarks.failures.real.control_cost SEED SECONDS     one measurement, as JSON

Four callers for each slot keep the system busy; each makes one decision after another and waits for its outcome. Both
systems run in turns within one process, so that what else the machine does hits both. Accept is the processor time of
one such decision less that of one under the semaphore, call included in both; reject is that of one refused because the
work ahead of it leaves no time.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import msgspec
import uvloop

from lictor import Answer, App, Call, Node, Settings, Signal, Snapshot, allow, deny

SLOTS = 16
_TURNS = 5
_REJECTED = 20_000
_BATCH = 16
#: Callers for each slot: enough that some wait, or what a slot waits for its next call would be the callers' way back.
_CALLERS = 4


class Cost(msgspec.Struct, kw_only=True):
    """What one measurement says."""

    seed: int
    semaphore_per_s: float
    lictor_per_s: float
    #: Throughput, Lictor's to the semaphore's.
    ratio: float
    accept_us: float
    reject_us: float
    #: Processor time of one decision under each, call included.
    semaphore_us: float
    lictor_us: float


def measured(seeds: range, *, quick: bool, tell: Callable[[str], None]) -> list[Cost]:
    """One process for each seed."""
    found = []
    for seed in list(seeds)[: 1 if quick else 5]:
        command = [sys.executable, "-m", "benchmarks.failures.real.control_cost", str(seed), "0.2" if quick else "1.0"]
        done = subprocess.run(command, capture_output=True, timeout=120, check=True)
        found.append(msgspec.json.decode(done.stdout, type=Cost))
        tell(f"control cost seed {seed}: {found[-1].ratio:.3f} of semaphore's, accept {found[-1].accept_us:.0f} us")
    return found


def build(call: Callable[[int], Awaitable[None]]) -> tuple[App, Any]:
    """Five gates, a balance, one effector."""
    app = App("cost")
    cash = app.balance("cash", limit=1 << 60, per="tenant")

    @app.decision(expires_in_s=60)
    @dataclass(frozen=True)
    class Pay:
        account: str
        amount: int
        number: int

    for place in range(4):

        @app.gate(Pay, name=f"check_{place}", parameters={"place": place})
        def holds(pay: Pay, _state: Snapshot) -> Answer:
            return allow() if 0 < pay.amount <= 1_000 else deny("AMOUNT")

    @app.gate(Pay, family="resources")
    def affordable(pay: Pay, _state: Snapshot) -> Answer:
        return allow(cash.reserve(pay.amount))

    @app.effector(idempotent=True, timeout_s=30, slots=SLOTS)
    async def transfer(_call: Call, number: int) -> None:
        await call(number)

    @app.plan(Pay)
    def pay(wanted: Pay) -> Any:
        return transfer.action(wanted.number)

    return app, Pay


class Costs:
    """Both systems over the same calls."""

    def __init__(self, seed: int, seconds: float) -> None:
        draw = random.Random(seed)
        self._took_s = [draw.uniform(0.001, 0.003) for _ in range(4096)]
        self._seed, self._seconds = seed, seconds
        self._numbers = itertools.count()
        self._held = asyncio.Event()
        self._held.set()

    async def _call(self, number: int) -> None:
        await self._held.wait()
        await asyncio.sleep(self._took_s[number % len(self._took_s)])

    def _signal(self, **more: Any) -> Signal:
        number = next(self._numbers)
        body = b'{"account":"a-%d","amount":%d,"number":%d}' % (number % 1000, 1 + number % 250, number)
        return Signal(source="load", kind="Pay", payload=body, tenant="acme", key=f"{self._seed}-{number}", **more)

    async def run(self) -> Cost:
        """All of it."""
        app, _ = build(self._call)
        semaphore = asyncio.Semaphore(SLOTS)

        async def bare() -> None:
            async with semaphore:
                await self._call(next(self._numbers))

        async with Node(app, settings=Settings(durability="memory")) as node:

            async def governed() -> None:
                outcome = await (await node.submit(self._signal())).outcome()
                if outcome is None or outcome.result != "succeeded":
                    raise RuntimeError(f"it ended {outcome}")

            await self._closed(governed, 0.2)
            rates: dict[Any, list[tuple[float, float]]] = {bare: [], governed: []}
            for turn in range(_TURNS):
                for one in (bare, governed) if turn % 2 else (governed, bare):
                    rates[one].append(await self._closed(one, self._seconds / _TURNS))
            reject_us = await self._rejected(node)
        plain, ours = self._mean(rates[bare]), self._mean(rates[governed])
        return Cost(
            seed=self._seed,
            semaphore_per_s=plain[0],
            lictor_per_s=ours[0],
            ratio=ours[0] / plain[0],
            accept_us=ours[1] - plain[1],
            reject_us=reject_us,
            semaphore_us=plain[1],
            lictor_us=ours[1],
        )

    @staticmethod
    def _mean(turns: list[tuple[float, float]]) -> tuple[float, float]:
        return sum(rate for rate, _ in turns) / len(turns), sum(cpu for _, cpu in turns) / len(turns)

    async def _closed(self, decide: Callable[[], Awaitable[None]], seconds: float) -> tuple[float, float]:
        """Decisions a second and processor microseconds for each, with a caller for each slot."""
        done = 0
        began_s, began_cpu_s = time.perf_counter(), time.process_time()
        ends_s = began_s + seconds

        async def caller() -> None:
            nonlocal done
            while time.perf_counter() < ends_s:
                await decide()
                done += 1

        await asyncio.gather(*(caller() for _ in range(_CALLERS * SLOTS)))
        used_s, took_s = time.process_time() - began_cpu_s, time.perf_counter() - began_s
        return done / took_s, 1e6 * used_s / done

    async def _rejected(self, node: Node) -> float:
        """Processor microseconds of one refusal, with every slot taken and work ahead of it."""
        self._held.clear()
        ahead = [await node.submit(self._signal()) for _ in range(8 * SLOTS)]
        batches = [[self._signal(expires_in_s=0.002) for _ in range(_BATCH)] for _ in range(_REJECTED // _BATCH)]
        began_cpu_s = time.process_time()
        refused = 0
        for batch in batches:
            refused += sum(not handle.admitted for handle in await node.submit_many(batch))
        used_s = time.process_time() - began_cpu_s
        self._held.set()
        for handle in ahead:
            await handle.outcome()
        if refused < len(batches) * _BATCH:
            raise RuntimeError(f"only {refused} of {len(batches) * _BATCH} were refused")
        return 1e6 * used_s / refused


async def main(seed: int, seconds: float) -> Cost:
    """One measurement."""
    return await Costs(seed, seconds).run()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        sys.stdout.buffer.write(msgspec.json.encode(runner.run(main(int(sys.argv[1]), float(sys.argv[2])))))
