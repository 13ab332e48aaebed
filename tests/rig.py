"""A node in simulated time, on a machine that can vanish and a disk that outlives it, beside a world that is scripted.

def test_a_payout_succeeds():
    async def main(rig):
        app = payouts(rig.world)
        node = await rig.start(app)
        handle = await rig.on(node.submit(Payout("a", 5)))
        assert (await rig.on(handle.outcome())).result == "succeeded"

    simulate(main)
"""

import asyncio
from collections import defaultdict, deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from lictor import App, Call, EffectFailed, Node, Settings, allow, pending, report
from lictor.journal.memory import MemoryDisk, MemoryJournal
from lictor.runtime.offload import inline
from lictor.runtime.randomness import Randomness
from lictor.testing import Machine, SimClock, SimLoop, run


def simulate(main: Callable[["Rig"], Coroutine[Any, Any, Any]], seed: int = 1, **options: Any) -> Any:
    """What `main(rig)` returns when it is run in simulation."""

    async def with_rig(loop):
        return await main(Rig(loop))

    return run(seed, with_rig, **options).value


@dataclass(frozen=True)
class Payout:
    """What the tests decide: `amount` to `account`."""

    account: str
    amount: int = 1


@dataclass(frozen=True)
class Arrival:
    """One call that reached the world."""

    account: str
    amount: int
    key: str
    attempt: int
    fence: int
    at_s: float


class World:
    """What effectors act on: a script for each account says what its next calls do; without one they succeed."""

    def __init__(self, clock: SimClock) -> None:
        self.clock = clock
        self.script: dict[str, deque[Any]] = defaultdict(deque)
        #: Every call, whether or not it had an effect.
        self.arrivals: list[Arrival] = []
        #: Key -> how often it took effect.
        self.effects: dict[str, int] = defaultdict(int)
        self.undone: list[str] = []
        self.asked: list[tuple[str, float]] = []
        #: What `reconcile` and `cancel` answer, by account.
        self.answers: dict[str, deque[Any]] = defaultdict(deque)
        self.running = 0
        self.running_max = 0

    def says(self, account: str, *behaviours: Any) -> None:
        """What the next calls for this account do: see `_behave`."""
        self.script[account].extend(behaviours)

    def order(self) -> list[str]:
        """Accounts in the order in which their calls arrived."""
        return [arrival.account for arrival in self.arrivals]

    async def perform(self, call: Call, account: str, amount: int) -> Any:
        """One call."""
        self.arrivals.append(Arrival(account, amount, call.key, call.attempt, call.fence, self.clock.monotonic()))
        self.running += 1
        self.running_max = max(self.running_max, self.running)
        try:
            script = self.script[account]
            return await self._behave(call, script.popleft() if script else "ok")
        finally:
            self.running -= 1

    async def _behave(self, call: Call, behaviour: Any) -> Any:
        if isinstance(behaviour, Exception):
            raise behaviour
        if callable(behaviour):
            return await behaviour(call)
        if isinstance(behaviour, int | float):  # takes so many seconds
            await self.clock.sleep(behaviour)
            behaviour = "ok"
        if behaviour == "fail":
            raise EffectFailed("no", code="NO_FUNDS")
        if behaviour == "retry":
            raise EffectFailed("later", retry=True)
        if behaviour == "lost":  # it did not arrive, and nobody says so
            await self.clock.sleep(1e9)
        self.effects[call.key] += 1
        if behaviour == "done_and_silent":
            await self.clock.sleep(1e9)
        if behaviour == "done_and_raise":
            raise ConnectionResetError("the line is dead")
        if behaviour == "pending":
            return pending(f"ref-{call.key}", poll_after_s=5)
        return f"receipt-{call.key}"

    async def ask(self, call: Call, account: str, amount: int) -> Any:
        """What became of it: what `answers` says next, else the truth."""
        self.asked.append((account, self.clock.monotonic()))
        answers = self.answers[account]
        if answers:
            answer = answers.popleft()
            if isinstance(answer, Exception):
                raise answer
            return await answer(call) if callable(answer) else answer
        if self.effects.get(call.key):
            return report(f"seen-{call.key}", final=True, result="succeeded", value="found")
        return report(f"absent-{call.key}-{call.attempt}", final=True, result="absent")

    async def stop(self, call: Call, account: str, amount: int) -> Any:
        """Cancel: what `answers` says next, else nothing is known."""
        answers = self.answers[f"cancel {account}"]
        return answers.popleft() if answers else None

    async def undo(self, call: Call, account: str, amount: int) -> Any:
        """Compensate: what the script of `undo ACCOUNT` says, else it is undone."""
        script = self.script[f"undo {account}"]
        behaviour = script.popleft() if script else "ok"
        if isinstance(behaviour, int | float):
            await self.clock.sleep(behaviour)
        if isinstance(behaviour, Exception):
            raise behaviour
        self.undone.append(account)


def payouts(world: World, *, plan: Any = None, asks: bool = True, kind: dict[str, Any] | None = None, **effector: Any):
    """An App with one kind, one effector `transfer` on the world, and one gate that allows."""
    app = App("payouts")
    app.decision(**({"expires_in_s": 60} | (kind or {})))(Payout)
    options = {"idempotent": False, "timeout_s": 10, "slots": 8, "name": "transfer"} | effector
    transfer = app.effector(**options)(world.perform)
    if asks:
        transfer.reconcile(world.ask)
    transfer.cancel(world.stop)
    transfer.compensate(world.undo)

    @app.gate(Payout)
    def open_to_all(payout, state):
        return allow()

    def one(payout):
        return transfer.action(payout.account, payout.amount)

    app.plan(Payout)((lambda payout: plan(transfer, payout)) if plan else one)
    return app


class Rig:
    """A loop, its clock, one disk, and the machine that the node of the moment runs on."""

    def __init__(self, loop: SimLoop) -> None:
        self.loop = loop
        self.clock = SimClock(loop)
        self.disk = MemoryDisk()
        self.world = World(self.clock)
        self.machine: Machine | None = None
        self.node: Node | None = None

    async def start(self, app: App, **settings: Any) -> Node:
        """A node on a machine that has just booted."""
        self.machine = self.loop.boot("node")
        self.node = Node(
            app,
            MemoryJournal(self.disk),
            settings=Settings(tune_collector=False, **settings),
            clock=self.clock,
            randomness=Randomness(self.loop.seed),
            lanes=inline,
        )
        await self.on(self.node.start())
        return self.node

    async def on(self, work: Coroutine[Any, Any, Any] | asyncio.Task[Any]) -> Any:
        """Run something on the node's machine, or wait for what runs there."""
        return await self.machine.join(work if isinstance(work, asyncio.Task) else self.machine.spawn(work))

    async def restart(self, app: App, **settings: Any) -> Node:
        """Crash, and start again on the same disk."""
        if self.machine.alive:
            self.machine.crash()
        return await self.start(app, **settings)

    async def submit(self, value: Any, **options: Any) -> Any:
        """The handle of one decision."""
        return await self.on(self.node.submit(value, **options))

    async def outcome(self, value: Any, **options: Any) -> Any:
        """The outcome of one decision, or its verdict where there is none to come."""
        handle = await self.submit(value, **options)
        return await self.on(handle.outcome()) or handle.verdict

    async def settle(self, seconds: float = 0.001) -> None:
        """Let what is going on go on for so long."""
        await asyncio.sleep(seconds)

    def state(self, decision: int, ordinal: int = 0) -> str:
        """Where an action of an open decision is."""
        return self.node.journal.state.open[decision].actions[ordinal].state

    def outcomes(self) -> dict[int, Any]:
        """Outcomes so far, by decision."""
        return {row.decision: row.outcome for row in self.node.journal._feed}
