"""From signals to decisions: types, identity (I10), versions, classes, parents."""

from dataclasses import dataclass
from decimal import Decimal

import msgspec
import pytest
from tests.rig import Payout, payouts, simulate

from lictor import App, Priority, Signal
from lictor.decisions.shaping import PAYLOAD_BYTES_MAX


@pytest.mark.parametrize(
    "payload",
    [b"{}", b'{"account": 5}', b'{"account": "a", "amount": "much"}', b"nonsense", b'{"account": "a"', b"[]", b"\xff"],
)
def test_a_payload_that_does_not_fit_its_kind_is_malformed_and_quarantined(payload):
    async def main(rig):
        node = await rig.start(payouts(rig.world))
        verdict = (await rig.submit(Signal(source="s", kind="Payout", payload=payload))).verdict
        assert (verdict.result, verdict.code) == ("refused", "MALFORMED")
        assert len(node.journal.state.quarantine) == 1
        assert node.failure is None

    simulate(main)


def test_a_value_that_cannot_be_written_down_is_malformed():
    async def main(rig):
        node = await rig.start(payouts(rig.world))
        for value in (Payout(object()), Payout("a", "x" * (PAYLOAD_BYTES_MAX + 1)), Payout("a", 2**70)):
            assert (await rig.submit(value)).verdict.code in {"MALFORMED", "QUARANTINED"}
        assert node.failure is None

    simulate(main)


def test_unknown_kinds_and_sources_are_refused():
    async def main(rig):
        app = payouts(rig.world)
        app.source("known")
        await rig.start(app)
        assert (await rig.submit(Signal(source="known", kind="Nothing", payload=b"{}"))).verdict.code == "KIND_UNKNOWN"
        assert (await rig.submit(Payout("a"), source="stranger")).verdict.code == "SOURCE_UNKNOWN"
        assert (await rig.submit(Payout("a"), source="known")).admitted

    simulate(main)


def test_the_same_key_and_content_gets_the_original_answer():
    async def main(rig):
        app = payouts(rig.world)
        await rig.start(app)
        first = await rig.submit(Payout("a", 1), key="k")
        again = await rig.submit(Payout("a", 1), key="k", expires_in_s=5)  # a deadline is no content
        assert (again.id, again.duplicate, first.duplicate) == (first.id, True, False)
        assert (await rig.on(again.outcome())) == (await rig.on(first.outcome()))
        await rig.restart(app)
        later = await rig.submit(Payout("a", 1), key="k")
        assert (later.id, later.duplicate) == (first.id, True)
        assert (await rig.on(later.outcome())).result == "succeeded"
        assert len(rig.world.arrivals) == 1

    simulate(main)


def test_the_same_key_with_other_content_is_refused():
    async def main(rig):
        await rig.start(payouts(rig.world))
        first = await rig.submit(Payout("a", 1), key="k")
        other = await rig.submit(Payout("a", 2), key="k")
        assert (other.verdict.result, other.verdict.code) == ("refused", "KEY_REUSED")
        assert other.verdict.rulings[-1].seen == {"key": "k", "bound_to": first.id}

    simulate(main)


def test_a_refusal_binds_its_key_too():
    async def main(rig):
        app = payouts(rig.world)
        cash = app.balance("cash", 10)
        from lictor import allow

        app.gate(Payout, family="resources", name="cash")(lambda p, s: allow(cash.reserve(p.amount)))
        node = await rig.start(app)
        first = await rig.submit(Payout("a", 50), key="k")
        await rig.on(node.set_limit("cash", 100, by="ann"))
        again = await rig.submit(Payout("a", 50), key="k")
        assert (again.id, again.verdict.code, again.duplicate) == (first.id, "BUDGET_EXCEEDED", True)

    simulate(main)


def test_keys_are_scoped_to_tenant_and_source():
    async def main(rig):
        await rig.start(payouts(rig.world))
        ids = {
            (await rig.submit(Payout("a"), key="k", tenant=tenant, source=source)).id
            for tenant in ("t1", "t2")
            for source in ("s1", "s2")
        }
        assert len(ids) == 4

    simulate(main)


@pytest.mark.parametrize("seed", range(5))
def test_a_key_that_is_given_many_times_at_once_acts_once(seed):
    async def main(rig):
        node = await rig.start(payouts(rig.world))
        tasks = [rig.machine.spawn(node.submit(Payout("a"), key="k")) for _ in range(10)]
        handles = [await rig.on(task) for task in tasks]
        assert len({handle.id for handle in handles}) == 1
        assert sum(handle.duplicate for handle in handles) == 9
        await rig.settle(1)
        assert len(rig.world.arrivals) == 1

    simulate(main, seed)


def test_the_digest_is_of_the_content_alone():
    async def main(rig):
        await rig.start(payouts(rig.world))
        one = await rig.submit(Payout("a", 1))
        two = await rig.submit(Signal(source="x", kind="Payout", payload=b' {"amount":1, "account": "a"}'))
        other = await rig.submit(Payout("a", 1), tenant="other")
        assert one.decision.digest == two.decision.digest != other.decision.digest

    simulate(main)


class Order(msgspec.Struct, frozen=True):
    symbol: str
    price: Decimal
    tags: list[str] = []


def test_structs_and_decimals_pass_as_they_are():
    async def main(rig):
        app = App("structs")
        app.decision(order_by=lambda order: order.symbol)(Order)
        seen = []

        @app.effector(idempotent=True, timeout_s=5)
        async def send(call, order: Order, price: Decimal) -> None:
            seen.append((order, price))

        app.plan(Order)(lambda order: send.action(order, order.price))
        await rig.start(app)
        order = Order("X", Decimal("1.10"), ["a"])
        assert (await rig.outcome(order)).result == "succeeded"
        assert seen == [(order, Decimal("1.10"))]

    simulate(main)


@pytest.mark.parametrize("by", [lambda payout: 1 / 0, "account"])
def test_an_order_key_that_cannot_be_had_is_malformed(by):
    async def main(rig):
        node = await rig.start(payouts(rig.world, kind={"order_by": by}))
        handle = await rig.submit(Payout("a"))
        assert handle.admitted if by == "account" else handle.verdict.code == "MALFORMED"
        assert node.failure is None

    simulate(main)


@dataclass(frozen=True)
class PayoutV2:
    account: str
    cents: int
    currency: str = "EUR"


def second(rig, upgrades):
    app = App("payouts", version="2")
    app.decision(name="Payout", version=2, upgrades=upgrades, expires_in_s=600)(PayoutV2)
    transfer = app.effector(idempotent=True, timeout_s=5, name="transfer")(rig.world.perform)
    app.plan(PayoutV2)(lambda p: transfer.action(f"{p.account}/{p.currency}", p.cents))
    return app


def upgraded(old):
    return {"account": old["account"], "cents": old["amount"] * 100}


def test_older_versions_are_brought_up_step_by_step():
    async def main(rig):
        app = payouts(rig.world, kind={"expires_in_s": 600})
        from lictor import hold

        app.gate(Payout, family="authorization", name="boss")(lambda p, s: hold("ASK"))
        await rig.start(app)
        held = await rig.submit(Payout("held", 1))
        node = await rig.restart(second(rig, {1: upgraded}))
        await rig.on(node.approve(held.id, by="ann"))  # its gate is gone, so nothing holds it any more
        old = await rig.outcome(Signal(source="s", kind="Payout", version=1, payload=b'{"account":"old","amount":2}'))
        assert old.result == "succeeded"
        await rig.settle(1)
        assert sorted((a.account, a.amount) for a in rig.world.arrivals) == [("held/EUR", 100), ("old/EUR", 200)]

    simulate(main)


@pytest.mark.parametrize("upgrades", [{}, {1: lambda old: 1 / 0}, {1: lambda old: {"nothing": 1}}])
def test_a_version_that_cannot_be_brought_up_is_malformed_and_what_is_held_waits(upgrades):
    async def main(rig):
        app = payouts(rig.world, kind={"expires_in_s": 600})
        from lictor import hold

        app.gate(Payout, family="authorization", name="boss")(lambda p, s: hold("ASK"))
        await rig.start(app)
        held = await rig.submit(Payout("held", 1))
        node = await rig.restart(second(rig, upgrades))
        await rig.on(node.approve(held.id, by="ann"))
        signal = Signal(source="s", kind="Payout", version=1, payload=b'{"account":"old","amount":2}')
        assert (await rig.submit(signal)).verdict.code == "MALFORMED"
        assert node.failure is None
        assert held.id in node.journal.state.open

    simulate(main)


def test_sources_may_do_what_they_are_granted():
    async def main(rig):
        app = payouts(rig.world, kind={"priority": Priority.HIGH})
        app.source("plain", tenants=["acme"])
        app.source("high", priority=Priority.HIGH)
        app.source("none", kinds=[])
        await rig.start(app)
        claimed = await rig.submit(Payout("a"), source="plain", tenant="acme", priority=Priority.URGENT)
        assert claimed.verdict.code == "NOT_PERMITTED"
        assert claimed.verdict.rulings[-1].seen == {"class": 0, "granted": 2}
        assert (await rig.submit(Payout("a"), source="plain", tenant="other")).verdict.code == "NOT_PERMITTED"
        assert (await rig.submit(Payout("a"), source="none")).verdict.code == "NOT_PERMITTED"
        plain = await rig.submit(Payout("a"), source="plain", tenant="acme")
        high = await rig.submit(Payout("a"), source="high")
        assert (plain.decision.priority, high.decision.priority) == (Priority.NORMAL, Priority.HIGH)

    simulate(main)


def test_children_inherit_deadline_and_class_and_nest_only_so_deep():
    async def main(rig):
        node = await rig.start(payouts(rig.world))
        seen = []

        async def nest(call):
            child = await node.submit(Payout("a"), parent=call.decision, expires_in_s=1000)
            seen.append(child)
            if child.admitted:
                await child.outcome()

        rig.world.says("a", *[nest] * 10)
        await rig.outcome(Payout("a"), priority=Priority.HIGH, expires_in_s=30)
        assert [child.verdict.code for child in seen[::-1]].count("PARENT_INVALID") == 1
        good = [child for child in seen if child.admitted]
        assert sorted(child.decision.depth for child in good) == [1, 2, 3, 4]
        assert {child.decision.priority for child in good} == {Priority.HIGH}
        assert len({child.decision.deadline_us for child in good}) == 1

    simulate(main)


def test_a_child_cannot_claim_more_than_its_parent_has():
    async def main(rig):
        node = await rig.start(payouts(rig.world))
        seen = []

        async def nest(call):
            seen.append(await node.submit(Payout("b"), parent=call.decision, priority=Priority.URGENT))

        rig.world.says("a", nest)
        await rig.outcome(Payout("a"), priority=Priority.LOW)
        assert seen[0].decision.priority == Priority.LOW

    simulate(main)


def test_a_parent_is_open_and_of_the_same_tenant():
    async def main(rig):
        await rig.start(payouts(rig.world))
        closed = await rig.submit(Payout("a"))
        await rig.on(closed.outcome())
        rig.world.says("b", "pending")
        other = await rig.submit(Payout("b"), tenant="other")
        for parent in (closed.id, other.id, 12345):
            verdict = (await rig.submit(Payout("c"), parent=parent)).verdict
            assert (verdict.result, verdict.code) == ("refused", "PARENT_INVALID")

    simulate(main)
