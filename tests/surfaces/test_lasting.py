"""What goes on beside a node says that it has failed, and begins again."""

from __future__ import annotations

import asyncio

from tests.rig import payouts, simulate

from lictor.surfaces.lasting import AGAIN_S, lasting


def test_a_defect_is_in_health_while_it_waits_and_then_it_goes_on() -> None:
    async def main(rig):
        node = await rig.start(payouts(rig.world))
        begun = []

        async def run() -> None:
            begun.append(node.clock.wall_us())
            if len(begun) < 3:
                raise ValueError("a defect")

        task = asyncio.ensure_future(lasting(node, "callbacks of a", run))
        await rig.settle(AGAIN_S / 2)
        assert node.vitals.troubles["callbacks of a"] == ("DEFECT", "callbacks of a: ValueError: a defect")
        await task
        assert "callbacks of a" not in node.vitals.troubles
        assert [later - begun[0] for later in begun] == [0, AGAIN_S * 1e6, 2 * AGAIN_S * 1e6]

    simulate(main)


def test_a_task_that_is_cancelled_ends() -> None:
    async def main(rig):
        node = await rig.start(payouts(rig.world))
        task = asyncio.ensure_future(lasting(node, "alerts", asyncio.Event().wait))
        await rig.settle(1)
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
        assert not node.vitals.troubles

    simulate(main)
