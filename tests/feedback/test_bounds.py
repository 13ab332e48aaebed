"""I20: whatever is wished for, in whatever order and however often, an adjustable stays in its bounds and its speed."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lictor import Adjustable, InvariantViolation
from lictor.feedback import bounds
from lictor.feedback.bounds import moved, tighter

HOUR_US = 3_600_000_000

numbers = st.floats(-1e9, 1e9, allow_nan=False)


@st.composite
def adjustables(draw):
    tightest, loosest = draw(numbers), draw(numbers)
    default = min(max(draw(numbers), min(tightest, loosest)), max(tightest, loosest))
    speed = draw(st.sampled_from([0.0, 0.1, 1.0, 1e6]))
    return Adjustable("size", default, tightest, loosest, speed)


wishes_of = st.lists(
    st.tuples(st.floats(allow_nan=True, allow_infinity=True), st.integers(0, 5 * HOUR_US), st.booleans()), max_size=40
)


def looser_by(adjustable, value, than):
    """How far a value is on the loose side of another."""
    return abs(value - than) if tighter(adjustable, than, value) else 0.0


@given(adjustables(), wishes_of)
def test_no_sequence_of_wishes_passes_the_bounds_or_the_speed(adjustable, wishes):
    value, since_us, at_us, latched = adjustable.default, 0, 0, False
    low, high = sorted((adjustable.tightest, adjustable.loosest))
    tightest_so_far, reached_us = value, 0
    for wish, pause_us, latch in wishes:
        at_us += pause_us
        before = value
        value = moved(adjustable, value, wish, since_us=since_us, at_us=at_us, latched=latched)
        assert low <= value <= high
        assert not (latched and looser_by(adjustable, value, before))
        if not math.isnan(wish) and tighter(adjustable, min(max(wish, low), high), before):
            assert value == min(max(wish, low), high), "tightening is at once"
        if value != before:
            since_us = at_us
            if not tighter(adjustable, tightest_so_far, value):
                tightest_so_far, reached_us = value, at_us
        allowed = adjustable.loosen_per_hour * (at_us - reached_us) / HOUR_US
        assert looser_by(adjustable, value, tightest_so_far) <= allowed * (1 + 1e-9) + 1e-6
        latched |= latch and value != before


@given(adjustables(), st.floats(allow_nan=True, allow_infinity=True), st.integers(0, 10 * HOUR_US))
def test_without_a_speed_nothing_loosens_by_itself(adjustable, wish, later_us):
    still = Adjustable("size", adjustable.default, adjustable.tightest, adjustable.loosest, 0.0)
    value = moved(still, still.default, wish, since_us=0, at_us=later_us)
    assert not tighter(still, still.default, value)


def test_a_clock_that_went_back_allows_nothing():
    fast = Adjustable("size", 0.5, 0.0, 1.0, 1e9)
    assert moved(fast, 0.5, 1.0, since_us=HOUR_US, at_us=0) == 0.5


def test_a_step_is_as_long_as_the_time_since_the_last_move():
    slow = Adjustable("size", 1.0, 0.1, 1.0, 0.2)
    assert moved(slow, 0.5, 1.0, since_us=0, at_us=HOUR_US // 2) == pytest.approx(0.6)
    assert moved(slow, 0.5, 0.55, since_us=0, at_us=HOUR_US // 2) == 0.55
    rising = Adjustable("margin", 1.0, 3.0, 1.0, 0.2)  # here a higher value is the tighter one
    assert moved(rising, 2.0, 1.0, since_us=0, at_us=HOUR_US) == pytest.approx(1.8)
    assert moved(rising, 2.0, 9.0, since_us=0, at_us=0) == 3.0


def test_without_the_clamp_the_assertion_finds_it(monkeypatch):
    """The safeguard taken away: production raises instead of loosening past the bound."""
    monkeypatch.setattr(bounds, "clamped", lambda _adjustable, value: value)
    with pytest.raises(InvariantViolation, match="I20"):
        moved(Adjustable("size", 1.0, 0.1, 1.0, 10.0), 0.9, 5.0, since_us=0, at_us=HOUR_US)
