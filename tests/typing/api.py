"""The public API as a user writes it: never run, only checked by mypy --strict.

A line with `# type: ignore[code]` is a mistake that a type checker must find: mypy warns where it does not.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import assert_type

from lictor import (
    Adaptive,
    Answer,
    App,
    BlockingNode,
    Call,
    Change,
    EffectFailed,
    Handle,
    Hedge,
    Learned,
    Node,
    Outcome,
    PlanDraft,
    Priority,
    Quality,
    Range,
    Report,
    Run,
    ScaledClock,
    Settings,
    Signal,
    Snapshot,
    Verdict,
    all_of,
    all_or_compensate,
    allow,
    amend,
    defer,
    deny,
    hold,
    pending,
    quorum,
    report,
)

app = App("payouts", version="1")
cash = app.balance("cash", limit=10_000, per="tenant")
daily = app.balance("daily", limit={"acme": Decimal("1.5")}, per=str, window_s=86_400)
calls = app.rate("calls", per_minute=10, burst=5)
app.balance("wrong", limit=1.5)  # type: ignore[arg-type]
app.rate("wrong", per_minute="ten")  # type: ignore[arg-type]


def load_accounts() -> list[str]:
    """A loader that blocks."""
    return ["a-17"]


async def load_prices() -> dict[str, Decimal]:
    """A loader that does not."""
    return {}


accounts = app.reference("accounts", load_accounts, max_age_s=60)
prices = app.reference("prices", load_prices, max_age_s=60)
caution = app.adjustable("caution", default=1.0, tightest=0.0, loosen_per_hour=0.1)
app.source("agent-7", priority=Priority.HIGH, quality=Quality(ranges={"amount": Range(low=0)}))


@app.decision(order_by="account", expires_in_s=30, tightens=lambda was, now: now.amount <= was.amount)
@dataclass(frozen=True)
class Payout:
    """A kind is the user's own class, and stays it."""

    account: str
    amount: int


assert_type(Payout("a", 1), Payout)
Payout("a", "much")  # type: ignore[arg-type]


@app.lookup(Payout, timeout_s=2)
async def fraud(payout: Payout) -> float:
    """An answer of a type of its own."""
    return 0.1 if payout.amount < 10 else 0.9


@app.gate(Payout, family="rules")  # type: ignore[arg-type]
def account_known(payout: Payout, state: Snapshot) -> object:
    """A gate gives an answer, and nothing else."""
    return payout.account in state[accounts]


@app.gate(Payout)
def reads(payout: Payout, state: Snapshot):  # type: ignore[no-untyped-def]
    """Whoever writes no types gets none checked."""
    return allow()


@app.gate(Payout, family="risk")
def honest(payout: Payout, state: Snapshot) -> Answer:
    """What a gate reads has its type."""
    assert_type(state[accounts], list[str])
    assert_type(state[prices], dict[str, Decimal])
    assert_type(state[fraud], float)
    assert_type(state[caution], float)
    state[cash]  # type: ignore[index]
    if state[fraud] > 0.5:
        return hold("FRAUD", score=state[fraud])
    if payout.amount > state.left(cash):
        return amend(replace(payout, amount=1))
    if state.score() < 0.5:
        return defer(5, "NOT_NOW")
    return deny("NO", account=payout.account)


@app.gate(Payout, family="luck")  # type: ignore[arg-type]
def unknown_family(payout: Payout, state: Snapshot) -> Answer:
    """Families are a closed set."""
    return allow()


@app.gate(Payout, family="resources")
def affordable(payout: Payout, state: Snapshot) -> Answer:
    """What a gate asks of budgets."""
    allow(payout.amount)  # type: ignore[arg-type]
    cash.reserve(1.5)  # type: ignore[arg-type]
    return allow(cash.reserve(payout.amount), daily.reserve(Decimal(1)), calls.take(), priority=Priority.LOW)


@dataclass(frozen=True)
class Receipt:
    """What a bank gives."""

    id: str
    fee: int


@app.effector(idempotent=False, timeout_s=5, slots=8)
async def transfer(call: Call, account: str, amount: int, *, note: str = "") -> Receipt:
    """An async effector; the call comes first."""
    assert_type(call.key, str)
    if amount > 100:
        raise EffectFailed("busy", code="BUSY", retry_after_s=3)
    if note:
        receipt: Receipt = pending("ref-1", poll_after_s=5)
        return receipt
    call.settle(cash, amount)
    call.settle(cash, 0.5)  # type: ignore[arg-type]
    return Receipt(account, 1)


@transfer.reconcile
async def find_transfer(call: Call, account: str, amount: int, *, note: str = "") -> Report | None:
    """Asks the world, with the arguments of the action."""
    return report("r-1", final=True, result="succeeded", settled={cash: amount}) if call.ref else None


@transfer.compensate
async def give_back(call: Call, account: str, amount: int, *, note: str = "") -> None:
    """Undoes it."""


@transfer.cancel  # type: ignore[arg-type]
async def wrong_arguments(call: Call, amount: int) -> Report | None:
    """It would be called with other arguments."""
    return None


@app.effector(idempotent=True, timeout_s=1, slots=Adaptive(low=1, high=64), hedge=Hedge(after="p95"))
async def push(call: Call, account: str) -> str:
    raise EffectFailed("later", retry_after_s=1, only_this=True)


@app.effector(idempotent=True, timeout_s=1, runs_in="process")
def compute(call: Call, account: str) -> int:
    return len(account)


push.action(1)  # type: ignore[arg-type]
compute.action("a")


@app.effector(idempotent=True, timeout_s=1)
def book(call: Call, receipt: Receipt, fee: Decimal) -> int:
    """A sync effector runs in a thread of its own lane."""
    return receipt.fee


@app.plan(Payout)
def pay(payout: Payout) -> PlanDraft:
    """Drafts are typed by the effector; results of earlier actions are inputs of later ones."""
    sent = transfer.action(payout.account, payout.amount, note="hi")
    assert_type(sent.result, Receipt)
    booked = book.action(sent.result, Decimal(1)).after(sent)
    assert_type(booked.result, int)
    transfer.action(payout.amount, payout.account)  # type: ignore[arg-type]
    transfer.action(payout.account)  # type: ignore[call-arg]
    book.action(sent, Decimal(1))  # type: ignore[arg-type]
    quorum(1, sent, booked)
    all_or_compensate(sent)
    return all_of(sent, booked)


@app.plan(Payout)  # type: ignore[arg-type]
def no_plan(payout: Payout) -> str:
    """A plan is made of actions."""
    return payout.account


@app.lesson(Payout)
def learn(seen: Learned) -> tuple[dict[str, float], Sequence[Change]]:
    """What is remembered, and what is wished for."""
    return {"n": 1.0}, [Change(caution, 0.5, "too many")]


async def send_email(to: str, text: str = "") -> int:
    """A function that exists already."""
    return len(to + text)


def book_room(call: Call, nights: int) -> Receipt:
    """One that wants the key of its call."""
    return Receipt(call.key, nights)


send = app.govern(send_email, limit=calls, approve_if=lambda to: "@" in to, timeout_s=5)
rooms = app.govern(
    book_room, budget=lambda nights: cash.reserve(nights * 2), idempotent=True, slots=Adaptive(low=1, high=4)
)
app.govern(send_email, limit=5)  # type: ignore[call-overload]
app.govern(send_email, aprove_if=len)  # type: ignore[call-overload]
app.govern(5)  # type: ignore[call-overload]


async def governed(node: Node) -> None:
    """A governed function is called as it was, after the node."""
    with Run("order-4711") as run:
        assert_type(await send(node, "ann", text="hi"), int)
        with run.step("again"):
            assert_type(await rooms(node, 3), Receipt)
    bound = send.on(node, source="agent-7", wait_s=5)
    assert_type(await bound("ann"), int)
    await send(node, 5)  # type: ignore[arg-type]
    await send("ann")  # type: ignore[arg-type, call-arg]
    await bound("ann", subject="x")  # type: ignore[call-arg]
    with BlockingNode(app) as blocking:
        assert_type(blocking.call(rooms, 3), Receipt)
        blocking.call(rooms, "three")  # type: ignore[arg-type]


async def stream() -> AsyncIterator[Payout]:
    """Decisions as they come."""
    yield Payout("a-17", 1)


async def program() -> None:
    """A program that submits, waits, and steers."""
    settings = Settings(durability="journal", backlog_max=100)
    async with Node(app, "payouts.db", settings=settings, clock=ScaledClock.starting_now(0, 10.0)) as node:
        handle = await node.submit(Payout("a-17", 250), source="agent-7", tenant="acme", key="inv-991")
        assert_type(handle, Handle)
        assert_type(handle.verdict, Verdict)
        assert_type(await handle.outcome(), Outcome | None)
        assert_type(await node.submit_many([Payout("a", 1)]), list[Handle])
        async for each in node.stream(stream()):
            assert_type(each, Handle)
        await node.submit(Signal(source="s", kind="Payout", payload=b"{}"))
        if handle.id is not None:
            await node.approve(handle.id, by="ann")
            assert_type(await node.cancel(handle.id, by="ann"), bool)
        await node.approve("0cnf276ae0000", by="ann")
        await node.approve(handle, by="ann")  # type: ignore[arg-type]
        await node.halt("tenant:acme", by="ann", reduce_only=True)
        await node.halt("all")  # type: ignore[call-arg]
        await node.resolve("ref-1", report("r-2", final=False))
        await node.set_limit("cash", Decimal(5), scope="acme", by="ann", reset_latch=True)
        handle.outcome().result  # type: ignore[attr-defined]  # noqa: B018
