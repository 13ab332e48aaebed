"""The execution-quality index: a true bound, losses that add up, curves."""

from __future__ import annotations

from itertools import combinations
from math import isclose

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lictor.monitoring.quality import CAUSES, ENDS, Portion, best_value, end_of, hysteresis, index, knee, overall

values = st.floats(0.1, 100)
portions = st.lists(
    st.builds(Portion, values, values, st.sampled_from(ENDS), st.none() | st.floats(0, 100), st.just(0.0) | values),
    min_size=1,
    max_size=9,
)
capacities = st.floats(0.1, 400)


@given(portions, capacities)
def test_nothing_that_fits_is_worth_more_than_the_bound(offered: list[Portion], capacity: float) -> None:
    bound = best_value(offered, capacity)
    for size in range(len(offered) + 1):
        for chosen in combinations(offered, size):
            if sum(p.cost for p in chosen) <= capacity:
                assert sum(p.value for p in chosen) <= bound * (1 + 1e-9)


@given(portions, capacities)
def test_the_bound_is_all_of_it_where_all_fits_and_grows_with_capacity(offered: list[Portion], capacity: float) -> None:
    whole = sum(p.value for p in offered)
    assert isclose(best_value(offered, sum(p.cost for p in offered) * 1.001), whole)
    assert best_value(offered, capacity) <= best_value(offered, capacity * 1.5) <= whole * (1 + 1e-9)


@given(portions, capacities)
def test_losses_add_up_to_what_is_missing(offered: list[Portion], capacity: float) -> None:
    found = index(offered, capacity)
    harmed = sum(p.harm for p in offered)
    assert isclose(sum(found.losses.values()), 1 - found.eq, abs_tol=1e-9)
    assert all(loss >= -1e-9 for loss in found.losses.values())
    assert set(found.losses) == set(CAUSES)
    assert isclose(found.eq * found.best, found.kept - 10 * harmed, rel_tol=1e-6, abs_tol=1e-6)


@given(portions, capacities, st.randoms())
def test_order_and_grouping_change_nothing(offered: list[Portion], capacity: float, order: object) -> None:
    found = index(offered, capacity)
    halves = [
        Portion(p.value / 2, p.cost / 2, p.end, None if p.used is None else p.used / 2, p.harm / 2)
        for p in offered
        for _ in "ab"
    ]
    order.shuffle(halves)  # type: ignore[attr-defined]
    again = index(halves, capacity)
    assert isclose(found.eq, again.eq, abs_tol=1e-9)
    for cause, loss in found.losses.items():
        assert isclose(loss, again.losses[cause], abs_tol=1e-6), cause


def served(kept: int, turned_away: int, **burnt: int) -> list[Portion]:
    """Decisions that are worth 1 and cost 1 each."""
    ends = {"kept": kept, "turned_away": turned_away, **burnt}
    return [Portion(float(n), float(n), end) for end, n in ends.items() if n]


@pytest.mark.parametrize("load", [1, 2, 10, 20])
def test_turning_away_what_does_not_fit_is_no_loss(load: int) -> None:
    found = index(served(100, 100 * (load - 1)), 100)
    assert (found.eq, found.load) == (1.0, load)


@pytest.mark.parametrize("cause", ["late", "stale", "wasted", "unknown"])
def test_capacity_that_was_burnt_is_lost_to_what_burnt_it(cause: str) -> None:
    found = index(served(90, 900, **{cause: 10}), 100)
    assert isclose(found.eq, 0.9)
    assert isclose(found.losses[cause], 0.1)


def test_idle_capacity_is_lost_only_while_work_is_turned_away() -> None:
    assert index(served(50, 0), 100).eq == 1.0
    found = index(served(80, 900), 100)
    assert isclose(found.losses["overhead"], 0.2)


def test_serving_the_less_valuable_is_unfair() -> None:
    low, high = Portion(100.0, 100.0, "kept"), Portion(400.0, 100.0, "turned_away")
    found = index([low, high], 100)
    assert isclose(found.eq, 0.25)
    assert isclose(found.losses["unfair"], 0.75)


def test_low_class_work_that_burns_what_the_high_class_needed_bears_the_loss() -> None:
    found = index([Portion(100.0, 100.0, "stale"), Portion(400.0, 100.0, "turned_away")], 100)
    assert isclose(found.losses["stale"], 1.0)


def test_retries_that_took_the_place_of_others_are_waste() -> None:
    found = index([Portion(50.0, 50.0, "kept", 100.0), Portion(50.0, 50.0, "turned_away")], 100)
    assert isclose(found.losses["wasted"], 0.5)


def test_harm_weighs_ten_times_and_can_make_quality_negative() -> None:
    found = index([Portion(100.0, 100.0, "kept", harm=20.0)], 100)
    assert isclose(found.eq, -1.0)
    assert isclose(found.losses["harm"], 2.0)
    assert index([Portion(0.0, 0.0, "turned_away", harm=1.0)], 100).eq == -10.0


def test_nothing_offered_is_nothing_lost() -> None:
    assert index([], 100).eq == 1.0


@pytest.mark.parametrize(
    ("result", "started", "ended", "expected"),
    [
        ("succeeded", 1.0, 5.0, "kept"),
        ("succeeded", 1.0, 11.0, "late"),
        ("succeeded", 11.0, 12.0, "stale"),
        ("failed", 1.0, 2.0, "wasted"),
        ("compensated", 1.0, 2.0, "wasted"),
        ("expired", None, 10.0, "turned_away"),
        ("expired", 1.0, 10.0, "late"),
        ("shed", None, None, "turned_away"),
        (None, 1.0, None, "unknown"),
        ("refused", None, None, None),
        ("cancelled", 1.0, 2.0, None),
    ],
)
def test_ends(result: str | None, started: float | None, ended: float | None, expected: str | None) -> None:
    assert end_of(result, deadline=10.0, started=started, ended=ended) == expected
    if started is not None and started <= 10 and expected is not None:
        assert end_of(result, deadline=10.0, started=started, ended=ended, unknown=True) == "unknown"


def test_the_knee_is_the_first_load_below_good() -> None:
    curve = [(1.0, 1.0), (2.0, 0.98), (5.0, 0.96), (10.0, 0.99)]
    assert knee(curve) == 5.0
    assert knee(curve, 0.9) is None


def test_hysteresis_is_the_widest_gap_on_the_way_back() -> None:
    up = [(1.0, 1.0), (2.0, 0.9), (5.0, 0.5)]
    assert isclose(hysteresis(up, [(1.0, 0.7), (2.0, 0.8), (3.0, 0.0)]), 0.3)
    assert hysteresis(up, up) == 0.0
    assert hysteresis(up, []) == 0.0


def test_overall_is_the_mean_over_octaves() -> None:
    assert isclose(overall([(0.5, 1.0), (16.0, 0.0)]), 0.5)
    assert isclose(overall([(0.25, 1.0), (0.5, 1.0), (1.0, 1.0), (2.0, 0.0), (32.0, 0.0)]), 1.5 / 5)
    with pytest.raises(ValueError, match="reach"):
        overall([(1.0, 1.0), (16.0, 0.0)])
