"""Slots that find out how many calls the other side can take, and what is said of one that is slow or hangs."""

import asyncio

import pytest
from tests.rig import Payout, payouts, simulate

from lictor import Adaptive, App, DeclarationError, EffectFailed


class Limited:
    """A world that serves so many calls at once, each in `seconds` on average; the others wait there, unseen."""

    def __init__(self, rig, servers: int, seconds: float = 0.1) -> None:
        self.rig, self.seconds = rig, seconds
        self.free = servers
        self.waiting: list[asyncio.Future] = []
        self.hangs = False
        self.calls = 0
        self.draw = rig.loop.streams.of("world")

    async def perform(self, call, account, amount):
        self.calls += 1
        if self.free <= 0:
            waits = asyncio.get_running_loop().create_future()
            self.waiting.append(waits)
            await waits
        self.free -= 1
        try:
            if self.hangs:
                await self.rig.clock.sleep(1e9)
            await self.rig.clock.sleep(self.draw.expovariate(1 / self.seconds))
        finally:
            self.free += 1
            while self.waiting and self.free > 0:
                waits = self.waiting.pop(0)
                if not waits.done():
                    waits.set_result(None)
                    break


async def started(rig, limited, **options):
    notes = []
    app = payouts(rig.world, asks=False, **({"idempotent": True, "slots": Adaptive(1, 64, 4)} | options))
    app.effectors["transfer"].perform = limited.perform
    node = await rig.start(app)
    note = node.pipeline.execution.attempts.probe.note
    node.pipeline.execution.attempts.probe.note = lambda event, **fields: (
        notes.append((event, fields)),
        note(event, **fields),
    )
    watch = node.pipeline.execution.attempts.watching["transfer"]
    watch._probe = node.pipeline.execution.attempts.probe
    return node, watch, notes


async def work(rig, count, at_once=100):
    """So much work, so that some always waits."""
    numbers = iter(range(count))

    async def one_by_one():
        for number in numbers:
            handle = await rig.submit(Payout(f"a{number}"))
            if handle.id is not None:
                await rig.on(handle.outcome())

    await asyncio.gather(*(one_by_one() for _ in range(at_once)))


def test_they_grow_to_what_the_world_can_take_and_the_lane_with_them():
    async def main(rig):
        limited = Limited(rig, 12)
        node, watch, _ = await started(rig, limited)
        lane = node.pipeline.execution.lanes["transfer"]
        assert lane.slots == 4
        await work(rig, 4_000)
        assert watch.slots.limit == pytest.approx(12, rel=0.35)
        assert lane.slots == watch.slots.level
        await rig.settle(5)
        assert lane.free == lane.slots  # whatever was added and taken away meanwhile
        assert watch.slots.pace.in_flight == 0

    simulate(main)


def test_a_hang_is_told_with_numbers_and_closes_them():
    async def main(rig):
        limited = Limited(rig, 8)
        node, _, notes = await started(rig, limited, timeout_s=500)
        await work(rig, 1_500)
        limited.hangs = True
        before = rig.loop.time()
        for number in range(30):
            await rig.submit(Payout(f"hung{number}"))
        calls = limited.calls
        await rig.settle(10)
        told = [fields for event, fields in notes if event == "hanging"]
        assert told[0]["effector"] == "transfer"
        assert told[0]["in_flight"] >= 3
        assert told[0]["usual_s"] == pytest.approx(0.07, rel=0.5)
        assert node.pipeline.execution.lanes["transfer"].slots <= 2
        assert limited.calls == calls
        assert rig.loop.time() - before < 11

    simulate(main)


def test_a_slow_down_is_told():
    async def main(rig):
        limited = Limited(rig, 64)
        _, _, notes = await started(rig, limited, slots=Adaptive(1, 16, 8), timeout_s=500)
        await work(rig, 1_500)
        assert "slow" not in [event for event, _ in notes]
        limited.seconds *= 10
        await work(rig, 30)
        assert "slow" in [event for event, _ in notes]

    simulate(main)


def test_being_turned_away_is_no_answer():
    async def main(rig):
        limited = Limited(rig, 64, 0.001)
        _, watch, _ = await started(rig, limited)
        rig.world.script.clear()

        async def refuse(call, account, amount):
            raise EffectFailed("busy", retry=True, only_this=True)

        rig.node.app.effectors["transfer"].perform = refuse
        await work(rig, 500)
        assert watch.slots.limit <= 4

    simulate(main)


def test_fixed_slots_are_not_watched():
    async def main(rig):
        node = await rig.start(payouts(rig.world))
        await rig.outcome(Payout("a"))
        assert node.pipeline.execution.attempts.watching == {}

    simulate(main)


@pytest.mark.parametrize("bounds", [(0, 4, 1), (2, 1, 1), (1, 8, 9), (4, 8, 2)])
def test_bounds_that_make_no_sense_are_refused(bounds):
    with pytest.raises(DeclarationError):
        Adaptive(*bounds)


def test_children_keep_their_slots():
    with pytest.raises(DeclarationError, match="nests"):
        App("x").effector(idempotent=False, timeout_s=1, slots=Adaptive(low=2, start=4), nests=2)
