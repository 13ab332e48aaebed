from dataclasses import replace

import pytest

from lictor.desks.trading.fix.records import Order
from lictor.desks.trading.market import BUY, SELL
from lictor.desks.trading.venue.rules import Rules

RULES = Rules()
MID = 7_832_050.0
GOOD = Order("k", BUY, 1_000_000, 7_832_000, 0)


def test_a_good_order_passes():
    assert RULES.refusal(GOOD, MID, 0) == ""
    assert RULES.refusal(replace(GOOD, price=None), MID, 0) == ""


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"symbol": "ETH/USD"}, "SYMBOL"),
        ({"qty": 1_000_001}, "LOT"),
        ({"price": 7_832_001}, "TICK"),
        ({"qty": 1_000_001_000}, "QTY_MAX"),
        ({"price": 7_000_000}, "PRICE_BAND"),
        ({"price": 8_300_000}, "PRICE_BAND"),
        ({"qty": 1_000}, "NOTIONAL_MIN"),
    ],
)
def test_each_rule_has_its_code(changed, code):
    assert RULES.refusal(replace(GOOD, **changed), MID, 0) == code


def test_without_a_reference_price_nothing_is_accepted():
    assert RULES.refusal(GOOD, None, 0) == "NO_REFERENCE"


def test_a_client_has_a_number_of_open_orders():
    assert RULES.refusal(GOOD, MID, RULES.open_orders_max - 1) == ""
    assert RULES.refusal(GOOD, MID, RULES.open_orders_max) == "OPEN_ORDERS_MAX"


@pytest.mark.parametrize("side", [BUY, SELL])
def test_a_market_order_ends_inside_the_band_that_limit_orders_have(side):
    price = RULES.protected_price(side, MID)
    assert RULES.refusal(replace(GOOD, side=side, price=price), MID, 0) == ""
    assert RULES.refusal(replace(GOOD, side=side, price=price + side * RULES.tick), MID, 0) == "PRICE_BAND"
