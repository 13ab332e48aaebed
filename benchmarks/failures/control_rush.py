"""64 proposers race for the last hundredth of ten budgets, in simulation: any await may crash, policy flips meanwhile.

The App is ordinary. Who judges is outside: the world's own log of arrivals and deeds, what proposers were told, and the
ledger that the simulator folds from recorded facts.
"""

from __future__ import annotations

import asyncio
import dataclasses
import random
from collections import Counter
from typing import Any

import msgspec

from benchmarks.failures.control_proposals import (
    AMOUNT_MAX,
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
from lictor import App, Call, NodeStoppedError, Settings, Signal, Snapshot, all_of, allow, deny
from lictor.testing.clock import EPOCH_US
from lictor.testing.loop import SimLoop
from lictor.testing.machine import Crashed
from lictor.testing.simulation import Simulation
from lictor.testing.world import Arrival, Party, World

#: Virtual seconds until the engine looks at the policy by itself; people tell it of most decrees at once.
REFRESH_S = 1.0
EXPIRES_S = 120.0
#: A deadline so long before everything began has passed by any clock.
EXPIRED_US = 30 * 86_400_000_000


class Spend(msgspec.Struct, frozen=True):
    """Spend an amount on an account, having seen a state of it."""

    account: str
    amount: int
    route: str
    number: int
    seen: int = 0


class Rush:
    """The scenario; also what judges it, because both know the proposals."""

    #: Machines that go down in one run, at most.
    crashes_max = 16

    def __init__(self, loop: SimLoop, *, count: int, assurance: str) -> None:
        self.random: random.Random = loop.streams.of("workload")
        self.proposals = drawn(self.random, count)
        known = {field.name for field in dataclasses.fields(Settings)}
        chosen = {"assurance": assurance} if "assurance" in known else {}
        self.settings = Settings(tune_collector=False, **chosen)
        #: What people have decreed, what of it the node has loaded as a reference, and what is deployed as a gate.
        self.decreed = self.loaded = self.deployed = Policy()
        self.sim: Simulation | None = None
        self.counts: Counter[str] = Counter()
        #: What each proposer was told in the end: a decision, or why there is none.
        self.answers: dict[int, int | str] = {}
        #: Whose budget an effect uses, by its key.
        self.tenants: dict[str, str] = {}
        #: The action that an effect is of, by its key.
        self.actions: dict[str, tuple[int, int]] = {}
        #: Decisions whose failed bulk was asked for anew.
        self.abandoned: set[int] = set()
        self._deploys = loop.streams.of("world/deploys")
        self._seen: set[str] = set()
        self._racing = True

    # -- the App --------------------------------------------------------------------------------------------------

    def app(self, world: World, incarnation: int) -> App:
        """Each start of the node deploys another policy, in its gates."""
        if incarnation:
            self.deployed = next_policy(self._deploys, next_policy(self._deploys, self.deployed))
        return self._build(world, self.deployed)

    def _load(self) -> Policy:
        self.loaded = self.decreed
        return self.loaded

    def _build(self, world: World, deployed: Policy) -> App:
        app = App("rush")
        for number in range(4):
            app.source(f"agent-{number}")
        app.source("treasury")
        app.source("clerk", tenants=("t-0",))
        cash = app.balance("cash", limit=LIMIT, per="tenant")
        policy = app.reference("policy", self._load, max_age_s=30, refresh_s=REFRESH_S)
        app.decision(order_by="account", expires_in_s=EXPIRES_S)(Spend)

        @app.gate(Spend, family="rules")
        def sane(spend: Spend, _state: Snapshot) -> Any:
            return allow() if spend.amount > 0 else deny("AMOUNT")

        banned = {"banned": sorted(deployed.revoked)}

        @app.gate(Spend, family="authorization", parameters=banned)
        def allowed(spend: Spend, _state: Snapshot) -> Any:
            return deny("BANNED") if spend.account in deployed.revoked else allow()

        @app.gate(Spend, family="authorization")
        def permitted(spend: Spend, state: Snapshot) -> Any:
            now = state[policy]
            if state.decision.source == "treasury" or now.permits(spend.account, spend.seen):
                return allow()
            return deny("REVOKED" if spend.account in now.revoked else "CONFLICT", version=now.version)

        @app.gate(Spend, family="resources")
        def affordable(spend: Spend, _state: Snapshot) -> Any:
            return allow(cash.reserve(spend.amount))

        self._effectors(app, world, cash)
        return app

    def _effectors(self, app: App, world: World, cash: Any) -> None:
        bank = world.party("pay", idempotent=False, timeout_s=2.0, budget="cash")
        book = world.party("note", idempotent=True, timeout_s=1.0)
        mail = world.party("post", idempotent=False, timeout_s=1.0)

        @app.effector(idempotent=False, timeout_s=2.0, slots=8, poll_after_s=2.0, resolve_within_s=120.0)
        async def pay(call: Call, account: str, amount: int, number: int) -> Any:
            return await bank.act(call, account, amount, number, amount=amount, settles=cash)

        @app.effector(idempotent=True, timeout_s=1.0, slots=4, extra_work=0.5, retry_base_s=0.2, poll_after_s=2.0)
        async def note(call: Call, account: str, amount: int, number: int) -> Any:
            return await book.act(call, account, amount, number, amount=amount)

        @app.effector(idempotent=False, timeout_s=1.0, slots=4)
        async def post(call: Call, account: str, amount: int, number: int) -> Any:
            return await mail.act(call, account, amount, number, amount=amount)

        pay.reconcile(bank.ask)
        note.reconcile(book.ask)

        @app.plan(Spend)
        def spend(wanted: Spend) -> Any:
            told = (wanted.account, wanted.amount, wanted.number)
            if wanted.route == "pair":
                first = pay.action(*told)
                receipt = note.action(wanted.account, 0, wanted.number)
                return all_of(first, receipt.after(first))
            return {"pay": pay, "note": note, "post": post}[wanted.route].action(*told)

    # -- what people do -------------------------------------------------------------------------------------------

    async def people(self, sim: Simulation) -> None:
        self.sim = sim
        watch, sim.arrived = sim.arrived, self._arrived
        self._watch = watch
        sim.beside(self._resolver(sim))
        treasury = [self._spend_most(sim, number) for number in range(TENANTS)]
        await asyncio.gather(*treasury)
        sim.beside(self._decrees(sim))
        waiting = iter(self.proposals)
        await asyncio.gather(*(self._proposer(sim, waiting) for _ in range(PROPOSERS)))
        self._racing = False

    async def _spend_most(self, sim: Simulation, number: int) -> None:
        """99 % of a budget is spent before the race, in one piece."""
        bulk = Proposal(-1 - number, f"t-{number}", "treasury", f"b-{number}", SPENT, "note", f"bulk-{number}")
        while True:
            await self._offer(sim, bulk)
            answer = self.answers[bulk.number]
            if isinstance(answer, str):
                raise RuntimeError(  # noqa: TRY004 - an answer is an id or a code
                    f"the bulk of {bulk.tenant} was refused: {answer}"
                )
            told = sim.invariants.ledger.told[answer]
            while told.end is None:
                await asyncio.sleep(1.0)
            if told.end == "succeeded":
                return
            self.abandoned.add(answer)
            bulk.key += "+"

    async def _proposer(self, sim: Simulation, waiting: Any) -> None:
        for proposal in waiting:
            proposal.seen = self.decreed.floor
            if proposal.defect == "conflict":
                proposal.seen -= 1
            if proposal.earlier is not None:
                earlier = self.proposals[proposal.earlier]
                while earlier.number not in self.answers:  # its key must be bound first
                    await asyncio.sleep(0.5)
                if proposal.defect == "duplicate":
                    proposal.seen = earlier.seen
            await self._offer(sim, proposal)

    async def _offer(self, sim: Simulation, proposal: Proposal) -> None:
        """Submit until there is an answer: who got none asks again under the same key."""
        value, options = self._signal(sim, proposal)
        while True:
            try:
                handle = await sim.submit(value, **options)
            except (Crashed, NodeStoppedError):
                self.counts["asked again"] += 1
                await asyncio.sleep(0.05)
                continue
            if handle.verdict.result == "shed":
                await asyncio.sleep(handle.verdict.retry_after_s or 1.0)
                continue
            break
        self.answers[proposal.number] = handle.id or str(handle.verdict.code)
        if handle.admitted and self.random.random() < 0.8:
            await sim.outcome(handle)

    def _signal(self, sim: Simulation, proposal: Proposal) -> tuple[Any, dict[str, Any]]:
        p = proposal
        number = p.number if p.defect != "duplicate" or p.earlier is None else p.earlier
        value = Spend(p.account, p.amount, p.route, number, p.seen)
        if p.defect == "schema":
            payload = msgspec.json.encode({"account": p.account, "amount": "a lot", "number": p.number})
            return Signal(source=p.source, kind="Spend", tenant=p.tenant, key=p.key, payload=payload), {}
        options: dict[str, Any] = {"source": p.source, "tenant": p.tenant, "key": p.key}
        if p.defect == "expired":
            # By any clock: what the node goes by is no step of the wall clock, which here jumps by hours.
            options["deadline_us"] = EPOCH_US - EXPIRED_US
        return value, options

    async def _decrees(self, sim: Simulation) -> None:
        """People change the policy, and tell the node of it most of the time."""
        while self._racing:
            await asyncio.sleep(self.random.expovariate(1 / DECREE_S_MEAN))
            self.decreed = next_policy(self.random, self.decreed)
            self.counts["decrees"] += 1
            if self.random.random() < 0.8:
                try:
                    await sim.call(lambda node: node.refresh(node.app.references["policy"]))
                except (Crashed, NodeStoppedError):
                    continue
        self.decreed = Policy(self.decreed.version + 1, frozenset(), self.decreed.floor)

    async def _resolver(self, sim: Simulation) -> None:
        while True:
            await asyncio.sleep(8.0)
            await sim.find_out(lambda: sim.calm or self.random.random() < 0.5)

    async def afterwards(self, sim: Simulation) -> None:
        """Demand goes on: whatever a failure gave back is spent, until a usual amount finds no room."""
        ledger = sim.invariants.ledger
        for number in range(TENANTS):
            scope, spent = ("cash", f"t-{number}"), 0
            while True:
                while any(told.decision.tenant == scope[1] for told in ledger.open.values()):
                    await sim.find_out()
                    await asyncio.sleep(2.0)
                account = ledger.escrow.accounts[scope]
                left = LIMIT - account.settled.get(None, 0) - account.reserved.get(None, 0)
                if left < AMOUNT_MAX:
                    break
                spent += 1
                extra = Proposal(
                    len(self.proposals), scope[1], "agent-0", "last", AMOUNT_MAX, "note", f"last-{number}-{spent}"
                )
                extra.seen = self.decreed.floor
                self.proposals.append(extra)
                await self._offer(sim, extra)
                if isinstance(self.answers[extra.number], str):
                    break

    # -- the judge ------------------------------------------------------------------------------------------------

    def _arrived(self, arrival: Arrival, party: Party) -> None:
        """Something reaches the world."""
        self.counts["arrivals"] += 1
        proposal = self.proposals[arrival.args[2]] if arrival.args[2] >= 0 else None
        if proposal is not None:
            self.tenants[arrival.key] = proposal.tenant
            self.actions[arrival.key] = (arrival.decision, arrival.ordinal)
            if proposal.defect in NEVER and (proposal.defect != "conflict" or proposal.seen < self.loaded.floor):
                self.counts["ungoverned"] += 1
            again = arrival.key in self._seen and arrival.key not in party.cleared
            if proposal.account in self.deployed.revoked:
                self.counts["in doubt and revoked" if again else "revoked"] += 1
            elif not self.loaded.permits(proposal.account, proposal.seen):
                self.counts["in doubt and read" if again else "read"] += 1
            elif not again and not self.decreed.permits(proposal.account, proposal.seen):
                self.counts["not told yet"] += 1
        self._seen.add(arrival.key)
        self._watch(arrival, party)
