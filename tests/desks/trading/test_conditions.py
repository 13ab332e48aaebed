import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lictor.desks.trading.conditions import (
    Volatility,
    drifted,
    jumped,
    participation,
    spread_bps,
    stale,
    sweep,
    visible_depth,
)
from lictor.desks.trading.market import BUY, SELL, mid

BIDS = ((10_000, 5), (9_990, 10), (9_950, 100))
ASKS = ((10_010, 4), (10_020, 6), (10_100, 50))
DEPTHS = st.lists(st.integers(1, 10**9), min_size=1, max_size=10)


def book(bid_depths, ask_depths):
    bids = tuple((10_000 - 10 * i, depth) for i, depth in enumerate(bid_depths))
    return bids, tuple((10_010 + 10 * i, depth) for i, depth in enumerate(ask_depths))


def test_mid_and_spread():
    assert mid(BIDS, ASKS) == 10_005
    assert spread_bps(BIDS, ASKS) == pytest.approx(1e4 * 10 / 10_005)


@pytest.mark.parametrize(("bids", "asks"), [((), ASKS), (BIDS, ()), (((10_010, 1),), ASKS), (((10_020, 1),), ASKS)])
def test_no_mid_no_answer(bids, asks):
    assert mid(bids, asks) is None
    assert spread_bps(bids, asks) is None
    assert sweep(bids, asks, BUY, 1) is None
    assert visible_depth(bids, asks, BUY, 100) == 0


def test_a_sweep_walks_the_levels():
    walked = sweep(BIDS, ASKS, BUY, 10)
    assert (walked.filled, walked.unfilled, walked.worst_price) == (10, 0, 10_020)
    assert walked.notional == 4 * 10_010 + 6 * 10_020
    assert walked.cost_bps == pytest.approx(1e4 * (10_016 - 10_005) / 10_005)


@given(DEPTHS, DEPTHS, st.sampled_from([BUY, SELL]), st.integers(1, 10**10), st.integers(1, 10**9))
def test_a_sweep_costs_half_the_spread_or_more_and_more_for_more(bid_depths, ask_depths, side, qty, more):
    bids, asks = book(bid_depths, ask_depths)
    walked, further = sweep(bids, asks, side, qty), sweep(bids, asks, side, qty + more)
    depth = sum(ask_depths if side == BUY else bid_depths)
    assert walked.filled == min(qty, depth)
    assert walked.filled + walked.unfilled == qty
    assert spread_bps(bids, asks) / 2 <= walked.cost_bps + 1e-9 <= further.cost_bps + 2e-9


def test_visible_depth_counts_what_is_within_reach():
    assert visible_depth(BIDS, ASKS, BUY, 5.0) == 4
    assert visible_depth(BIDS, ASKS, BUY, 15.0) == 10
    assert visible_depth(BIDS, ASKS, SELL, 100.0) == 115


def test_volatility_of_constant_moves_is_their_size():
    volatility = Volatility(step_s=1.0)
    for i in range(500):
        volatility = volatility.update(1e-4 * (-1) ** i)
    assert volatility.over_bps(1.0) == pytest.approx(1.0)
    assert volatility.over_bps(25.0) == pytest.approx(5.0)


def test_volatility_starts_as_a_plain_average():
    volatility = Volatility(step_s=1.0).update(3e-4).update(-1e-4)
    assert volatility.variance == pytest.approx((9e-8 + 1e-8) / 2)


def test_volatility_forgets_by_its_decay():
    volatility = Volatility(step_s=1.0, variance=4e-8, count=1000)
    assert volatility.update(0.0).variance == pytest.approx(0.94 * 4e-8)


CALM = Volatility(step_s=1.0, variance=1e-8, count=100)  # 1 bp a second


def test_a_jump_is_a_move_that_the_volatility_does_not_explain():
    assert not jumped(5.9e-4, CALM, seconds=4.0, k=3.0)
    assert jumped(-6.1e-4, CALM, seconds=4.0, k=3.0)
    assert jumped(math.nan, CALM, seconds=4.0, k=3.0)


def test_drift_grows_with_age():
    assert drifted(100.05, 100.0, CALM, age_s=1.0, k=3.0)
    assert not drifted(100.05, 100.0, CALM, age_s=4.0, k=3.0)
    assert not drifted(100.05, 100.0, CALM, age_s=0.0, k=3.0, floor_bps=6.0)


@pytest.mark.parametrize("bad", [math.nan, math.inf, 0.0, -1.0])
def test_what_cannot_be_judged_has_drifted(bad):
    assert drifted(bad, 100.0, CALM, 1.0, 3.0)
    assert drifted(100.0, bad, CALM, 1.0, 3.0)
    assert drifted(100.0, 100.0, CALM, -1.0, 3.0)
    assert drifted(100.0, 100.0, CALM, math.nan, 3.0)


def test_stale_is_missing_old_or_from_the_future():
    assert not stale(100, 150, 50)
    assert stale(None, 150, 50)
    assert stale(99, 150, 50)
    assert stale(151, 150, 50)


def test_participation():
    assert participation(1, 4) == 0.25
    assert participation(1, 0) == math.inf
