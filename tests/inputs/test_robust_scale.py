import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lictor.inputs.robust_scale import NORMAL_CONSISTENCY, RobustScale

numbers = st.one_of(st.integers(-5, 5).map(float), st.floats(-1e6, 1e6))


@given(st.lists(numbers, min_size=1, max_size=80), st.integers(1, 30))
def test_median_and_mad_of_the_window_are_exact(values, window):
    scale = RobustScale(window)
    for i, value in enumerate(values):
        scale.add(value)
        last = values[max(0, i + 1 - window) : i + 1]
        assert len(scale) == len(last)
        assert scale.median == pytest.approx(statistics.median(last))
        assert scale.mad == pytest.approx(statistics.median(abs(v - scale.median) for v in last))


def test_distance_is_in_standard_deviations_of_a_normal_sample():
    sample = statistics.NormalDist(100, 7)
    scale = RobustScale(999)
    for i in range(1, 1000):
        scale.add(sample.inv_cdf(i / 1000))
    assert pytest.approx(1 / statistics.NormalDist().inv_cdf(0.75)) == NORMAL_CONSISTENCY
    assert scale.distance(100 + 3 * 7) == pytest.approx(3, abs=0.01)


def test_a_series_that_never_moved_has_no_scale_unless_a_floor_gives_one():
    still, floored = RobustScale(50), RobustScale(50, floor=0.01)
    for _ in range(50):
        still.add(100.0)
        floored.add(100.0)
    assert still.distance(100.0) == 0
    assert still.distance(100.1) == float("inf")
    assert floored.distance(100.1) == pytest.approx(0.1)
    assert floored.distance(10_000.0) > 1_000


@given(st.lists(st.floats(-1e3, 1e3), min_size=9, max_size=60), st.floats(1e6, 1e9))
def test_fewer_than_half_bad_values_move_the_median_no_further_than_the_good_ones_reach(good, bad):
    scale = RobustScale(200)
    for value in good + [bad] * ((len(good) - 1) // 2):
        scale.add(value)
    assert min(good) <= scale.median <= max(good)
