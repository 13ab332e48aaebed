"""The App that the campaign simulates: every kind of decision, budget, gate, plan and effector that Lictor has.

`Features` are drawn from the seed, because a seed with few of them reaches states that one with all does not. What
people do with the App is in `lictor.testing.swarm`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import msgspec

from lictor.app import App
from lictor.declarations.effectors import Call, Draft, PlanDraft, all_of, all_or_compensate, quorum
from lictor.declarations.feedback import Change, Learned
from lictor.declarations.gates import Answer, Snapshot, allow, amend, defer, deny, hold
from lictor.declarations.hedge import Hedge
from lictor.records import Priority
from lictor.testing.streams import Streams
from lictor.testing.world import Party, World

#: Everything that a seed may have.
FEATURES = (
    "amendments",
    "budgets",
    "burst",
    "cancels",
    "children",
    "classes",
    "control",
    "deferrals",
    "duplicates",
    "halts",
    "holds",
    "lessons",
    "limits",
    "malformed",
    "not before",
    "orders",
    "plans",
    "policy changes",
    "rates",
    "reused keys",
    "short deadlines",
    "small node",
    "small window",
    "supersedes",
    "sync",
    "tenants",
    "unkeyed",
    "windows",
)


class Pay(msgspec.Struct, frozen=True):
    """One action, in the order of its account."""

    account: str
    amount: int
    route: str = "transfer"
    note: int = 0


class Wire(msgspec.Struct, frozen=True):
    """One action that a person must approve when it is large."""

    account: str
    amount: int
    route: str = "wire"
    note: int = 0


class Job(msgspec.Struct, frozen=True):
    """Several actions, under one of the three rules."""

    account: str
    amount: int
    rule: str = "all"
    size: int = 3
    note: int = 0


class Trade(msgspec.Struct, frozen=True):
    """An order on which the world goes on working."""

    account: str
    amount: int
    note: int = 0


class Stop(msgspec.Struct, frozen=True):
    """A control decision: passes order keys and classes, and is admitted while only reducing is allowed."""

    account: str
    amount: int = 1
    note: int = 0


KINDS: tuple[type, ...] = (Pay, Wire, Job, Trade, Stop)


@dataclass(frozen=True, slots=True)
class Features:
    """What this seed has."""

    on: frozenset[str]
    #: Drawn apart, so that no other draw of a seed moved when it came.
    hedged: bool = False

    @classmethod
    def drawn(cls, streams: Streams) -> Features:
        """Each with a chance that is itself drawn, so that some seeds have almost all and some almost none."""
        random = streams.of("workload")
        chance = random.choice((0.15, 0.35, 0.35, 0.6, 0.85))
        on = frozenset(name for name in FEATURES if random.random() < chance)
        return cls(on, streams.of("hedges").random() < HEDGED)

    def __contains__(self, name: str) -> bool:
        return name in self.on


def build(world: World, features: Features, incarnation: int) -> App:
    """The App as it is deployed for an incarnation of the node."""
    app = App("swarm", version=str(incarnation) if "policy changes" in features else "1")
    _kinds(app, features)
    _gates(app, world, features, incarnation)
    _effectors(app, world, features)
    _plans(app)
    if "lessons" in features:
        _lessons(app)
    return app


def _kinds(app: App, features: Features) -> None:
    expires_s = 6.0 if "short deadlines" in features else 60.0
    ordered = None if "small window" in features else "account"  # what has an order key is not parked
    app.decision(order_by=ordered, expires_in_s=expires_s, tightens=_tightens)(Pay)
    app.decision(order_by="account", expires_in_s=expires_s * 2, approve_within_s=30.0, tightens=_tightens)(Wire)
    app.decision(expires_in_s=expires_s * 2)(Job)
    app.decision(order_by="account", expires_in_s=expires_s)(Trade)
    app.decision(order_by="account", expires_in_s=expires_s, control=True, reduces=lambda _: True)(Stop)


def _tightens(before: Any, after: Any) -> bool:
    return bool(after.amount <= before.amount)


def _gates(app: App, world: World, features: Features, incarnation: int) -> None:
    cap = app.reference("cap", lambda: 400 - 40 * (int(world.loop.time() / 20) % 5), max_age_s=20_000, refresh_s=10)
    size = app.adjustable("size", default=500, tightest=100, loosest=500, loosen_per_hour=5_000, per="source")

    @app.gate(*KINDS, family="rules")
    def payable(value: Any, _state: Snapshot) -> Answer:
        return deny("AMOUNT_INVALID", amount=value.amount) if value.amount % 13 == 0 else allow()

    if "amendments" in features:

        @app.gate(Pay, Wire, family="risk")
        def capped(value: Any, state: Snapshot) -> Answer:
            most = int(min(state[cap], state[size]))
            return amend(msgspec.structs.replace(value, amount=most)) if value.amount > most else allow()

    if "deferrals" in features:

        @app.gate(Pay, Job, family="risk")
        def not_now(value: Any, state: Snapshot) -> Answer:
            young = state.now_us - state.decision.received_us < YOUNG_US
            return defer(1.0 + value.note % 3) if value.note % 4 == 0 and young else allow()

    if "holds" in features:
        parameters = {"deploy": incarnation % 3} if "policy changes" in features else None

        @app.gate(Wire, family="authorization", parameters=parameters)
        def signed(value: Wire, _state: Snapshot) -> Answer:
            return hold("LARGE", amount=value.amount) if value.amount > 100 else allow()  # noqa: PLR2004 - large

    _budgets(app, features)


def _budgets(app: App, features: Features) -> None:
    tight = "budgets" in features
    cash = app.balance("cash", limit=1_500 if tight else 10**9, per="tenant")
    daily = app.balance("daily", limit=6, per="all", window_s=20.0)
    calls = app.rate("calls", per_s=2.0, burst=3.0, per="tenant")

    @app.gate(Pay, Wire, Trade, family="resources")
    def affordable(value: Any, _state: Snapshot) -> Answer:
        return allow(cash.reserve(value.amount))

    @app.gate(Job, family="resources")
    def affordable_job(value: Job, _state: Snapshot) -> Answer:
        return allow(cash.reserve(value.amount * value.size))

    if "windows" in features:

        @app.gate(Pay, Job, family="resources")
        def within_quota(_value: Any, _state: Snapshot) -> Answer:
            return allow(daily.reserve(1))

    if "rates" in features:

        @app.gate(Pay, Wire, family="resources")
        def within_rate(_value: Any, _state: Snapshot) -> Answer:
            return allow(calls.take())


def _asking(effector: Any, behind: Party, *, undo: bool = False, stop: bool = False) -> None:
    effector.reconcile(behind.ask)
    if undo:
        effector.compensate(behind.undo)
    if stop:
        effector.cancel(behind.stop)


def _effectors(app: App, world: World, features: Features) -> None:
    cash = app.balances["cash"]

    bank = world.party("transfer", idempotent=False, timeout_s=2.0, budget="cash")
    correspondent = world.party("wire", idempotent=False, timeout_s=2.0)
    shop = world.party("ship", idempotent=True, timeout_s=1.0)
    post = world.party("mail", idempotent=True, timeout_s=1.0)
    book = world.party("book", idempotent=False, timeout_s=1.0)
    stamp = world.party("stamp", idempotent=True, timeout_s=1.0)
    venue = world.party("trade", idempotent=False, timeout_s=1.0, budget="cash", works=True)

    @app.effector(idempotent=False, timeout_s=2.0, slots=2, poll_after_s=2.0)
    async def transfer(call: Call, account: str, amount: int) -> Any:
        return await bank.act(call, account, amount, amount=amount, settles=cash)

    @app.effector(idempotent=False, timeout_s=2.0, slots=1)
    async def wire(call: Call, account: str, amount: int) -> Any:
        return await correspondent.act(call, account, amount, amount=amount)

    hedge = Hedge(after=0.15) if features.hedged else None

    @app.effector(
        idempotent=True, timeout_s=1.0, slots=2, extra_work=0.5, poll_after_s=2.0, retry_base_s=0.2, hedge=hedge
    )
    async def ship(call: Call, account: str, amount: int) -> Any:
        return await shop.act(call, account, amount)

    @app.effector(idempotent=True, timeout_s=1.0, slots=2, extra_work=0.5, retry_base_s=0.2)
    async def mail(call: Call, account: str, amount: int, earlier: Any = None) -> Any:
        return await post.act(call, account, amount, *([] if earlier is None else [earlier]))

    @app.effector(idempotent=False, timeout_s=1.0, slots=1, poll_after_s=2.0, name="book")
    def book_(call: Call, account: str, amount: int) -> Any:
        return book.act_now(call, account, amount, amount=amount)

    @app.effector(idempotent=True, timeout_s=1.0, slots=1, extra_work=0.5, name="stamp")
    def stamp_(call: Call, account: str, amount: int) -> Any:
        return stamp.act_now(call, account, amount)

    @app.effector(idempotent=False, timeout_s=1.0, slots=2, poll_after_s=2.0, resolve_within_s=600.0)
    async def trade(call: Call, account: str, amount: int) -> Any:
        return await venue.order(call, account, amount, amount=amount)

    _asking(transfer, bank, undo=True)
    _asking(ship, shop, undo=True)
    _asking(book_, book, undo=True)
    _asking(trade, venue, stop=True)


def _plans(app: App) -> None:
    effectors = app.effectors

    @app.plan(Pay)
    def pay(value: Pay) -> Draft[Any]:
        return effectors[value.route].action(value.account, value.amount)

    @app.plan(Wire)
    def send(value: Wire) -> Draft[Any]:
        return effectors[value.route].action(value.account, value.amount)

    @app.plan(Trade)
    def buy(value: Trade) -> Draft[Any]:
        return effectors["trade"].action(value.account, value.amount)

    @app.plan(Stop)
    def stop(value: Stop) -> Draft[Any]:
        return effectors["stamp"].action(value.account, value.amount)

    @app.plan(Job)
    def job(value: Job) -> PlanDraft:
        return _job(value, effectors)


def _job(value: Job, effectors: Any) -> PlanDraft:
    """Actions in a row, or beside each other, or both; the last may read the first one's result."""
    names: Sequence[str] = ("transfer", "ship", "book") if value.rule == "all_or_compensate" else tuple(effectors)
    names = [name for name in names if name != "trade"]
    drafts = [
        effectors[names[(value.note + n) % len(names)]].action(f"{value.account}.{n}", value.amount)
        for n in range(value.size)
    ]
    if value.note % 2:
        for earlier, later in pairwise(drafts):
            later.after(earlier)
    if value.rule == "quorum":
        return quorum(max(1, value.size - 1), *drafts)
    if value.rule == "all_or_compensate":
        return all_or_compensate(*drafts)
    if value.note % 3 == 0:
        drafts.append(effectors["mail"].action(value.account, value.amount, drafts[0].result))
    return all_of(*drafts)


def _lessons(app: App) -> None:
    size = app.adjustables["size"]

    @app.lesson(Pay)
    def sized(learned: Learned) -> tuple[dict[str, Any], Sequence[Change]]:
        now = learned.current["size"]
        good = learned.outcome.result == "succeeded"
        wanted = now + 60 if good else now - 80
        count = learned.memory.get("count", 0) + 1
        return {"count": count}, [Change(size, max(100, min(500, wanted)), "it went well" if good else "it did not")]


#: How many seeds hedge.
HEDGED = 0.4
#: Younger decisions may be deferred.
YOUNG_US = 2_000_000
#: The class that a source may claim, where classes are drawn.
CLASSES = (Priority.URGENT, Priority.HIGH, Priority.NORMAL, Priority.LOW)
