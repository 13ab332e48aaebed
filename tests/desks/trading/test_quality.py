"""Shortfall and markouts from what the journal has of a trade's orders."""

from hypothesis import given
from hypothesis import strategies as st

from lictor.desks.trading.market import BUY
from lictor.desks.trading.quality import markouts, measured, move_bps, split_fill, told


@given(st.integers(1, 10**9), st.integers(1, 10**8))
def test_split_fills_keep_quantity_and_money_exactly(qty, price):
    money = qty * price + (qty // 3)
    fills = split_fill(qty, money, 2 * price, 5)
    assert sum(q for q, _, _, _ in fills) == qty
    assert sum(q * p for q, p, _, _ in fills) == money
    assert len(fills) <= 2


def order(fills, mid_sent):
    return {"filled": sum(f[0] for f in fills), "fills": fills, "mid_sent": mid_sent}


def test_the_first_order_that_was_sent_is_the_arrival_and_orders_that_were_not_needed_count_for_nothing():
    sent = order([[60, 101, 201, 1]], 201)
    unsent = {"filled": 0, "fills": [], "mid_sent": 0}
    cost = measured(BUY, 100, 199, 205, [sent, unsent])
    assert cost.delay == 60 * (201 - 199)
    assert cost.spread == 60 * (2 * 101 - 201)
    assert cost.opportunity == 40 * (205 - 199)
    assert cost.identity_error == 0
    assert told(cost)["filled"] == 60


def test_a_trade_that_sent_nothing_costs_what_it_missed():
    cost = measured(BUY, 100, 200, 210, [])
    assert (cost.filled, cost.total, cost.opportunity) == (0, 1_000, 1_000)


def test_markouts_look_that_many_seconds_after_each_fill_and_not_beyond_what_is_known():
    fills = [[1, 100, 200, 0], [3, 100, 200, 4_000_000]]
    known = {1_000_000: 202, 5_000_000: 204}
    found = markouts(BUY, [order(fills, 200)], known.get)
    assert found["1"] == (1 * 100 + 3 * 200) / 4
    assert found["5"] == 200.0  # of the first fill alone: nine seconds after the start nothing is known
    assert "10" not in found


def test_a_move_is_positive_in_the_direction_of_the_trade():
    assert move_bps(1, 1000, 1001) > 0 > move_bps(-1, 1000, 1001)
