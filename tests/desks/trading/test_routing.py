"""A trade becomes slices that sum to it exactly, whatever it is."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lictor.desks.trading import routing
from lictor.desks.trading.kinds import Trade
from lictor.desks.trading.policy import Policy
from lictor.desks.trading.routing import route

POLICY = Policy()


def trade(qty, edge_bps):
    return Trade("BTC/USD", 1, qty, qty, 7_840_100, 15_680_100, 0.13, edge_bps, 0.6, 20.0, "m", "s", 0)


@given(st.integers(1, 25_000), st.floats(0.01, 10.0))
def test_children_sum_to_the_parent_in_whole_lots(lots, edge_bps):
    qty = lots * POLICY.lot
    children = route(trade(qty, edge_bps), POLICY)
    assert sum(child.qty for child in children) == qty
    assert all(child.qty > 0 and child.qty % POLICY.lot == 0 for child in children)
    assert len(children) <= POLICY.children_max
    assert children[0].gap_s == 0.0


def test_a_strong_edge_takes_at_once_and_most_of_it_first():
    first, *rest = route(trade(6_000_000, 2.0), POLICY)
    assert all(child.rest_s == 0.0 for child in (first, *rest))
    assert first.qty > rest[-1].qty
    assert all(child.gap_s == POLICY.gap_s for child in rest)


def test_a_weak_edge_rests_first_in_even_slices():
    children = route(trade(6_000_000, 0.2), POLICY)
    assert {child.qty for child in children} == {2_000_000}
    assert all(child.rest_s == POLICY.rest_s for child in children)


def test_slices_that_are_not_the_parent_are_never_sent(monkeypatch):
    monkeypatch.setattr(routing, "twap", lambda qty, lot, count: (qty, lot))
    with pytest.raises(ValueError, match="not the parent"):
        route(replace(trade(6_000_000, 0.2)), POLICY)
