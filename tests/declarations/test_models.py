"""Pydantic models as kinds: submitted as objects and as JSON, identified, amended, planned, recovered."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated

import pytest
from pydantic import BaseModel, ConfigDict, Field, SecretStr
from tests.rig import simulate

from lictor import App, CsvFile, DeclarationError, Node, Signal, allow, amend, deny


class Line(BaseModel):
    """A part."""

    sku: str
    price: Decimal


class Order(BaseModel):
    """What is ordered; strict, so that only the rules of JSON let a time or an amount in."""

    model_config = ConfigDict(frozen=True, strict=True)

    account: Annotated[str, Field(min_length=1)]
    amount: Annotated[int, Field(gt=0, alias="amountCents")]
    due: datetime = datetime(2026, 1, 1, tzinfo=UTC)
    lines: list[Line] = []


class Row(BaseModel):
    """A row of a file."""

    account: str
    amount: int
    note: str | None = None


def shop(done):
    app = App("shop")
    cash = app.balance("cash", limit=1_000)
    app.decision(order_by="account", value="amount", tightens=lambda was, now: now.amount <= was.amount)(Order)

    @app.gate(Order)
    def known(order, state):
        assert type(order) is Order
        if order.amount > 500:
            return amend(order.model_copy(update={"amount": 500}))
        return allow() if order.account != "x" else deny("ACCOUNT_UNKNOWN")

    @app.gate(Order, family="resources")
    def affordable(order, state):
        return allow(cash.reserve(order.amount))

    @app.effector(idempotent=True, timeout_s=5)
    async def deliver(call, order: Order, line: Line | None = None):
        done.append((order, line))
        return order

    @app.plan(Order)
    def plan(order):
        return deliver.action(order, order.lines[0] if order.lines else None)

    return app


def order(account="a", amount=5, **fields):
    return Order(account=account, amountCents=amount, **fields)


def test_a_model_is_submitted_as_an_object_and_as_json_and_is_the_same_decision() -> None:
    done = []

    async def main():
        async with Node(shop(done)) as node:
            line = Line(sku="s", price=Decimal("1.50"))
            first = await node.submit(order(lines=[line]), key="k")
            text = b'{"lines": [{"price": "1.50", "sku": "s"}], "account": "a", "amountCents": 5}'
            again = await node.submit(Signal(source="local", kind="Order", payload=text, key="k"))
            outcome = await first.outcome()
            assert again.duplicate
            assert again.id == first.id
            assert done == [(order(lines=[line]), line)]
            assert outcome.value["amountCents"] == 5

    asyncio.run(main())


@pytest.mark.parametrize(
    ("payload", "says"),
    [
        (b'{"account": "a", "amountCents": 0}', "greater than 0"),
        (b'{"account": "", "amountCents": 1}', "at least 1 character"),
        (b'{"account": "a", "amountCents": "1"}', "valid integer"),
        (b'{"account": "a"}', "amountCents"),
        (b'{"account": "a", "amountCents": 1, "lines": [{"sku": "s", "price": "NaN"}]}', "finite"),
    ],
)
def test_what_the_model_does_not_take_is_refused_with_its_own_words(payload: bytes, says: str) -> None:
    async def main():
        async with Node(shop([])) as node:
            handle = await node.submit(Signal(source="local", kind="Order", payload=payload))
            assert handle.verdict.code == "MALFORMED"
            assert says in str(handle.verdict.rulings[-1].seen)

    asyncio.run(main())


def test_a_gate_amends_a_model() -> None:
    done = []

    async def main():
        async with Node(shop(done)) as node:
            handle = await node.submit(order(amount=900))
            await handle.outcome()
            assert done[0][0].amount == 500
            assert handle.verdict.reservations[0].amount == 500

    asyncio.run(main())


def test_a_model_is_read_again_after_a_crash() -> None:
    done = []

    async def main(rig):
        await rig.start(shop(done))
        await rig.submit(order(), not_before_us=rig.node.clock.wall_us() + 5_000_000)
        rig.machine.crash()
        await rig.start(shop(done))
        await rig.settle(30)

    simulate(main)
    assert [found.account for found, _ in done] == ["a"]


def test_a_row_of_a_file_fills_a_model(tmp_path) -> None:
    done = []

    app = App("rows")
    app.decision()(Row)

    @app.effector(idempotent=True, timeout_s=5)
    async def keep(call, row: Row):
        done.append(row)

    app.plan(Row)(keep.action)
    path = tmp_path / "rows.csv"
    path.write_text("account,amount,note\na,5,\nb,x,\nc,7,late\n")

    async def main():
        async with Node(app) as node:
            pulled = await node.pull(CsvFile(path, kind=Row, source="file"))
            assert pulled.received == 3
            while len(done) < 2:
                await asyncio.sleep(0)

    asyncio.run(main())
    assert done == [Row(account="a", amount=5), Row(account="c", amount=7, note="late")]


def test_a_secret_field_is_refused_when_it_is_declared() -> None:
    class Login(BaseModel):
        user: str
        password: SecretStr

    with pytest.raises(DeclarationError, match=r"Login\.password is a SecretStr"):
        App("logins").decision()(Login)
