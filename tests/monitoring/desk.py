"""An App with something to see: all results of gates, an effector that fails, doubts, pends; secrets everywhere."""

import asyncio
from dataclasses import dataclass

from lictor import App, EffectFailed, Node, Settings, allow, deny, hold, pending, report
from lictor.journal.memory import MemoryDisk, MemoryJournal
from lictor.runtime.offload import inline
from lictor.runtime.randomness import Randomness
from lictor.testing import SimClock, run

CANARY = "c4n4ry-8f1e"


@dataclass(frozen=True)
class Order:
    units: int
    world: str = "good"
    api_token: str = CANARY


def desk(loaded=lambda: {"limit": 100}, max_age_s=3_600):
    app = App("desk")
    cash = app.cash = app.balance("cash", limit=10_000, per="tenant")
    limits = app.reference("limits", loaded, max_age_s=max_age_s)
    app.size = app.adjustable("size", default=1.0, tightest=0.1)
    app.decision(expires_in_s=30)(Order)

    @app.gate(Order, family="rules")
    def within(order, state):
        most = state[limits]["limit"]
        return allow() if order.units <= most else deny("TOO_BIG", most=most, password=CANARY)

    @app.gate(Order, family="risk")
    def seen(order, state):
        return hold("LARGE", units=order.units) if order.units > 50 else allow()

    @app.gate(Order, family="resources")
    def affordable(order, state):
        return allow(cash.reserve(order.units)) if state.left(cash) else deny("BROKE")

    @app.effector(idempotent=False, timeout_s=5, slots=2, retry_base_s=0.1)
    async def place(call, units: int, world: str, token: str) -> dict:
        if world == "busy" and call.attempt == 1:
            raise EffectFailed(f"busy, token={CANARY}", code="BUSY", retry=True)
        if world == "bad":
            raise EffectFailed(f"no, password={CANARY}", code="NO")
        if world == "lost":
            raise ConnectionError(f"https://ann:{CANARY}@broker closed")
        if world == "slow":
            return pending("W-1", poll_after_s=100)
        if world == "dear":
            call.settle(cash, units + 5)
        return {"id": "o-1", "session_id": CANARY}

    @place.reconcile
    async def ask(call, units, world, token):
        return report("r-1", final=True, result="succeeded", settled={cash: units}) if world == "lost" else None

    @app.plan(Order)
    def plan(order):
        return place.action(order.units, order.world, token=order.api_token)

    return app


def simulate(main, seed=1):
    """What `main(clock)` returns, in virtual time."""

    async def with_clock(loop):
        return await main(SimClock(loop))

    return run(seed, with_clock).value


def node_on(app, clock, disk=None, **settings):
    """A node on a disk that outlives it."""
    return Node(
        app,
        MemoryJournal(disk or MemoryDisk()),
        settings=Settings(tune_collector=False, **settings),
        clock=clock,
        randomness=Randomness(1),
        lanes=inline,
    )


async def done(node, *args, **options):
    """Submit an order and wait for its end; None where it must be answered by a person or the world first."""
    handle = await node.submit(Order(*args), source="desk", tenant="acme", **options)
    async with asyncio.timeout(20):
        await handle.outcome()
    return handle
