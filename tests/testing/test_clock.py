"""A simulated clock is a Clock: monotonic whatever is done to it, and a wall clock that can be wrong in every way."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lictor.runtime.clock import Clock
from lictor.testing import SimClock, run
from lictor.testing.clock import EPOCH_US


def test_it_reads_virtual_time():
    async def main(loop):
        clock: Clock = SimClock(loop)
        assert (clock.monotonic(), clock.wall_us()) == (0.0, EPOCH_US)
        await clock.sleep(90)
        return loop.time(), clock.monotonic(), clock.wall_us() - EPOCH_US

    assert run(1, main).value == (90.0, 90.0, 90_000_000)


def test_a_jump_moves_the_wall_clock_alone():
    async def main(loop):
        clock = SimClock(loop, wall_us=1_000_000)
        await clock.sleep(1)
        clock.jump(-3600)
        assert (clock.monotonic(), clock.wall_us()) == (1.0, 2_000_000 - 3_600_000_000)
        clock.jump(+3600.5)
        assert (clock.monotonic(), clock.wall_us()) == (1.0, 2_500_000)

    run(1, main)


def test_a_clock_that_runs_fast_wakes_early_and_shows_more():
    async def main(loop):
        fast, true = SimClock(loop, drift=0.25), SimClock(loop)
        await fast.sleep(10)
        assert loop.time() == 8.0
        fast.drift(-0.5)
        await true.sleep(8)
        return fast.monotonic(), fast.wall_us() - EPOCH_US, loop.time()

    assert run(1, main).value == (14.0, 14_000_000, 16.0)


def test_what_runs_in_simulation_is_in_the_trace():
    async def main(loop):
        SimClock(loop).jump(-1.5)

    assert ("clock", "jump -1.5 s") in {(record[0], record[4]) for record in run(1, main, keep_trace=True).trace.kept}


@pytest.mark.parametrize("drift", [-1.0, 0.75, float("nan")])
def test_a_clock_that_is_off_by_half_is_a_mistake(drift):
    async def main(loop):
        with pytest.raises(ValueError, match="drift"):
            SimClock(loop, drift=drift)

    run(1, main)


def test_a_cancelled_sleep_leaves_no_timer():
    async def main(loop):
        clock = SimClock(loop)
        task = loop.create_task(clock.sleep(1e9))
        await clock.sleep(1)
        task.cancel()
        await clock.sleep(1)
        return loop.time()

    assert run(1, main).time_s == 2.0


STEPS = st.one_of(
    st.tuples(st.just("sleep"), st.floats(0, 1e6)),
    st.tuples(st.just("drift"), st.floats(-0.4, 0.4)),
    st.tuples(st.just("jump"), st.floats(-1e8, 1e8)),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(STEPS, min_size=1, max_size=20))
def test_whatever_happens_to_it_it_is_monotonic_and_a_sleep_lasts_at_least_as_long_as_asked(steps):
    """A timer that fires before its deadline by its own clock would be set again for no time at all, for ever."""

    async def main(loop):
        clock = SimClock(loop)
        jumps = 0
        for what, amount in steps:
            before = clock.monotonic()
            if what == "sleep":
                await clock.sleep(amount)
                assert clock.monotonic() >= before + amount
            elif what == "drift":
                clock.drift(amount)
                assert clock.monotonic() == before
            else:
                clock.jump(amount)
                jumps += round(amount * 1e6)
            assert clock.monotonic() >= before
            assert clock.wall_us() == EPOCH_US + jumps + round(clock.monotonic() * 1e6)

    run(1, main)
