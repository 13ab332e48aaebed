"""The same race as people run it today: check, then act, on asyncio, with a database, a semaphore and three tries.

The checks are all there, and kind to it: the database is never slow, keys and budgets survive a crash, the budget is
added to atomically, and the policy is read fresh. What is missing is that anything holds between the check and the act.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from benchmarks.failures.control_account import Account, deeds_of
from benchmarks.failures.control_proposals import (
    DECREE_S_MEAN,
    LIMIT,
    NEVER,
    PROPOSERS,
    SPENT,
    TENANTS,
    Policy,
    Proposal,
    drawn,
    next_policy,
)
from lictor import EffectFailed
from lictor.testing.faults import Faults, seeded_faults
from lictor.testing.loop import SimLoop
from lictor.testing.machine import Crashed, Machine
from lictor.testing.run import run
from lictor.testing.simulation import CRASH_STEPS_MEAN
from lictor.testing.world import Arrival, Party, World

SLOTS = {"pay": 8, "note": 4, "post": 4}
TIMEOUT_S = {"pay": 2.0, "note": 1.0, "post": 1.0}
TRIES = 3
CRASHES_MAX = 16


@dataclass(slots=True)
class NaiveCall:
    """What a party is handed."""

    key: str
    fence: int
    decision: int
    ordinal: int = 0

    def settle(self, _balance: Any, _amount: Any) -> None:
        """The service books for itself."""


class Database:
    """What survives a crash. Every access takes a moment."""

    def __init__(self, loop: SimLoop) -> None:
        self.done: dict[tuple[str, str, str], tuple[Any, str]] = {}
        self.spent: Counter[str] = Counter({f"t-{number}": SPENT for number in range(TENANTS)})
        self._draw = loop.streams.of("world/disk")

    async def moment(self) -> None:
        """One round trip."""
        await asyncio.sleep(self._draw.uniform(0.001, 0.005))


class Naive:
    """One race."""

    def __init__(self, loop: SimLoop, count: int, chances: dict[str, float], active: float) -> None:
        self.loop = loop
        self.random = loop.streams.of("workload")
        self.proposals = drawn(self.random, count)
        self.faults: Faults = seeded_faults(loop, chances, active=active)
        self.world = World(loop, self.faults, self)
        self.parties = {
            name: self.world.party(name, idempotent=name == "note", timeout_s=TIMEOUT_S[name]) for name in SLOTS
        }
        self.database = Database(loop)
        self.decreed = Policy()
        self.counts: Counter[str] = Counter()
        self.tenants: dict[str, str] = {}
        self.answers: dict[int, str] = {}
        self.crashes = 0
        self._machine: Machine | None = None
        self._slots: dict[str, asyncio.Semaphore] = {}
        self._fence = 0
        self._racing = True

    # -- the service ----------------------------------------------------------------------------------------------

    async def handle(self, p: Proposal) -> str:
        """Check, then act."""
        if p.defect == "schema":
            return "MALFORMED"
        if p.source == "mallory" or (p.source == "clerk" and p.tenant != "t-0"):
            return "NOT_PERMITTED"
        if p.defect == "expired":
            return "EXPIRED"
        place, content = (p.tenant, p.source, p.key), (p.account, p.amount, p.route)
        await self.database.moment()
        before = self.database.done.get(place)
        if before is not None:
            return before[1] if before[0] == content else "KEY_REUSED"
        await self.database.moment()
        if not self.decreed.permits(p.account, p.seen):
            return "REVOKED"
        await self.database.moment()
        if self.database.spent[p.tenant] + p.amount > LIMIT:
            return "BUDGET_EXCEEDED"
        result = await self._act(p)
        await self.database.moment()
        self.database.done[place] = (content, result)
        if result == "succeeded":
            self.database.spent[p.tenant] += p.amount
        return result

    async def _act(self, p: Proposal) -> str:
        for route, amount in (("pay", p.amount), ("note", 0)) if p.route == "pair" else ((p.route, p.amount),):
            async with self._slots[route]:
                if not await self._tries(p, route, amount):
                    return "failed"
        return "succeeded"

    async def _tries(self, p: Proposal, route: str, amount: int) -> bool:
        for attempt in range(TRIES):
            self._fence += 1
            call: Any = NaiveCall(f"{p.key}.{route}", self._fence, p.number)
            try:
                async with asyncio.timeout(TIMEOUT_S[route]):
                    await self.parties[route].act(call, p.account, amount, p.number, amount=amount)
            except EffectFailed as error:
                if not error.retry:
                    return False
            except (ConnectionError, TimeoutError):
                pass
            else:
                return True
            await asyncio.sleep(0.2 * 2**attempt)
        return False

    # -- the host and the people ----------------------------------------------------------------------------------

    async def main(self) -> None:
        host = self.loop.world.spawn(self._keep_up())
        decrees = self.loop.world.spawn(self._decrees())
        waiting = iter(self.proposals)
        await asyncio.gather(*(self._proposer(waiting) for _ in range(PROPOSERS)))
        self._racing = False
        host.cancel()
        decrees.cancel()
        await asyncio.sleep(30.0)  # what is still on its way arrives

    async def _keep_up(self) -> None:
        while True:
            self._machine = machine = self.loop.boot("naive")
            self._slots = {name: asyncio.Semaphore(slots) for name, slots in SLOTS.items()}
            if self.crashes < CRASHES_MAX and self.faults.strikes("crash at await", "await"):
                steps = self.faults.steps("crash at await", CRASH_STEPS_MEAN)
                self.loop.at_step(self.loop.steps + steps, machine.crash)
            await machine.crashed()
            self.crashes += 1
            await asyncio.sleep(self.loop.streams.of("world/host").uniform(0.05, 5.0))

    async def _proposer(self, waiting: Any) -> None:
        for p in waiting:
            p.seen = self.decreed.floor - (p.defect == "conflict")
            if p.earlier is not None:
                while p.earlier not in self.answers:
                    await asyncio.sleep(0.5)
            while p.number not in self.answers:
                machine = self._machine
                if machine is None or not machine.alive:
                    await asyncio.sleep(0.05)
                    continue
                with suppress(Crashed):
                    self.answers[p.number] = await machine.join(machine.spawn(self.handle(p)))

    async def _decrees(self) -> None:
        while self._racing:
            await asyncio.sleep(self.random.expovariate(1 / DECREE_S_MEAN))
            self.decreed = next_policy(self.random, self.decreed)
            self.counts["decrees"] += 1

    # -- the judge ------------------------------------------------------------------------------------------------

    def arrived(self, arrival: Arrival, party: Party) -> None:
        p = self.proposals[arrival.args[2]]
        self.counts["arrivals"] += 1
        self.tenants[arrival.key] = p.tenant
        again = arrival.key in party.seen and arrival.key not in party.cleared
        if p.defect in NEVER:
            self.counts["ungoverned"] += 1
        if not self.decreed.permits(p.account, p.seen):
            self.counts["in doubt and revoked" if again else "revoked"] += 1

    def returned(self, arrival: Arrival) -> None:
        """Nothing is counted."""


def race(seed: int, count: int, chances: dict[str, float], active: float) -> Account:
    """One race of the naive service; the same proposals and decrees, the same kinds of faults."""
    made: list[Naive] = []

    async def main(loop: SimLoop) -> None:
        naive = Naive(loop, count, chances, active)
        made.append(naive)
        await naive.main()

    run(seed, main)
    (naive,) = made
    account = Account(races=1, proposals=count, decisions=count, crashes=naive.crashes)
    counts = naive.counts
    account.arrivals, account.ungoverned = counts["arrivals"], counts["ungoverned"]
    account.revoked, account.revoked_in_doubt = counts["revoked"], counts["in doubt and revoked"]
    account.doubles, spent = deeds_of(naive.world, naive.tenants)
    account.overshoot = max(0.0, *((SPENT + spent[f"t-{n}"] - LIMIT) / LIMIT for n in range(TENANTS)))
    account.ends.update(naive.answers.values())
    done = {p.number for p in naive.proposals if naive.answers[p.number] == "failed" and _really_done(naive, p)}
    account.unflagged = len(done)
    uses = [(SPENT + spent[f"t-{n}"]) / LIMIT for n in range(TENANTS)]
    account.use_min, account.use_sum = min(uses), sum(uses) / len(uses)
    return account


def _really_done(naive: Naive, p: Proposal) -> bool:
    """It was told failed, and the world has done it."""
    route = "pay" if p.route == "pair" else p.route
    return bool(naive.parties[route].deeds.get(f"{p.key}.{route}"))
