"""A short run on this machine and this disk, of which the measured part of a prediction is made.

It runs a node of its own on a file of its own, with as many gates as the App has at most, and an effector that does
nothing. The App's own effectors are not called: their effects are real.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from lictor.app import App
from lictor.config import Settings
from lictor.declarations.declared import Declared
from lictor.declarations.effectors import Call, Draft, report
from lictor.declarations.gates import Answer, Snapshot, allow
from lictor.node import Node
from lictor.records import Report
from lictor.runtime.clock import Clock, SystemClock

DURABILITIES = ("memory", "journal", "sync")
#: Decisions of one measurement, how many are on their way at once, and how many go one by one.
BUSY, AT_ONCE, IDLE = 512, 64, 24


@dataclass(frozen=True, slots=True)
class Calibration:
    """What was measured, in seconds; by durability."""

    #: Of the whole node, for each of many decisions at once.
    busy_s: dict[str, float]
    #: From submitting one decision to its outcome, while there is no other; the effect takes no time.
    idle_s: dict[str, float]
    #: What an answer that takes no time adds to that where successes are asked about (`assurance=verified`).
    verified_s: float


@dataclass(frozen=True)
class Probe:
    """The decision of a calibration."""

    number: int


def probes(gates: int) -> App:
    """The App of a calibration."""
    app = App("calibration")
    app.decision(expires_in_s=60)(Probe)
    for number in range(gates):

        @app.gate(Probe, name=f"gate_{number}")
        def gate(_probe: Probe, _state: Snapshot) -> Answer:
            return allow()

    @app.effector(idempotent=True, timeout_s=30, slots=AT_ONCE)
    async def nothing(_call: Call) -> None:
        return None

    @nothing.reconcile
    def asked(call: Call) -> Report:
        return report(call.key, final=True, result="succeeded")

    @app.plan(Probe)
    def plan(_probe: Probe) -> Draft[None]:
        return nothing.action()

    return app


async def calibrate(app: Declared, near: Path, clock: Clock | None = None) -> Calibration:
    """Measure, on the disk of `near`, in about a second."""
    clock = clock or SystemClock()
    gates = max((len(found) for found in app.gates.values()), default=0)
    busy, idle = {}, {}
    with TemporaryDirectory(prefix=".lictor-", dir=near) as name:
        folder = Path(name)
        for durability in DURABILITIES:
            settings = Settings(durability=durability, tune_collector=False)
            at = "memory:" if durability == "memory" else str(folder / durability)
            busy[durability], idle[durability] = await _measure(at, gates, settings, clock)
        verified = Settings(assurance="verified", tune_collector=False)
        _, asked_s = await _measure(str(folder / "verified"), gates, verified, clock)
    return Calibration(busy, idle, max(0.0, asked_s - idle["sync"]))


async def _measure(journal: str, gates: int, settings: Settings, clock: Clock) -> tuple[float, float]:
    """Seconds for each of many decisions, and for a single one."""
    async with Node(probes(gates), journal, settings=settings) as node:

        async def one(number: int) -> float:
            began = clock.monotonic()
            await (await node.submit(Probe(number))).outcome()
            return clock.monotonic() - began

        async def some(numbers: range) -> None:
            for number in numbers:
                await one(number)

        async def many() -> float:
            began = clock.monotonic()
            await asyncio.gather(*(some(range(first, BUSY, AT_ONCE)) for first in range(AT_ONCE)))
            return (clock.monotonic() - began) / BUSY

        await many()
        return min(await many(), await many()), median([await one(number) for number in range(IDLE)])
