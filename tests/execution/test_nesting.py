"""Children of a running call: they find a slot, however many parents hold theirs, and inherit what their parent has."""

import pytest
from tests.rig import Payout, payouts, simulate

from lictor import DeclarationError


def family(rig, depth):
    """A call that decides a child, which decides a child, and waits for it; so deep."""

    async def call(call):
        if depth > 1:
            rig.world.says(f"depth {depth - 1}", family(rig, depth - 1))
        child = await rig.node.submit(Payout(f"depth {depth - 1}" if depth > 1 else "leaf"), parent=call.decision)
        outcome = await child.outcome()
        assert outcome is not None, child.verdict
        return outcome.result

    return call


@pytest.mark.parametrize("slots", [2, 3, 5, 8])
@pytest.mark.parametrize("depth", [1, 2, 4])
def test_parents_that_hold_all_slots_do_not_wait_for_their_children_in_vain(slots, depth):
    async def main(rig):
        await rig.start(payouts(rig.world, slots=slots, timeout_s=100, nests=depth))
        rig.world.says("top", *[family(rig, depth)] * 6)
        handles = await rig.on(rig.node.submit_many([Payout("top")] * 6))
        for handle in handles:
            outcome = await rig.on(handle.outcome())
            assert (outcome.result, outcome.value) == ("succeeded", "succeeded")
        assert rig.loop.time() < 1
        assert rig.world.running_max <= slots
        assert rig.node.pipeline.execution.lanes["transfer"].free == slots

    if depth < slots:
        simulate(main)
    else:
        with pytest.raises(DeclarationError, match="nests"):
            simulate(main)


def test_nesting_that_was_not_declared_is_learned_and_costs_one_timeout_at_worst():
    async def main(rig):
        await rig.start(payouts(rig.world, slots=2, timeout_s=10, kind={"expires_in_s": 600}))
        rig.world.says("top", *[family(rig, 1)] * 40)
        await rig.on(rig.node.submit_many([Payout("top")] * 10))
        await rig.settle(300)
        assert len(rig.outcomes()) >= 20
        assert rig.world.running_max <= 2
        before = rig.loop.time()
        assert (await rig.outcome(Payout("top"))).result == "succeeded"
        assert rig.loop.time() - before < 1

    simulate(main)


def test_without_nesting_every_slot_is_used():
    async def main(rig):
        await rig.start(payouts(rig.world, slots=4))
        for n in range(8):
            rig.world.says(f"a{n}", 1)
        await rig.on(rig.node.submit_many([Payout(f"a{n}") for n in range(8)]))
        await rig.settle(10)
        assert rig.world.running_max == 4

    simulate(main)
