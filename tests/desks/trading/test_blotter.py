"""What the desk has done, and the throttle that only a named person lifts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lictor.desks.trading.blotter import SENT_KEPT_MAX, Blotter
from lictor.desks.trading.market import BUY, SELL
from lictor.desks.trading.policy import Policy

S = 1_000_000


@given(st.lists(st.tuples(st.sampled_from([BUY, SELL]), st.integers(1, 10**6), st.integers(1, 10**6))))
def test_bought_and_sold_at_one_price_leaves_no_result(trades):
    blotter = Blotter(Policy())
    for side, qty, _ in trades:
        blotter.filled("m", side, qty, qty * 500, 0)
    assert blotter.result(1000) == 0
    assert blotter.position == sum(side * qty for side, qty, _ in trades)


def test_buying_at_the_ask_and_marking_at_the_mid_costs_half_the_spread():
    blotter = Blotter(Policy())
    blotter.filled("m", BUY, 10, 10 * 101, 0)
    assert blotter.result(2 * 100) == -10


def test_the_throttle_says_once_that_it_latched_and_stays_until_a_person_comes():
    policy = Policy(executions_max=3, executions_window_s=10.0)
    blotter = Blotter(policy)
    said = [blotter.filled("m", BUY, 1, 1, second * S) for second in range(5)]
    assert said == [False, False, True, False, False]
    assert not blotter.filled("other", BUY, 1, 1, 5 * S)
    with pytest.raises(ValueError, match="named person"):
        blotter.reenabled("m", " ")
    blotter.reenabled("m", "a person")
    assert [blotter.filled("m", BUY, 1, 1, (10 + s) * S) for s in range(3)] == [False, False, True]


def test_what_was_sent_is_kept_within_bounds():
    blotter = Blotter(Policy())
    for number in range(3 * SENT_KEPT_MAX):
        blotter.sending("m", BUY, number, 1, number)
    assert len(blotter.summary()["sent"]) == SENT_KEPT_MAX
    assert blotter.messages == 3 * SENT_KEPT_MAX
