"""The live picture: rates, waits, and the one sentence that says what holds things up."""

from __future__ import annotations

from tests.rig import Payout, payouts, simulate

from lictor import App, allow, hold
from lictor.runtime.ids import id_text
from lictor.surfaces.flow import UNSEEN_S, Flow


def bottleneck(flow: Flow) -> tuple[str, str]:
    found = flow.read()["bottleneck"]
    return found["code"], f"{found['text']} {found['why']}"


def test_nothing_waits_on_an_idle_node():
    async def main(rig):
        node = await rig.start(payouts(rig.world))
        return bottleneck(Flow(node))

    code, text = simulate(main)
    assert code == "NONE"
    assert "Nothing waits, and nothing runs." in text


def test_slots_are_named_with_how_long_the_last_one_waits():
    async def main(rig):
        node = await rig.start(payouts(rig.world, slots=2))
        flow = Flow(node)
        for n in range(30):
            rig.world.says(f"a-{n}", 0.5)
            await rig.submit(Payout(f"a-{n}"))
        await rig.settle(3.2)
        return flow.read()

    flow = simulate(main)
    effector = flow["effectors"][0]
    assert effector["in_flight"] == 2
    assert effector["queued"] == 30 - 2 * 6 - 2
    assert flow["bottleneck"]["code"] == "SLOTS"
    assert "16 wait for its 2 slots, 2 taken; a call takes 500 ms" in flow["bottleneck"]["why"]
    assert "about 4 a second" in flow["bottleneck"]["why"]
    assert "the last of them waits 4 s" in flow["bottleneck"]["why"]


def test_a_world_that_fails_is_named_although_nothing_waits_for_it():
    async def main(rig):
        node = await rig.start(payouts(rig.world, idempotent=True, timeout_s=1, extra_work=0.0))
        flow = Flow(node)
        for n in range(25):
            rig.world.says(f"a-{n}", "lost")
            await rig.submit(Payout(f"a-{n}"))
        await rig.settle(30)
        return bottleneck(flow)

    code, text = simulate(main)
    assert code == "WORLD_FAILS"
    assert "The world behind transfer. Most of its last calls failed" in text


def test_an_order_key_is_named_with_who_holds_it():
    async def main(rig):
        node = await rig.start(payouts(rig.world, kind={"order_by": "account"}))
        rig.world.says("a", 30.0)
        first = await rig.submit(Payout("a", 1))
        for n in range(2, 5):
            await rig.submit(Payout("a", n))
        await rig.settle(1.0)
        return bottleneck(Flow(node)), first.id

    (code, text), first = simulate(main)
    assert code == "ORDER"
    assert "3 wait for an earlier one of the same order key" in text
    assert id_text(first) in text


def test_a_person_is_what_held_decisions_wait_for():
    async def main(rig):
        app = App("held")
        app.decision(expires_in_s=60)(Payout)
        app.gate(Payout)(lambda payout, _state: hold("LARGE") if payout.amount > 1 else allow())
        node = await rig.start(_payable(app, rig))
        await rig.submit(Payout("a", 5))
        return bottleneck(Flow(node))

    code, text = simulate(main)
    assert code == "APPROVAL"
    assert "1 decision waits" in text


def test_a_halt_of_everything_comes_before_what_waits():
    async def main(rig):
        node = await rig.start(payouts(rig.world, slots=1))
        for n in range(5):
            rig.world.says(f"a-{n}", 5.0)
            await rig.submit(Payout(f"a-{n}"))
        await rig.on(node.halt("all", by="ana", reason="month end"))
        return bottleneck(Flow(node))

    code, text = simulate(main)
    assert code == "HALTED"
    assert "ana halted all: month end" in text


def test_a_halt_of_a_kind_says_what_it_keeps_back():
    async def main(rig):
        node = await rig.start(payouts(rig.world, slots=1))
        for n in range(4):
            rig.world.says(f"a-{n}", 5.0)
            await rig.submit(Payout(f"a-{n}"))
        await rig.on(node.halt("kind:Payout", by="ana"))
        await rig.settle(1.0)
        return Flow(node).read()["waiting"]

    assert simulate(main)["halted"] == {"kind:Payout": 3}


def test_rates_are_those_of_the_last_seconds():
    async def main(rig):
        node = await rig.start(payouts(rig.world))
        flow = Flow(node)
        first = flow.read()
        for n in range(20):
            await rig.submit(Payout(f"a-{n}"))
            await rig.settle(0.2)
        busy = flow.read()
        await rig.settle(30.0)
        return first, busy, flow.read()

    first, busy, idle = simulate(main)
    assert first["stages"][2]["per_s"] is None
    assert 4.0 <= busy["stages"][2]["per_s"] <= 6.0
    assert idle["stages"][2]["per_s"] == 0.0
    assert max(busy["history"]["admitted"]) >= 4.0


def test_it_stops_counting_when_nobody_looks():
    async def main(rig):
        node = await rig.start(payouts(rig.world))
        flow = Flow(node)
        flow.read()
        await rig.settle(UNSEEN_S / 2)
        kept = len(flow._samples)
        await rig.settle(UNSEEN_S)
        return kept, len(flow._samples)

    kept, left = simulate(main)
    assert kept > 50
    assert left == 0


def _payable(app: App, rig) -> App:
    transfer = app.effector(idempotent=False, timeout_s=5, name="transfer")(rig.world.perform)
    app.plan(Payout)(lambda payout: transfer.action(payout.account, payout.amount))
    return app
