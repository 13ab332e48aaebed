"""An App whose lesson shrinks a size after failures and lets it grow after successes; ways to run and kill its node."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass

from lictor import App, Change, EffectFailed, Node, Quality, Range, Settings, allow, deny
from lictor.journal.memory import MemoryDisk, MemoryJournal
from lictor.runtime.offload import inline
from lictor.runtime.randomness import Randomness
from lictor.testing import SimClock, run


@dataclass(frozen=True)
class Trade:
    units: int
    #: What the world does with it: "good", "bad", or "open" for one that stays pending.
    world: str = "good"


def trades(*, per="source", loosen_per_hour=0.1, demote_below=None):
    """The App, with its adjustable as `app.size`."""
    app = App("trades")
    if demote_below is not None:
        app.source("desk", quality=Quality(ranges={"units": Range(0, 1_000)}), demote_below=demote_below)
    cash = app.balance("cash", limit=1_000_000)
    size = app.size = app.adjustable("size", default=1.0, tightest=0.1, loosen_per_hour=loosen_per_hour)

    @app.decision(expires_in_s=60)
    class Declared(Trade):
        pass

    app.Trade = Declared

    @app.gate(Declared, family="risk")
    def small_enough(trade, state):
        most = 100 * state[size]
        return allow(cash.reserve(trade.units)) if trade.units <= most else deny("TOO_BIG", most=most)

    @app.effector(idempotent=False, timeout_s=5)
    async def order(call, units: int, world: str) -> int:
        if world == "bad":
            raise EffectFailed("no fill", code="NO_FILL")
        call.settle(cash, units - 1)
        return units

    @app.plan(Declared)
    def plan(trade):
        return order.action(trade.units, trade.world)

    @app.lesson(Declared, per=per)
    def fit(learned):
        lost = learned.outcome.result != "succeeded"
        seen = {"runs": learned.memory.get("runs", 0) + 1, "lost": learned.memory.get("lost", 0) + lost}
        wish = max(0.1, learned.current["size"] / 2) if lost else 1.0
        return seen, [Change(size, wish, "lost" if lost else "won")]

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


async def kill(node):
    """As `kill -9` would: nothing more is written, nothing is flushed."""
    tasks = [*node._tasks, *node._beside, *(a.task for a in node.pipeline.execution.attempts.running if a.task)]
    for task in tasks:
        task.cancel()
    if node._timer is not None:
        node._timer.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def killed(node):
    """A running node; leaving kills it."""
    await node.start()
    try:
        yield node
    finally:
        await kill(node)


def known(node):
    """Everything that feedback knows, the last turn included, as plain values that compare exactly."""
    node.pipeline.observe()
    feedback = node.pipeline.feedback
    tallies = {key: tally.values() for key, tally in feedback.scores.tallies().items()}
    quality = {source: share.values() for source, share in feedback.scores.quality.items()}
    return tallies, quality, dict(feedback.lessons._memories)
