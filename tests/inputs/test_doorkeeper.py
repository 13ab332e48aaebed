"""What would come too late is shed at the door: at once, without a turn, and never where its answer may be another."""

import asyncio
from typing import Any

import pytest
from tests.rig import Payout, Rig, payouts, simulate

from lictor import Signal
from lictor.capacity.foresight import AtDoor, Foresight
from lictor.capacity.lane import Lane
from lictor.inputs.doorkeeper import Doorkeeper

LOOKED: list[Any] = []


async def crowd(rig: Rig, waiting: int = 12) -> None:
    """One slot, calls of a second each, and so many ahead; the rate of one a second is known by then."""
    await rig.start(payouts(rig.world, slots=1, kind={"expires_in_s": 100}))
    for number in range(4 + waiting):
        rig.world.says(f"a{number}", 1.0)
    handles = await rig.on(rig.node.submit_many([Payout(f"a{number}") for number in range(4 + waiting)], key=None))
    assert all(handle.admitted for handle in handles)
    await rig.settle(3.5)


def signal(account: str = "late", **more: Any) -> Signal:
    options = {"source": "local", "kind": "Payout", "value": Payout(account), "expires_in_s": 2.0} | more
    return Signal(**options)


def answered_at_once(rig: Rig, wanted: Signal) -> Any:
    """The handle of a submission that needed no turn; None for one that waits."""
    future = rig.node._offer(wanted)
    return future.result() if future.done() else None


def test_what_would_come_too_late_is_answered_before_the_next_turn_and_counted():
    async def main(rig):
        await crowd(rig)
        shed = rig.node.pipeline.inputs.shedding

        async def ask():
            before = shed.total
            handle = answered_at_once(rig, signal())
            assert (handle.verdict.result, handle.verdict.code) == ("shed", "INFEASIBLE")
            assert handle.verdict.retry_after_s >= 0.01
            assert handle.verdict.rulings[0].seen["wait_s"] > 2.0 == handle.verdict.rulings[0].seen["left_s"]
            assert handle.done
            assert await handle.outcome() is None
            assert shed.total == before + 1

        await rig.on(ask())
        await rig.settle(60)
        assert "late" not in rig.world.order()

    simulate(main)


@pytest.mark.parametrize(
    "more",
    [
        {"expires_in_s": 50.0},  # in time
        {"parent": 1},
        {"supersedes": 1},
        {"not_before_us": 1},
        {"priority": True},
        {"priority": 7},
        {"priority": "high"},
        {"deadline_us": "soon"},
        {"expires_in_s": "2"},
        {"expires_in_s": float("inf")},
        {"key": ""},
        {"key": "k" * 600},
        {"key": "sch\N{LATIN SMALL LETTER O WITH DIAERESIS}n"},
        {"key": 7},
        {"source": ""},
        {"source": ["local"]},
        {"tenant": None},
        {"kind": "Nobody"},
        {"kind": ["Payout"]},
    ],
)
def test_whoever_may_get_another_answer_waits_for_the_turn(more):
    async def main(rig):
        await crowd(rig)

        async def ask():
            assert answered_at_once(rig, signal(**more)) is None

        await rig.on(ask())

    simulate(main)


def test_a_key_that_was_decided_on_gets_its_answer_however_crowded_it_is():
    async def main(rig):
        await rig.start(payouts(rig.world, slots=1, kind={"expires_in_s": 100}))
        first = await rig.submit(Payout("mine"), key="k-1", expires_in_s=2.0)
        for number in range(16):
            rig.world.says(f"a{number}", 1.0)
        await rig.on(rig.node.submit_many([Payout(f"a{number}") for number in range(16)]))
        await rig.settle(3.5)
        again = await rig.on(rig.node.submit(signal("mine", key="k-1")))
        assert (again.duplicate, again.id) == (True, first.id)
        other = await rig.on(rig.node.submit(signal("mine", key="k-2")))
        assert other.verdict.code == "INFEASIBLE"

    simulate(main)


def test_what_is_halted_is_refused_as_that():
    async def main(rig):
        await crowd(rig)
        await rig.on(rig.node.halt("all", by="ann", reason="a drill"))
        handle = await rig.on(rig.node.submit(signal()))
        assert (handle.verdict.result, handle.verdict.code) == ("refused", "HALTED")

    simulate(main)


def test_without_the_door_the_same_is_shed_by_the_turn(monkeypatch):
    """The ablation: nothing is answered at once, and the answer in the end is the same."""
    monkeypatch.setattr(Doorkeeper, "turned_away", lambda *_: None)

    async def main(rig):
        await crowd(rig)

        async def ask():
            future = rig.node._offer(signal())
            assert not future.done()
            return (await future).verdict.code

        assert await rig.on(ask()) == "INFEASIBLE"

    simulate(main)


def test_a_crowd_between_two_turns_does_not_come_in():
    async def main(rig):
        await crowd(rig, waiting=0)

        async def ask():
            return [answered_at_once(rig, signal(f"b{number}")) for number in range(40)]

        answers = await rig.on(ask())
        assert sum(answer is None for answer in answers) <= 4
        await asyncio.sleep(0)

    simulate(main)


def lane_with(waiting: int) -> Lane[Any]:
    """One slot, a second a call, known, and so many of the lowest class waiting."""
    lane: Lane[Any] = Lane(1)
    for number in range(40):
        work = Waiting(3)
        lane.push(Waiting(3))
        lane.take(0)
        lane.note(work, 1.0, float(number))
        lane.pop(0)
    lane.take(0)
    while lane.ready.size < waiting:
        lane.push(Waiting(3))
    return lane


class Waiting:
    """Work that waits."""

    def __init__(self, urgency: int) -> None:
        self.urgency = self.priority = urgency
        self.tenant, self.deadline_us, self.depth, self.concluded = "t", 1 << 60, 0, False


def test_a_wait_is_stretched_by_what_higher_classes_keep_bringing():
    ahead = Foresight(lane_with(3), 4)
    low = AtDoor(3, "t", 10_000_000)
    assert ahead.late(low, 0) is None  # about four seconds of ten
    for number in range(400):  # four urgent ones in five seconds, which leaves a fifth of the rate
        ahead.let_in(0, number * 1_250_000)
        ahead.begin_turn()
    now_us = 399 * 1_250_000
    found = ahead.late(low._replace(deadline_us=now_us + 10_000_000), now_us)
    assert found is not None
    assert found.seen["wait_s"] > 10.0
    assert ahead.late(AtDoor(0, "t", now_us + 10_000_000), now_us) is None


def test_where_higher_classes_take_everything_nobody_below_comes_in_to_be_displaced():
    ahead = Foresight(lane_with(3), 4)
    for number in range(400):
        ahead.let_in(0, number * 900_000)
        ahead.begin_turn()
    now_us = 399 * 900_000
    found = ahead.late(AtDoor(3, "t", now_us + 30_000_000), now_us)
    assert found is not None
    assert found.seen["wait_s"] is None
    ahead.begin_turn()
    later_us = now_us + 3_600_000_000  # and when they have gone, all is as before
    assert ahead.late(AtDoor(3, "t", later_us + 10_000_000), later_us) is None


def test_whoever_has_time_enough_is_let_in_without_a_closer_look(monkeypatch):
    ahead = Foresight(lane_with(3), 4)
    monkeypatch.setattr(Lane, "wait_s", lambda *_: 1 / 0)
    assert ahead.late(AtDoor(3, "t", 60_000_000), 0) is None
    with pytest.raises(ZeroDivisionError):
        ahead.late(AtDoor(3, "t", 20_000_000), 0)
