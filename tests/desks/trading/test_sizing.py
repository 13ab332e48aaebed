import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lictor.desks.trading.market import QTY_PER_BTC
from lictor.desks.trading.sizing import (
    exposure_qty,
    fixed_fractional_qty,
    floor_lot,
    kelly_binary,
    kelly_continuous,
    learned_multiplier,
    liquidity_qty,
    size,
    volatility_target,
)

CAPS = st.dictionaries(st.text("abc", min_size=1), st.integers(-10, 10**12), min_size=1)


def test_kelly_of_a_known_bet():
    assert kelly_binary(0.55, 1.5) == pytest.approx(0.25)
    assert kelly_binary(0.4, 1.0) == 0.0


@given(st.floats(0.51, 0.99), st.floats(0.1, 10.0))
def test_kelly_grows_fastest(probability, payoff):
    def growth(share):
        return probability * math.log1p(share * payoff) + (1 - probability) * math.log1p(-share)

    best = kelly_binary(probability, payoff)
    for other in (best * 0.9, min(best * 1.1, best + (1 - best) / 2)):
        assert growth(best) >= growth(other) - 1e-12


@given(st.floats(1e-6, 1e-2), st.floats(1e-4, 0.1))
def test_half_of_continuous_kelly_keeps_three_quarters_of_the_growth(drift, volatility):
    def growth(share):
        return drift * share - (share * volatility) ** 2 / 2

    best = kelly_continuous(drift, volatility)
    assert growth(best / 2) == pytest.approx(0.75 * growth(best))


@pytest.mark.parametrize("bad", [math.nan, math.inf, -1.0, 0.0])
def test_an_unknown_edge_or_volatility_sizes_nothing(bad):
    assert kelly_continuous(bad, 0.01) == 0.0
    assert kelly_continuous(0.01, bad) == 0.0
    assert volatility_target(0.1, bad) == 0.0
    assert kelly_binary(0.6, bad) in {0.0, 0.6}  # an infinite payoff stakes the probability
    assert exposure_qty(10_000_00, bad, 78_000_00) == 0


def test_fixed_fraction_loses_what_it_may():
    # 100,000 dollars, 1 % at risk, stop 500 dollars away: 2 BTC
    assert fixed_fractional_qty(100_000_00, 0.01, 78_000_00, 77_500_00) == 2 * QTY_PER_BTC
    assert fixed_fractional_qty(100_000_00, 0.01, 78_000_00, 77_500_00, commission=0.001) == int(1.996 * QTY_PER_BTC)
    assert fixed_fractional_qty(100_000_00, 0.01, 78_000_00, 78_000_00) == 0


def test_a_share_of_equity_and_of_volume():
    assert exposure_qty(78_000_00, 0.5, 78_000_00) == QTY_PER_BTC // 2
    assert liquidity_qty(0.01, 15 * QTY_PER_BTC) == 15_000_000
    assert liquidity_qty(2.0, 10) == liquidity_qty(0.1, 0) == 0


@given(CAPS, st.integers(1, 10**6), st.floats(allow_nan=True), st.integers(0, 10**6))
def test_a_size_breaks_no_cap_and_is_in_whole_lots(caps, lot, multiplier, qty_min):
    result = size(caps, lot, multiplier, qty_min)
    assert result.qty % lot == 0
    assert 0 <= result.qty <= max(0, *caps.values(), 0)
    assert all(result.qty <= max(0, cap) for cap in caps.values())
    assert result.qty <= learned_multiplier(multiplier) * max(caps.values()) + lot
    assert (result.qty == 0) == (result.reason is not None)
    assert result.qty == 0 or result.qty >= qty_min


def test_no_trade_says_why():
    caps = {"kelly": 500, "liquidity": 90}
    assert size(caps, 10) == size(caps, 10, 7.0)
    assert size(caps, 10).qty == 90
    assert size(caps, 100).bound_by == "liquidity"
    assert "liquidity" in size(caps, 100).reason
    shrunk = size(caps, 10, 0.1)
    assert (shrunk.qty, shrunk.bound_by) == (0, "learned")
    assert size({}, 10).qty == 0


def test_what_was_learned_only_shrinks():
    assert [learned_multiplier(g) for g in (-1.0, 0.25, 3.0, math.nan)] == [0.0, 0.25, 1.0, 0.0]


def test_a_lot_is_positive():
    assert floor_lot(-5, 10) == 0
    with pytest.raises(ValueError, match="positive"):
        floor_lot(5, 0)
