import math
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lictor.desks.trading.schedule import (
    almgren_chriss,
    almgren_chriss_weights,
    apportion,
    due,
    must_cross,
    pov,
    slices,
    twap,
    vwap,
)

WEIGHTS = st.lists(st.floats(0, 1e9), min_size=1, max_size=40).filter(any)
LOTS = st.integers(0, 10**6)


@given(st.integers(0, 10**12), WEIGHTS)
def test_nothing_is_lost_or_added_and_no_share_is_off_by_one(total, weights):
    shares = apportion(total, weights)
    assert sum(shares) == total
    whole = sum(map(Fraction, weights))
    assert all(abs(share - total * Fraction(weight) / whole) < 1 for share, weight in zip(shares, weights, strict=True))


@given(LOTS, st.integers(1, 10**8), WEIGHTS)
def test_children_are_whole_lots_and_sum_to_the_parent(lots, lot, weights):
    children = slices(lots * lot, lot, weights)
    assert sum(children) == lots * lot
    assert all(child >= 0 and child % lot == 0 for child in children)


@given(LOTS, st.integers(1, 50))
def test_twap_is_even_to_a_lot(lots, count):
    children = twap(lots * 100, 100, count)
    assert sum(children) == lots * 100
    assert max(children) - min(children) <= 100


def test_vwap_follows_the_profile():
    assert vwap(1000, 10, [1, 3, 6]) == (100, 300, 600)


@pytest.mark.parametrize("bad", [[], [0.0, 0.0], [-1.0, 2.0], [math.nan], [math.inf, 1.0]])
def test_a_profile_that_is_none_is_refused(bad):
    with pytest.raises(ValueError, match="apportioned"):
        apportion(10, bad)


def test_a_parent_that_is_not_whole_lots_is_refused():
    with pytest.raises(ValueError, match="whole number of lots"):
        twap(105, 10, 3)


@given(st.integers(0, 10**9), st.floats(0.01, 0.9), st.integers(0, 10**9), st.integers(1, 1000))
def test_pov_takes_its_share_and_no_more_than_remains(volume, rate, remaining, lot):
    child = pov(volume, rate, remaining, lot)
    assert 0 <= child <= remaining
    assert child % lot == 0
    assert child <= rate * (volume + child) + 1e-3 * (1 + child)


def test_pov_needs_a_rate_below_one():
    assert pov(900, 0.1, 10_000, 1) == 100
    with pytest.raises(ValueError, match="rate"):
        pov(100, 1.0, 100, 1)


RISK = {"sigma": 0.5, "eta": 0.01}


@given(LOTS, st.integers(1, 60), st.floats(0, 1e6), st.floats(1, 1e5))
def test_almgren_chriss_sums_and_never_speeds_up(lots, count, risk_aversion, seconds):
    children = almgren_chriss(lots * 10, 10, count, seconds, risk_aversion=risk_aversion, **RISK)
    assert sum(children) == lots * 10
    assert all(later <= earlier + 10 for earlier, later in pairwise(children))


@given(LOTS, st.integers(1, 60), st.floats(1, 1000))
def test_without_risk_aversion_it_is_twap(lots, count, seconds):
    assert almgren_chriss(lots, 1, count, seconds, risk_aversion=0.0, **RISK) == twap(lots, 1, count)


@given(st.integers(2, 60), st.floats(1, 1000))
def test_it_goes_to_twap_as_risk_aversion_goes_to_zero(count, seconds):
    def distance(risk_aversion):
        weights = almgren_chriss_weights(count, seconds, risk_aversion=risk_aversion, **RISK)
        return max(abs(weight / sum(weights) - 1 / count) for weight in weights)

    far, near, nearest = (distance(1e-3 * factor / seconds**2) for factor in (1.0, 1e-3, 1e-6))
    assert far > near > nearest or far < 1e-9
    assert nearest < 1e-6


def test_the_holdings_are_the_papers_sinh():
    count, seconds, risk_aversion = 10, 60.0, 2e-5
    weights = almgren_chriss_weights(count, seconds, risk_aversion=risk_aversion, gamma=1e-4, **RISK)
    tau = seconds / count
    squared = risk_aversion * RISK["sigma"] ** 2 / (RISK["eta"] * (1 - 1e-4 * tau / (2 * RISK["eta"])))
    kappa = math.acosh(1 + squared * tau**2 / 2) / tau
    for k in range(count + 1):
        holding = sum(weights[k:]) / sum(weights)
        assert holding == pytest.approx(math.sinh(kappa * (seconds - k * tau)) / math.sinh(kappa * seconds), abs=1e-12)


def test_great_risk_aversion_sends_everything_first():
    assert almgren_chriss(1000, 1, 10, 60.0, risk_aversion=1e12, **RISK) == (1000, *[0] * 9)


@pytest.mark.parametrize("bad", [{"eta": 0.0}, {"sigma": -1.0}, {"gamma": 1.0}, {"risk_aversion": math.nan}])
def test_outside_its_domain_it_refuses(bad):
    with pytest.raises(ValueError, match=r"schedule|gamma"):
        almgren_chriss(10, 1, 5, 60.0, **({"risk_aversion": 1e-6} | RISK | bad))


def test_it_rests_while_on_time_and_crosses_when_behind_or_out_of_time():
    children = (30, 20, 10)
    assert [due(children, share) for share in (0.0, 0.34, 0.67, 1.0, 9.0)] == [30, 50, 60, 60, 60]
    assert not must_cross(0, children, 0.2, tolerance=0)
    assert must_cross(0, children, 0.4, tolerance=10)
    assert not must_cross(25, children, 0.4, tolerance=10)
    assert must_cross(59, children, 1.0, tolerance=10)
    assert not must_cross(60, children, 1.0, tolerance=0)
