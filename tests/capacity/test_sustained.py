"""Capacity as it was shown: sustained, cautious, remembered for an hour."""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from lictor.capacity.sustained import MINUTES, WINDOW_S, WINDOW_S_MIN, Sustained


def seen(*stretches: tuple[int, float], start: int = 1_000) -> Sustained:
    """What is known after so many seconds at such a rate, one after the other."""
    found, second = Sustained(), start
    for seconds, per_s in stretches:
        for _ in range(seconds):
            found.note(second, per_s)
            second += 1
    found.pass_to(second)
    return found


def test_it_says_nothing_before_it_has_seen_enough() -> None:
    assert seen((WINDOW_S_MIN - 1, 50)).per_s() is None
    assert seen((WINDOW_S_MIN, 50)).per_s() is not None


def test_the_most_that_was_sustained_is_remembered_for_an_hour_and_no_longer() -> None:
    busy = seen((120, 400), (600, 40))
    assert 0.95 * 400 < busy.per_s() <= 400
    later = seen((120, 400), (MINUTES * 60 + 120, 40))
    assert 0.8 * 40 < later.per_s() <= 40


def test_a_burst_shorter_than_the_window_is_not_sustained() -> None:
    assert seen((300, 10), (3, 1_000), (300, 10)).per_s() < 1_000 * 3 / WINDOW_S + 10


def test_idle_time_is_skipped_whatever_its_length() -> None:
    found = seen((120, 100))
    found.note(1_000 + 10**9, 1)
    assert found.per_s() is None


@given(st.integers(0, 10_000))
def test_scatter_is_not_taken_for_capacity(seed: int) -> None:
    """Arrivals of a Poisson process that is served whole never show much more than its rate."""
    draw, rate = Random(seed), 100.0
    found = Sustained()
    for second in range(900):
        found.note(second, max(0, round(draw.gauss(rate, rate**0.5))))
    assert 0.9 * rate < found.per_s() < 1.06 * rate


@given(st.lists(st.tuples(st.integers(0, 50), st.floats(0, 1e4)), max_size=60))
def test_it_never_shows_more_than_was_confirmed_in_any_window(notes: list[tuple[int, float]]) -> None:
    found, second, counted = Sustained(), 0, {}
    for gap, cost in notes:
        second += gap
        found.note(second, cost)
        counted[second] = counted.get(second, 0.0) + cost
    found.pass_to(second + 1)
    top = max((sum(c for s, c in counted.items() if at - WINDOW_S < s <= at) for at in counted), default=0.0)
    assert (found.per_s() or 0.0) <= top / WINDOW_S_MIN + 1e-6
