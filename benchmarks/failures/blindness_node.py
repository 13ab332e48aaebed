"""Outcomes while the other side slows, hangs, lies, acknowledges too late, fails one tenant, and recovers.

A real node in virtual time. Nobody tells it what the other side is up to. The channel by which it can find out what
really happened (`reconcile`) takes a second and loses one question in twenty.
"""

from __future__ import annotations

import asyncio
import json
import logging
import math
import random
from collections import Counter, defaultdict
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import msgspec

from lictor import Adaptive, App, Call, EffectFailed, Node, Report, Settings, report
from lictor.journal.memory import MemoryJournal
from lictor.runtime.offload import inline
from lictor.runtime.randomness import Randomness
from lictor.testing import SimClock, SimLoop, run

#: What the other side does, in this order, each for `PHASE_S`.
PHASES = ("usual", "slow", "usual again", "hangs", "lies", "late", "fails one tenant", "recovered")
SERVICE_S, SERVERS, TIMEOUT_S = 0.05, 16, 2.0
#: Of what it is told to do it says that it has done it and does not; of what it has done it tells too late.
LIES, LATE, FAILS = 0.3, 0.3, 0.3
TENANTS = 5
FAILING = "t-3"
DELAY_S, LOST = 1.0, 0.05
EXPIRES_S = 60.0
#: How long after the last arrival nothing may be unknown any more.
GRACE_S = 180.0


class Order(msgspec.Struct, frozen=True):
    """One thing to do."""

    number: int


class Service:
    """The other side, in the world."""

    def __init__(self, loop: SimLoop, phase_s: float) -> None:
        self.loop = loop
        self.phase_s = phase_s
        self.random: random.Random = loop.streams.of("world")
        self.effects: Counter[str] = Counter()
        self.arrivals: Counter[str] = Counter()
        self.lied: set[str] = set()
        self._fenced: dict[str, int] = {}
        self._servers = asyncio.Semaphore(SERVERS)

    @property
    def phase(self) -> str:
        """What it is up to now."""
        return PHASES[min(len(PHASES) - 1, int(self.loop.time() / self.phase_s))]

    async def act(self, key: str, tenant: str, fence: int) -> str:
        """Do it; or not."""
        self.arrivals[key] += 1
        async with self._servers:
            if self.phase == "hangs":
                await asyncio.sleep(1e9)
            slower = 10.0 if self.phase == "slow" else 1.0
            await asyncio.sleep(slower * SERVICE_S * math.exp(self.random.gauss(-0.35, 0.83)))
        if fence <= self._fenced.get(key, -1):
            raise EffectFailed("it was said to be absent", code="FENCED")
        if self.phase == "lies" and self.random.random() < LIES:
            self.lied.add(key)
            return "done"
        if self.phase == "fails one tenant" and tenant == FAILING and self.random.random() < FAILS:
            raise EffectFailed("no", code="NO")
        self.effects[key] += 1
        if self.phase == "late" and self.random.random() < LATE:
            await asyncio.sleep(1.5 * TIMEOUT_S)
        return "done"

    async def ask(self, key: str, fence: int) -> bool:
        """Whether it was done; what is said to be absent never happens later."""
        await asyncio.sleep(DELAY_S)
        if self.random.random() < LOST:
            raise ConnectionError("the question was lost")
        if self.effects[key]:
            return True
        self._fenced[key] = fence
        return False


@dataclass(slots=True)
class Seen:
    """What came of one run."""

    arm: str
    decisions: int = 0
    succeeded: int = 0
    #: Nobody knows, and nobody named is waited for.
    unknown: int = 0
    false_success: int = 0
    false_failure: int = 0
    doubles: int = 0
    lied: int = 0
    #: Attempts that were in doubt.
    doubted: int = 0
    #: Success while one tenant fails: its own, and the others'.
    failing_share: float = 0.0
    others_share: float = 0.0
    #: Seconds from the beginning of a phase until it is said to be slow, or hanging.
    said_s: dict[str, float] = field(default_factory=dict)
    ends: Counter[str] = field(default_factory=Counter)
    #: What was refused at the door, by what the other side was up to.
    shed: Counter[str] = field(default_factory=Counter)

    def judge(self, service: Service, told: dict[int, tuple[str, str, str, str | None]]) -> Seen:
        """Hold what was told (by number: tenant, phase, key, result) to what is true."""
        shares: dict[bool, list[bool]] = defaultdict(list)
        self.decisions = len(told)
        for tenant, phase, key, result in told.values():
            done = service.effects[key] > 0
            self.ends[result or "unknown"] += 1
            self.succeeded += result == "succeeded"
            self.shed[phase] += result == "shed"
            self.unknown += result is None
            self.false_success += result == "succeeded" and not done
            self.false_failure += result not in {None, "succeeded", "shed", "refused"} and done
            if phase == "fails one tenant":
                shares[tenant == FAILING].append(result == "succeeded")
        self.doubles = sum(count - 1 for count in service.effects.values() if count > 1)
        self.lied = len(service.lied)
        self.failing_share = sum(shares[True]) / max(1, len(shares[True]))
        self.others_share = sum(shares[False]) / max(1, len(shares[False]))
        return self


class Ears(logging.Handler):
    """Hears what the node says of its effectors."""

    def __init__(self, service: Service, seen: Seen) -> None:
        super().__init__()
        self._service, self._seen = service, seen

    def emit(self, record: logging.LogRecord) -> None:
        """Keep when something was first said in a phase."""
        with suppress(ValueError):
            said = json.loads(record.getMessage())
            event, service = said.get("event"), self._service
            if event in {"slow", "hanging"}:
                place = f"{event} while it {service.phase}"
                self._seen.said_s.setdefault(place, service.loop.time() % service.phase_s)


def build(service: Service) -> App:
    """One kind, one effector that can be asked."""
    app = App("blindness")
    app.decision(expires_in_s=EXPIRES_S)(Order)

    @app.effector(idempotent=False, timeout_s=TIMEOUT_S, slots=Adaptive(1, 64, 8), poll_after_s=1.0, name="act")
    async def act(call: Call, _number: int) -> str:
        return await service.act(call.key, call.tenant, call.fence)

    @act.reconcile
    async def find(call: Call, _number: int) -> Report:
        done = await service.ask(call.key, call.fence)
        result = "succeeded" if done else "absent"
        return report(f"{call.key}:{call.fence}:{result}", final=True, result=result)

    @app.plan(Order)
    def plan(order: Order) -> Any:
        return act.action(order.number)

    return app


async def _offered(service: Service, rate: float, submit: Any) -> None:
    """Poisson arrivals through all phases; whoever waits for an outcome gets so long."""
    draw, number = service.loop.streams.of("workload"), 0
    tasks = []
    while service.loop.time() < service.phase_s * len(PHASES):
        tenant = f"t-{draw.randrange(TENANTS)}"
        tasks.append(asyncio.create_task(submit(number, tenant, service.phase)))
        number += 1
        await asyncio.sleep(draw.expovariate(rate))
    done, late = await asyncio.wait(tasks, timeout=GRACE_S)
    for task in late:
        task.cancel()
    for task in done:
        task.result()


async def lictor(loop: SimLoop, assurance: str, phase_s: float, rate: float) -> Seen:
    """The engine; `assurance` says whether a success is believed."""
    from lictor.execution.attempts import action_key

    service, seen = Service(loop, phase_s), Seen(f"lictor {assurance}")
    settings = Settings(tune_collector=False, assurance=assurance)
    clock = SimClock(loop)
    node = Node(
        build(service), MemoryJournal(), settings=settings, clock=clock, randomness=Randomness(loop.seed), lanes=inline
    )
    log, ears = logging.getLogger("lictor"), Ears(service, seen)
    propagate, log.propagate, level = log.propagate, False, log.level
    log.setLevel(logging.INFO)
    log.addHandler(ears)
    told: dict[int, tuple[str, str, str, str | None]] = {}

    async def submit(number: int, tenant: str, phase: str) -> None:
        handle = await node.submit(Order(number), tenant=tenant, source="agent", key=f"k-{number}")
        key = action_key(handle.id or 0, 0)
        told[number] = (tenant, phase, key, None if handle.admitted else str(handle.verdict.result))
        outcome = await handle.outcome()
        if outcome is not None:
            told[number] = (tenant, phase, key, outcome.result)

    try:
        await node.start()
        await _offered(service, rate, submit)
        await node.stop()
        async for row in node.journal.scan():
            seen.doubted += sum(act.event == "doubt" for act in getattr(row.verb, "acts", ()))
    finally:
        log.removeHandler(ears)
        log.propagate = propagate
        log.setLevel(level)
    return seen.judge(service, told)


async def naive(loop: SimLoop, phase_s: float, rate: float) -> Seen:
    """Send, wait for the acknowledgement up to the time-out, and believe it; without one, write a line in a log."""
    service, seen = Service(loop, phase_s), Seen("naive")
    slots = asyncio.Semaphore(64)
    told: dict[int, tuple[str, str, str, str | None]] = {}

    async def submit(number: int, tenant: str, phase: str) -> None:
        key = f"k-{number}"
        told[number] = (tenant, phase, key, None)
        async with slots:
            try:
                async with asyncio.timeout(TIMEOUT_S):
                    await service.act(key, tenant, 0)
                told[number] = (tenant, phase, key, "succeeded")
            except EffectFailed:
                told[number] = (tenant, phase, key, "failed")
            except TimeoutError:
                return

    await _offered(service, rate, submit)
    return seen.judge(service, told)


def outcomes(arm: str, seed: int, phase_s: float, rate: float) -> Seen:
    """One run of an arm."""

    async def main(loop: SimLoop) -> Seen:
        if arm == "naive":
            return await naive(loop, phase_s, rate)
        return await lictor(loop, arm.rpartition(" ")[2], phase_s, rate)

    return run(seed, main, policy="fifo", steps_max=20_000_000).value
