"""A schedule on a node in virtual time: what is made at which tick, across restarts, clocks that are set, outages."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from tests.inputs.payouts import Payout, payouts
from tests.inputs.simulated import node_on, simulate

from lictor import Cron, DeclarationError, NodeStoppedError
from lictor.journal.memory import MemoryDisk
from lictor.journal.port import Filter
from lictor.testing.clock import EPOCH_US

EPOCH = datetime.fromtimestamp(EPOCH_US / 1e6, UTC)


def nightly(**options):
    """Pays at 2:00, under the day as its account."""
    return Cron("nightly", "0 2 * * *", lambda at: Payout(f"{at:%d}", at.day), expires_in_s=86_400 * 30, **options)


def run_for(disk, source, *, begin_s, for_s, jump_s=0.0):
    """Start a node at a time, pull the source for so long, stop; gives what was really done."""
    app, done = payouts()

    async def main(clock):
        await clock.sleep(begin_s)
        async with node_on(app, clock, disk) as node:
            pulling = asyncio.get_running_loop().create_task(node.pull(source))
            await clock.sleep(for_s / 2)
            clock.jump(jump_s)
            await clock.sleep(for_s / 2)
            while node.journal.state.open:
                await clock.sleep(1)
        with pytest.raises(NodeStoppedError):
            await asyncio.wait_for(pulling, 1)

    simulate(main)
    return sorted(account for account, _ in done)


DAY_S = 86_400


def test_a_tick_is_made_once_and_at_its_time():
    app, _ = payouts()

    async def main(clock):
        async with node_on(app, clock) as node:
            pulling = asyncio.get_running_loop().create_task(node.pull(nightly()))
            await clock.sleep(2.5 * DAY_S)
            rows = await node.journal.decisions(Filter(source="nightly"))
            pulling.cancel()
            return rows

    rows = simulate(main)
    assert [row.key for row in reversed(rows)] == [f"cron:nightly:2026-01-0{day}T02:00Z" for day in (1, 2, 3)]
    for row, day in zip(reversed(rows), (0, 1, 2), strict=True):
        due = EPOCH + timedelta(days=day, hours=2)
        assert 0 <= row.received_us / 1e6 - due.timestamp() < 1e-3


@pytest.mark.parametrize(
    ("catch_up", "expected"),
    [("all", ["03", "04", "05", "06", "07"]), ("once", ["06", "07"]), ("skip", ["07"])],
)
def test_what_was_missed_is_caught_up_as_declared_and_nothing_twice(catch_up, expected):
    disk = MemoryDisk()
    source = nightly(catch_up=catch_up)
    assert run_for(disk, source, begin_s=0, for_s=1.5 * DAY_S) == ["01", "02"]
    assert run_for(disk, source, begin_s=1.5 * DAY_S, for_s=3600) == [], "started again before the next tick"
    assert run_for(disk, source, begin_s=5.5 * DAY_S, for_s=DAY_S) == expected
    assert run_for(disk, source, begin_s=6.6 * DAY_S, for_s=3600) == []


def test_a_clock_that_is_set_back_makes_no_tick_twice_and_one_set_forward_misses_none():
    back = run_for(MemoryDisk(), nightly(), begin_s=0, for_s=3 * DAY_S, jump_s=-0.95 * DAY_S)
    assert back == ["01", "02"], "set back to the afternoon before the second tick"
    forward = run_for(MemoryDisk(), nightly(catch_up="all"), begin_s=0, for_s=2 * DAY_S, jump_s=3 * DAY_S)
    assert forward == ["01", "02", "03", "04", "05"]


def test_the_first_run_begins_now_or_where_it_is_told_to():
    assert run_for(MemoryDisk(), nightly(), begin_s=10 * DAY_S, for_s=DAY_S) == ["11"]
    since = EPOCH + timedelta(days=8)
    assert run_for(MemoryDisk(), nightly(since=since, catch_up="all"), begin_s=10 * DAY_S, for_s=DAY_S) == [
        "09",
        "10",
        "11",
    ]


def test_the_maker_is_given_the_time_in_the_zone():
    seen = []

    def make(at):
        seen.append(at.isoformat())
        return Payout("a", 1)

    source = Cron("hourly", "0 * * * *", make, timezone="America/New_York")
    run_for(MemoryDisk(), source, begin_s=0, for_s=3.5 * 3600)
    assert seen == [f"2025-12-31T{hour}:00:00-05:00" for hour in (20, 21, 22)]


def test_what_is_no_schedule_is_refused_when_it_is_declared():
    for wrong in (
        {"expression": "at noon"},
        {"catch_up": "some"},
        {"since": datetime(2026, 1, 1)},  # noqa: DTZ001 - that it is naive is the point
        {"timezone": "Nowhere"},
    ):
        with pytest.raises(DeclarationError):
            Cron(**{"name": "x", "expression": "* * * * *", "make": Payout, **wrong})
