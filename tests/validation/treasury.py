"""An App that uses all that gates may read and all that they may answer, and random work for it, in virtual time.

`Rules` says what a test changes: limits, thresholds, whether a gate reads something new.
"""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace

from lictor import App, Call, Change, EffectFailed, Node, Priority, allow, amend, defer, deny, hold, pending, report
from lictor.errors import LictorError
from lictor.journal.memory import MemoryDisk, MemoryJournal
from lictor.journal.port import Journal
from lictor.journal.sqlite.journal import SqliteJournal
from lictor.runtime.offload import inline
from lictor.surfaces import rehearsing
from lictor.testing import SimClock, run

ACCOUNTS = ("a-1", "a-2", "a-3", "gone")


@dataclass(frozen=True)
class Price:
    """What a desk would keep in a reference: neither JSON nor plain."""

    bid: Decimal
    venues: frozenset[str]
    path: tuple[int, ...]


@dataclass(frozen=True)
class Payout:
    account: str
    amount: int


@dataclass(frozen=True)
class Sweep:
    account: str
    amount: Decimal


@dataclass(frozen=True)
class Rules:
    cash: int = 3_000
    hold_above: int = 400
    cap: int = 600
    reads_score: bool = False
    reads_other: bool = False
    asks_model: bool = True
    denied: tuple[str, ...] = ("gone",)
    performed: list[str] = field(default_factory=list)


def treasury(rules: Rules, draws: random.Random | None = None) -> App:
    """The App under some rules; `draws` is what its loaders, lookups and effectors are random by."""
    app = App("treasury", version="1")
    for kind in (Payout, Sweep):
        app.decision(
            order_by="account",
            expires_in_s=45.0,
            approve_within_s=20.0,
            tightens=lambda was, now: now.amount <= was.amount,
        )(kind)
    app.source("agent", priority=Priority.HIGH)
    app.source("model", kinds=[Payout], tenants=["acme"])
    means = _means(app, rules, draws or random.Random(0))
    _rules_and_risk(app, rules, means)
    _authorization_and_resources(app, rules, means)
    _effects(app, rules, means)
    return app


def _means(app: App, rules: Rules, draws: random.Random) -> SimpleNamespace:
    def load_price() -> Price:
        if draws.random() < 0.2:
            raise ConnectionError("no price today")
        return Price(Decimal(draws.randint(90, 110)) / 3, frozenset({"x", "y"}), (1, draws.randint(1, 3)))

    @app.lookup(Payout, timeout_s=1.0)
    async def fraud(payout: Payout) -> dict:
        chance = draws.random()
        await asyncio.sleep(5.0 if chance < 0.05 else 0.01)
        if chance > 0.95:
            raise ConnectionError("no answer")
        return {"score": Decimal(draws.randint(0, 100)), "tags": ("new",)}

    def day(scope: str) -> Decimal:
        return Decimal(900) if scope == "a-1" else Decimal(2_000)

    return SimpleNamespace(
        draws=draws,
        fraud=fraud,
        cash=app.balance("cash", limit=rules.cash, per="tenant"),
        daily=app.balance("daily", limit=day, per="account", window_s=60.0),
        price=app.reference("price", load_price, max_age_s=20.0, refresh_s=7.0),
        other=app.reference("other", lambda: {"n": draws.randint(1, 3), 7: {1, 2}}, max_age_s=20.0, refresh_s=5.0),
        opaque=app.reference("opaque", object, max_age_s=1e6),
        size=app.adjustable("size", default=1.0, tightest=0.2, loosest=1.0, loosen_per_hour=100.0),
    )


def _rules_and_risk(app: App, rules: Rules, means: SimpleNamespace) -> None:
    @app.gate(Payout, Sweep, family="rules")
    def known(wanted, state):
        if state.decision.priority == Priority.LOW:
            return deny("LOW_CLASS")
        return deny("ACCOUNT_GONE") if wanted.account in rules.denied else allow()

    @app.gate(Payout, family="risk")
    def priced(payout, state):
        now = state[means.price]
        if not isinstance(now.bid, Decimal) or not isinstance(now.path, tuple) or now.venues != {"x", "y"}:
            return deny("EVIDENCE_DIFFERS")
        if now.path[1] == 3 and payout.amount > 300:
            return defer(3.0, "PRICE_MOVING")
        return deny("PRICE_LOW") if now.bid < 31 else allow()

    @app.gate(Payout, family="risk")
    def sized(payout, state):
        most = int(rules.cap * state[means.size])
        return amend(Payout(payout.account, most), "TOO_LARGE", cap=most) if payout.amount > most else allow()

    def honest(payout, state):
        answer = state[means.fraud]
        return deny("FRAUD", score=str(answer["score"])) if answer["score"] > 90 else allow()

    def trusted(payout, state):
        return allow() if state.score("success") > 0.1 else deny("SOURCE_BAD")

    def others(sweep, state):
        return deny("OTHER") if state[means.other]["n"] == 3 and state[means.other][7] == {1, 2} else allow()

    for kind, wanted, check in (
        (Payout, rules.asks_model, honest),
        (Payout, rules.reads_score, trusted),
        (Sweep, rules.reads_other, others),
    ):
        if wanted:
            app.gate(kind, family="risk")(check)


def _authorization_and_resources(app: App, rules: Rules, means: SimpleNamespace) -> None:
    cash, daily = means.cash, means.daily

    @app.gate(Payout, family="authorization")
    def large(payout, state):
        return hold("LARGE", left=state.left(cash)) if payout.amount > rules.hold_above else allow()

    @app.gate(Payout, family="priority")
    def hurry(payout, state):
        return allow(priority=Priority.LOW) if payout.amount < 50 else allow()

    @app.gate(Sweep, family="rules", shadow=True)
    def trial(sweep, state):
        return deny("TRIAL") if state[means.opaque] else allow()

    @app.gate(Payout, family="resources")
    def affordable(payout, state):
        if state.used(cash) > 2_900:
            return deny("NEARLY_SPENT")
        return allow(cash.reserve(payout.amount))

    @app.gate(Sweep, family="resources")
    def within_a_day(sweep, state):
        return deny("DAY_FULL") if state.left(daily) < sweep.amount else allow(daily.reserve(sweep.amount))


def _effects(app: App, rules: Rules, means: SimpleNamespace) -> None:
    draws = means.draws

    @app.effector(idempotent=False, timeout_s=5, slots=4)
    async def transfer(call: Call, account: str, amount: int) -> str:
        rules.performed.append(call.key)
        chance = draws.random()
        await asyncio.sleep(chance)
        if chance < 0.2:
            raise EffectFailed("closed", code="CLOSED")
        call.settle(means.cash, amount - (3 if chance < 0.6 else 0) + (500 if chance > 0.98 else 0))
        return account

    @app.effector(idempotent=True, timeout_s=5, slots=4)
    async def move(call: Call, account: str, amount: Decimal):
        rules.performed.append(call.key)
        await asyncio.sleep(draws.random() / 10)
        return pending(f"ref-{call.key}", poll_after_s=4.0) if draws.random() < 0.3 else amount

    @move.reconcile
    async def moved(call: Call, account: str, amount: Decimal):
        return report(call.key, "succeeded", settled={"daily": amount / 2})

    app.plan(Payout)(lambda payout: transfer.action(payout.account, payout.amount))
    app.plan(Sweep)(lambda sweep: move.action(sweep.account, sweep.amount))

    @app.lesson(Payout)
    def learn(learned):
        good = learned.outcome.result == "succeeded"
        return {"good": good}, ([] if good else [Change(means.size, learned.current["size"] * 0.7, "failed")])


def work(seed: int, *, steps: int = 120, rules: Rules | None = None, file: Path | None = None) -> MemoryDisk:
    """What a node leaves behind after some random work, with a restart in the middle; in a file if one is named."""
    disk = MemoryDisk()
    rules = rules or Rules()

    def journal() -> Journal:
        return MemoryJournal(disk) if file is None else SqliteJournal(file)

    async def main(loop):
        draws = random.Random(f"treasury:{seed}")
        clock = SimClock(loop)
        for half in range(2):
            app = treasury(rules, random.Random(f"world:{seed}:{half}"))
            async with Node(app, journal(), clock=clock, lanes=inline) as node:
                for step in range(steps // 2):
                    await _step(node, draws, f"{half}-{step}")
                    await clock.sleep(draws.choice((0.0, 0.0, 0.05, 0.5, 2.0)))

    run(seed, main)
    return disk


async def _step(node: Node, draws: random.Random, name: str) -> None:
    source = draws.choice(("agent", "agent", "model"))
    options = {
        "source": source,
        "tenant": draws.choice(("acme", "acme", "globex")),
        "key": draws.choice((None, None, f"k{draws.randint(1, 12)}")),
        "priority": draws.choice((None, None, Priority.LOW)) if draws.random() < 0.3 else None,
    }
    amount = draws.choice((20, 120, 250, 450, 900))
    wanted = (
        Payout(draws.choice(ACCOUNTS), amount)
        if draws.random() < 0.7
        else Sweep(draws.choice(ACCOUNTS), Decimal(amount) / 2)
    )
    if draws.random() < 0.3:
        await asyncio.gather(*(node.submit(wanted, **{**options, "key": None}) for _ in range(4)))
    else:
        await node.submit(wanted, **options)
    held = [d for d, found in node.journal.state.open.items() if found.state == "held"]
    try:
        if held and draws.random() < 0.5:
            await node.approve(draws.choice(held), by="ana", approved=draws.random() < 0.8)
        elif draws.random() < 0.04:
            await node.halt("kind:Payout", by="ana", reason=name)
            await node.submit(Payout("a-1", 100), **options)
            await node.resume("kind:Payout", by="ana")
        elif draws.random() < 0.05:
            await node.set_limit("cash", draws.randint(2_000, 5_000), scope="acme", by="ana", reset_latch=True)
        elif draws.random() < 0.05 and node.journal.state.open:
            await node.cancel(draws.choice(list(node.journal.state.open)), by="ana")
    except LictorError:
        pass  # it had ended in the meantime


def rehearse(disk: MemoryDisk, rules: Rules, **options):
    """Rehearse what is on a disk by some rules."""

    async def main():
        journal = MemoryJournal(disk)
        await journal.open(0)
        return await rehearsing.rehearse(treasury(rules), journal, **options)

    return asyncio.run(main())
