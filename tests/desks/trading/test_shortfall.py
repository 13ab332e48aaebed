import pytest
from hypothesis import given
from hypothesis import strategies as st

from lictor.desks.trading.shortfall import (
    Fill,
    average_price,
    effective_spread_bps,
    half_cents,
    markout_bps,
    mid_half_cents,
    realised_spread_bps,
    shortfall,
    slip_bps,
)

PRICES = st.integers(1, 20_000_000_00)
FILLS = st.lists(
    st.builds(Fill, qty=st.integers(1, 10**12), price=PRICES, mid=PRICES, fee=st.integers(-(10**15), 10**15)),
    max_size=20,
)
SIDES = st.sampled_from([1, -1])


@given(SIDES, FILLS, st.integers(0, 10**12), PRICES, PRICES, PRICES, st.integers(0, 10**12))
def test_the_parts_are_the_total_exactly(side, fills, left, decision, arrival, end, other_fees):
    qty = max(1, sum(fill.qty for fill in fills) + left)
    result = shortfall(side, qty, decision, arrival, end, fills, other_fees)
    paper = side * qty * (end - decision)
    real = sum(side * fill.qty * (end - fill.price) - fill.fee for fill in fills) - other_fees
    # Perold's definition, by another route: what the paper portfolio made, less what the real one made
    assert result.total == paper - real
    assert result.identity_error == 0
    assert sum(result.parts_bps().values()) == pytest.approx(result.total_bps, rel=1e-9, abs=1e-6)


@given(FILLS.filter(bool), PRICES, PRICES, PRICES)
def test_a_sell_is_a_buy_seen_in_the_mirror(fills, decision, arrival, end):
    free = [Fill(fill.qty, fill.price, fill.mid) for fill in fills]
    qty = sum(fill.qty for fill in free)
    assert (
        shortfall(1, qty, decision, arrival, end, free).total == -shortfall(-1, qty, decision, arrival, end, free).total
    )


def test_the_textbook_case_is_19_basis_points():
    # 1,000 wanted at 40.00, sent at 40.04, 700 filled at 40.05, the rest given up at 40.08, commission 17 dollars
    cents = 100
    result = shortfall(1, 1000, 4000, 4004, 4008, [Fill(700, 4005, 4005, fee=17 * cents)])
    assert (result.delay, result.impact + result.spread, result.opportunity, result.fees) == (2800, 700, 2400, 1700)
    assert result.total == 7600
    assert result.total_bps == pytest.approx(19.0)
    assert [round(part) for part in result.parts_bps().values()] == [7, 2, 0, 6, 4]
    assert result.fill_ratio == 0.7


def test_what_was_never_filled_costs_only_its_opportunity():
    result = shortfall(-1, 100, 5000, 5000, 4990, [])
    assert result.total == result.opportunity == 1000
    assert average_price([]) is None
    assert slip_bps(1, [], 5000) is None


def test_the_mid_of_two_cents_is_a_whole_number_of_half_cents():
    assert mid_half_cents(7_831_800, 7_831_901) == half_cents(7_831_800) + 101


def test_slips_spreads_and_markouts():
    fills = [Fill(1, 10_010, 10_000), Fill(3, 10_002, 10_000)]
    assert average_price(fills) == 10_004
    assert slip_bps(1, fills, 10_000) == pytest.approx(4.0)
    assert slip_bps(-1, fills, 10_000) == pytest.approx(-4.0)
    assert markout_bps(-1, 10_000, 9_990) == pytest.approx(10.0)
    effective, realised = effective_spread_bps(1, 10_010, 10_000), realised_spread_bps(1, 10_010, 10_000, 10_004)
    assert (effective, realised) == (pytest.approx(20.0), pytest.approx(12.0))
    # what is left is the price impact: the mid moved 4 bps our way, counted twice like both spreads
    assert effective - realised == pytest.approx(2 * 4.0)


@pytest.mark.parametrize(
    "order",
    [
        (0, 10, 100, 100, 100, []),
        (1, 0, 100, 100, 100, []),
        (1, 10, 0, 100, 100, []),
        (1, 10, 100, 100, 100, [Fill(11, 100, 100)]),
        (1, 10, 100, 100, 100, [Fill(0, 100, 100)]),
        (1, 10, 100, 100, 100, [Fill(1, -100, 100)]),
    ],
)
def test_what_cannot_be_is_refused(order):
    with pytest.raises(ValueError, match=r"positive|more was filled"):
        shortfall(*order)
