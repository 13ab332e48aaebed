"""What comes of each setting: the real node on simulated time, beside a world whose service takes a known time."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from random import Random
from typing import Any, cast

from tests.rig import Payout, Rig, World, payouts, simulate

from benchmarks.failures.lending import Case, lend
from lictor import App, EffectFailed, deny
from lictor.testing import SimClock

#: Steps of simulated time that a run may take.
STEPS_MAX = 20_000_000


@dataclass(frozen=True)
class Shape:
    """The App that is measured: so many slots, each call so long, a deadline, and a share of extra work."""

    slots: int = 8
    service_s: float = 0.1
    expires_in_s: float = 1.0
    timeout_s: float = 10.0
    extra_work: float = 0.05

    @property
    def per_s(self) -> float:
        """Capacity in decisions a second."""
        return self.slots / self.service_s


#: One slot and a queue as long as the deadline allows, to see how long what is queued goes on.
QUEUED = Shape(slots=1, service_s=0.5, expires_in_s=20.0, timeout_s=2.0)


def declared(shape: Shape, world: World | None = None) -> App:
    """The App of a shape."""
    app: App = payouts(
        world or World(cast("SimClock", None)),  # of an App that is only read
        kind={"expires_in_s": shape.expires_in_s},
        idempotent=True,
        slots=shape.slots,
        timeout_s=shape.timeout_s,
        extra_work=shape.extra_work,
        retry_base_s=0.001,
    )
    return app


async def offer(rig: Rig, shape: Shape, per_s: float, seconds: float, behaviour: Any = None) -> list[float]:
    """Submit at a rate, as a Poisson process; when each was submitted. Each call takes its service time."""
    draw, node = Random(rig.loop.seed), rig.node
    at: list[float] = []
    if node is None or rig.machine is None:
        return at
    began = rig.clock.monotonic()
    while (now := rig.clock.monotonic()) < began + seconds:
        account = f"a-{len(at)}"
        rig.world.script[account].extend([shape.service_s if behaviour is None else behaviour] * 4)
        rig.machine.spawn(node.submit(Payout(account)))
        at.append(now)
        await asyncio.sleep(draw.expovariate(per_s))
    await asyncio.sleep(shape.expires_in_s + shape.service_s + 1.0)
    return at


def succeeded(rig: Rig) -> int:
    """How many decisions have."""
    return sum(outcome.result == "succeeded" for outcome in rig.outcomes().values())


# -- speed and correctness --------------------------------------------------------------------------------------------


def revoked_s(assurance: str, seed: int) -> float:
    """How long after a deploy that revokes a policy the last effect under it ends."""

    async def main(rig: Rig) -> float:
        node = await rig.start(declared(QUEUED, rig.world), assurance=assurance)
        for number in range(200):  # as many as fit before the deadline are let in
            rig.world.script[f"a-{number}"].append(QUEUED.service_s)
            await rig.submit(Payout(f"a-{number}"))
            await asyncio.sleep(0.01)
        revoked_at = rig.clock.monotonic()
        await rig.on(node.stop())
        if rig.machine is not None:
            rig.machine.crash()
        app = declared(QUEUED, rig.world)
        app.version = "2"
        app.gate(Payout, name="revoked")(lambda _payout, _state: deny("REVOKED"))
        await rig.start(app, assurance=assurance)
        await asyncio.sleep(2 * QUEUED.expires_in_s)
        return max(arrival.at_s + QUEUED.service_s - revoked_at for arrival in rig.world.arrivals)

    return float(max(0.0, simulate(main, seed, steps_max=STEPS_MAX)))


def believed(assurance: str, seed: int) -> float:
    """The share of false successes that end as succeeded without an effect; three in ten calls lie."""

    async def main(rig: Rig) -> float:
        await rig.start(declared(Shape(), rig.world), assurance=assurance)
        draw, lies, false = Random(seed), 0, 0

        async def lie(_call: Any) -> str:
            return "a receipt of nothing"

        for number in range(200):
            lying = draw.random() < 0.3
            rig.world.script[f"a-{number}"].append(lie if lying else "ok")
            effects = len(rig.world.effects)
            outcome = await rig.outcome(Payout(f"a-{number}"))
            lies += lying
            false += outcome.result == "succeeded" and len(rig.world.effects) == effects
        return false / lies

    return float(simulate(main, seed, steps_max=STEPS_MAX))


def shed(load: float, seconds: float, seed: int) -> float:
    """The share of what is offered that is not begun, at so many times capacity."""
    shape = Shape()

    async def main(rig: Rig) -> float:
        await rig.start(declared(shape, rig.world))
        at = await offer(rig, shape, load * shape.per_s, seconds)
        known = [f"a-{number}" for number, submitted in enumerate(at) if _steady(submitted, at, shape)]
        done = {arrival.account for arrival in rig.world.arrivals}
        return 1.0 - sum(account in done for account in known) / len(known)

    return float(simulate(main, seed, steps_max=STEPS_MAX))


def _steady(submitted: float, at: list[float], shape: Shape) -> bool:
    """Neither while the queue fills nor near the end."""
    return at[0] + 2 * shape.expires_in_s < submitted < at[-1] - shape.expires_in_s


def stale(seconds: float, seed: int) -> float:
    """Calls that began past the deadline, at four times capacity."""
    shape = Shape()

    async def main(rig: Rig) -> int:
        await rig.start(declared(shape, rig.world))
        at = await offer(rig, shape, 4 * shape.per_s, seconds)
        due = {f"a-{number}": submitted + shape.expires_in_s for number, submitted in enumerate(at)}
        return sum(arrival.at_s > due[arrival.account] for arrival in rig.world.arrivals)

    return float(simulate(main, seed, steps_max=STEPS_MAX))


# -- centralisation and autonomy --------------------------------------------------------------------------------------


def lending(case: Case, figure: str, seed: int) -> float:
    """One figure of a fleet that shares a limit."""
    return float(getattr(lend(replace(case, seed=seed)), figure))


# -- reliability and cost ---------------------------------------------------------------------------------------------


def attempts(shape: Shape, count: int, seed: int) -> float:
    """Attempts for each decision while every call fails and may be tried again."""
    shape = replace(shape, expires_in_s=60.0)

    async def main(rig: Rig) -> float:
        await rig.start(declared(shape, rig.world))
        for number in range(count):
            rig.world.script[f"a-{number}"].extend(["retry"] * 9)
            await rig.outcome(Payout(f"a-{number}"))
        return len(rig.world.arrivals) / count

    return float(simulate(main, seed, steps_max=STEPS_MAX))


def failed(shape: Shape, fails: float, count: int, seed: int) -> float:
    """The share of decisions that fail in the end where each call fails by chance."""
    shape = replace(shape, expires_in_s=60.0)

    async def main(rig: Rig) -> float:
        draw = Random(seed)

        async def chance(_call: Any) -> str:
            if draw.random() < fails:
                raise EffectFailed("by chance", retry=True)
            return "done"

        await rig.start(declared(shape, rig.world))
        for number in range(count):
            rig.world.script[f"a-{number}"].extend([chance] * 9)
            await rig.outcome(Payout(f"a-{number}"))
        return 1.0 - succeeded(rig) / count

    return float(simulate(main, seed, steps_max=STEPS_MAX))


def idle(headroom: float, seconds: float, seed: int) -> float:
    """The share of slots' time that is not used, while three times capacity is offered."""
    shape = Shape()

    async def main(rig: Rig) -> float:
        await rig.start(declared(shape, rig.world), headroom=headroom)
        filling_s = shape.expires_in_s * (1.0 + 1.0 / headroom)  # the first deadline's worth drains like an outage's
        at = await offer(rig, shape, 3 * shape.per_s, filling_s + seconds)
        first, last = at[0] + filling_s, at[-1]
        began = sum(first <= arrival.at_s < last for arrival in rig.world.arrivals)
        return 1.0 - began / (shape.per_s * (last - first))

    return float(simulate(main, seed, steps_max=STEPS_MAX))


def drained_s(headroom: float, seed: int) -> float:
    """How long after an outage of 3 s work still waits, at twice capacity."""
    shape = Shape()
    down, up, ends = 5.0, 8.0, 8.0 + 2.0 * shape.expires_in_s / headroom

    async def main(rig: Rig) -> float:
        async def serve(_call: Any) -> str:
            now = rig.clock.monotonic() - began
            await rig.clock.sleep(shape.service_s + (up - now if down <= now < up else 0.0))
            return "done"

        await rig.start(declared(shape, rig.world), headroom=headroom)
        began = rig.clock.monotonic()
        at = await offer(rig, shape, 2 * shape.per_s, ends, serve)
        waited = {f"a-{number}": submitted for number, submitted in enumerate(at)}
        late = [
            arrival.at_s - began - up
            for arrival in rig.world.arrivals
            if arrival.at_s - waited[arrival.account] > 2 * shape.service_s and arrival.at_s - began > up
        ]
        return max(late, default=0.0)

    return float(simulate(main, seed, steps_max=STEPS_MAX))
