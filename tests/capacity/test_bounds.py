"""Rates, extra work, backoff, breaker, drain rate: each keeps the bound that it is for, whatever happens."""

import hypothesis.strategies as st
import pytest
from hypothesis import given

from lictor.capacity.breaker import Breaker
from lictor.capacity.drain import NOTES_MIN, DrainRate
from lictor.capacity.extra_work import BALANCE_MAX, START_BALANCE, ExtraWorkPool, backoff_s
from lictor.capacity.rates import TokenBucket

STEPS = st.lists(st.tuples(st.floats(0, 10), st.integers(1, 5), st.booleans()), max_size=80)


@given(st.floats(0.1, 100), st.integers(5, 50), st.booleans(), STEPS)
def test_a_bucket_never_gives_more_than_its_burst_and_its_rate(per_s, burst, full, steps):
    bucket = TokenBucket(per_s, burst, 0.0, full=full)
    now, taken = 0.0, 0
    for wait_s, count, unused in steps:
        now += wait_s
        if bucket.wait_s(count, now) == 0:
            bucket.take(count, now)
            taken += count
            if unused:
                bucket.give_back(count)
                taken -= count
        assert taken <= per_s * now + (burst if full else 0) + 1e-6


@given(st.floats(0.1, 100), st.integers(5, 50), st.lists(st.integers(1, 5), min_size=1, max_size=40))
def test_a_bucket_gives_what_it_promises_when_it_says(per_s, burst, counts):
    bucket, now = TokenBucket(per_s, burst, 0.0, full=False), 0.0
    for count in counts:
        now += bucket.wait_s(count, now)
        assert bucket.wait_s(count, now) <= 1e-6
        bucket.take(count, now)
    assert now == pytest.approx(sum(counts) / per_s, rel=1e-6)


def test_time_that_goes_back_gives_nothing():
    bucket = TokenBucket(1, 10, 100.0, full=False)
    assert bucket.wait_s(1, 50.0) == 1


@given(st.floats(0, 1), st.lists(st.booleans(), max_size=400))
def test_extra_attempts_are_at_most_a_share_of_first_ones_and_the_start_balance(share, firsts):
    pool = ExtraWorkPool(share)
    first = extra = 0
    for is_first in firsts:
        if is_first:
            pool.deposit()
            first += 1
        elif pool.withdraw():
            extra += 1
        assert extra <= START_BALANCE + share * first + 1e-9
        assert 0 <= pool.tokens <= BALANCE_MAX


def test_without_a_share_there_is_no_extra_work_at_all():
    pool = ExtraWorkPool(0.0)
    pool.deposit()
    assert not pool.withdraw()


@given(st.integers(1, 100), st.floats(0.001, 10), st.floats(0.01, 100), st.floats(0, 1))
def test_backoff_is_full_jitter_within_its_bounds(attempt, base_s, max_s, draw):
    wait_s = backoff_s(attempt, base_s, max_s, draw)
    assert 0 <= wait_s <= max_s
    assert wait_s <= base_s * 2.0 ** (attempt - 1) or attempt > 41
    assert backoff_s(attempt, base_s, max_s, 0) == 0
    assert backoff_s(attempt, base_s, max_s, 1) == min(max_s, base_s * 2.0 ** min(attempt - 1, 40))


@given(st.lists(st.booleans(), max_size=300))
def test_the_breaker_opens_on_more_than_half_and_closes_on_less_than_a_quarter(results):
    breaker, seen = Breaker(), []
    for failed in results:
        was = breaker.open
        breaker.note(failed=failed)
        seen = [*seen, failed][-50:]
        share = sum(seen) / len(seen)
        if len(seen) < 20:
            assert not breaker.open
        elif share > 0.5:
            assert breaker.open
        elif share < 0.25:
            assert not breaker.open
        else:
            assert breaker.open == was


def test_the_drain_rate_is_of_busy_time_alone():
    drain = DrainRate()
    assert drain.per_s() is None
    for n in range(100):
        drain.note(1, n * 0.1, busy=True)
    assert drain.per_s() == pytest.approx(10, rel=0.05)
    for n in range(100):
        drain.note(1, 10 + n, busy=False)  # one a second, because nobody asked for more
    assert drain.per_s() == pytest.approx(10, rel=0.05)


@given(st.floats(1, 1000), st.floats(1, 1000))
def test_the_drain_rate_follows_a_change(before, after):
    drain, now = DrainRate(), 0.0
    for rate, seconds in ((before, 5), (after, 20 + 10 * NOTES_MIN / after)):
        for _ in range(int(rate * seconds)):
            now += 1 / rate
            drain.note(1, now, busy=True)
    left = before * 0.5 ** (20 / drain.half_life_s)  # what it still remembers of the rate before
    assert drain.per_s() == pytest.approx(after, abs=0.1 * after + 1.1 * left)


def test_a_pause_before_work_comes_again_is_not_taken_for_slowness() -> None:
    drain, now = DrainRate(), 0.0
    for _ in range(20):
        for number in range(50):
            now += 0.1
            drain.note(1, now, busy=number < 49, within_s=0.1)
        now += 60.0
    assert drain.per_s() == pytest.approx(10.0, rel=0.01)
