import importlib.util
import sys

import pytest

from lictor.desks.trading.venue.capture import CaptureMissing, read_capture
from lictor.desks.trading.venue.replay import replay_all, sample


def test_the_cleaned_flow_is_that_of_half_an_hour(capture):
    assert capture.orders == 54_061
    assert len(capture.events) == 2 * capture.orders
    assert (capture.ends_at_us - capture.starts_at_us) / 60e6 == pytest.approx(30, abs=0.01)
    assert (len(capture.trades), sum(trade.qty for trade in capture.trades)) == (284, 1_502_983_915)


def test_events_are_in_time_order_and_every_order_is_placed_once_before_it_is_withdrawn(capture):
    placed, withdrawn = set(), set()
    for earlier, event in zip([capture.events[0], *capture.events], capture.events, strict=False):
        assert event.at_us >= earlier.at_us
        if event.qty:
            assert event.order not in placed
            placed.add(event.order)
        else:
            assert event.order in placed
            assert event.order not in withdrawn
            withdrawn.add(event.order)
    assert placed == withdrawn == set(range(capture.orders))


def test_the_engine_makes_the_trades_of_the_real_venue(capture):
    """Every trade is one between the same two orders as in reality; market orders, which have no price, are missing."""
    made = replay_all(capture)
    assert (made["trades"], made["real_trades"]) == (270, 284)
    assert made["same_orders_as_real"] == 270
    assert made["same_price_and_qty_too"] == 269
    assert made["btc"] == "14.69570502"
    assert replay_all(capture) == made


def test_a_sample_of_a_part_never_knows_what_comes_after_it(capture):
    minute = 60_000_000
    short = list(sample(capture, 1_000_000, 3, capture.starts_at_us + minute))
    long = list(sample(capture, 1_000_000, 3, capture.starts_at_us + 2 * minute))
    assert long[: len(short)] == short
    assert len(long) > len(short)


def test_the_package_is_read_and_never_imported(capture):
    assert "ob_analytics" not in sys.modules


def test_a_missing_package_is_named_with_the_command_that_installs_it(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(CaptureMissing, match="make setup"):
        read_capture()
