import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lictor.desks.trading import limits
from lictor.desks.trading.limits import Breach, ExecutionThrottle, LimitCode, OpenOrder, ReferencePrice
from lictor.desks.trading.market import BUY, SELL

NOW = 1_000_000_000
FRESH = ReferencePrice(78_000_00.0, NOW - 100)


def code(breach):
    return None if breach is None else breach.code


@pytest.mark.parametrize(
    ("order", "passes"),
    [((BUY, 1, 1), True), ((0, 1, 1), False), ((SELL, 0, 1), False), ((BUY, 1, -5), False), ((BUY, True, 1), False)],
)
def test_an_order_has_a_side_a_quantity_and_a_price(order, passes):
    assert (limits.valid_order(*order) is None) == passes


@pytest.mark.parametrize("bad", [math.nan, math.inf, None])
def test_a_number_that_is_none_is_a_breach_on_either_side(bad):
    if bad != math.inf:
        assert limits.at_most("X", bad, 1) is not None
        assert limits.at_most("X", 1, bad) is not None
    assert limits.at_least("X", 1, bad) is not None
    assert limits.at_most("X", math.inf, 1) is not None
    assert limits.at_most("X", 1, 1) is None
    assert limits.at_least("X", 1, 1) is None


@pytest.mark.parametrize(
    "reference", [None, *[ReferencePrice(bad, NOW) for bad in (None, math.nan, math.inf, 0.0, -1.0)]]
)
def test_a_collar_without_a_reference_is_closed(reference):
    assert code(limits.price_collar(78_000_00, reference, NOW, 1000, 1e9)) == LimitCode.PRICE_REFERENCE_MISSING


@pytest.mark.parametrize("time_us", [None, NOW - 1001, NOW + 1])
def test_a_collar_with_a_stale_reference_is_closed(time_us):
    reference = ReferencePrice(78_000_00.0, time_us)
    assert code(limits.price_collar(78_000_00, reference, NOW, 1000, 1e9)) == LimitCode.PRICE_REFERENCE_STALE


def test_the_collar():
    assert limits.price_collar(78_070_00, FRESH, NOW, 1000, 10.0) is None
    breach = limits.price_collar(77_900_00, FRESH, NOW, 1000, 10.0)
    assert breach.code == LimitCode.PRICE_COLLAR
    assert breach.seen == pytest.approx(1e4 * 100 / 78_000)
    assert breach.limit == 10.0


def test_the_collar_over_a_window():
    assert limits.price_collar_window(100.05, 100.0, 10.0) is None
    assert code(limits.price_collar_window(100.2, 100.0, 10.0)) == LimitCode.PRICE_COLLAR_WINDOW
    assert code(limits.price_collar_window(100.2, None, 10.0)) == LimitCode.PRICE_REFERENCE_MISSING
    assert code(limits.price_collar_window(math.nan, 100.0, 10.0)) == LimitCode.PRICE_REFERENCE_MISSING


def test_tick_lot_quantity_and_value():
    assert limits.tick_size(78_000_00, 100) is None
    assert code(limits.tick_size(78_000_50, 100)) == LimitCode.TICK_SIZE
    assert code(limits.lot_size(15, 10)) == LimitCode.LOT_SIZE
    assert code(limits.lot_size(15, 0)) == LimitCode.LOT_SIZE
    assert limits.order_qty(10, 10) is None
    assert code(limits.order_qty(11, 10)) == LimitCode.ORDER_QTY
    assert limits.order_notional(10, 5, 50) is None
    assert limits.order_notional(10, 6, 50) == Breach(LimitCode.ORDER_NOTIONAL, 60, 50)


@given(
    st.integers(-100, 100), st.integers(0, 100), st.sampled_from([BUY, SELL]), st.integers(1, 100), st.integers(0, 100)
)
def test_a_position_passes_only_within_the_limit_or_on_its_way_to_zero(held, waiting, side, qty, limit):
    after = held + side * (waiting + qty)
    breach = limits.position(held, waiting, side, qty, limit)
    if breach is None:
        assert abs(after) <= limit or ((abs(after) < abs(held) and (after > 0) == (held > 0)) or after == 0)
    else:
        assert abs(after) > limit


def test_open_orders_of_the_same_side_count():
    assert limits.position(5, 0, BUY, 5, 10) is None
    assert code(limits.position(5, 1, BUY, 5, 10)) == LimitCode.POSITION
    assert limits.position(20, 0, SELL, 5, 10) is None  # above its limit, but on the way down
    assert code(limits.position(20, 0, SELL, 35, 10)) == LimitCode.POSITION  # through zero and out the other side


def test_gross_exposure_and_daily_loss():
    assert limits.gross_exposure([-40.0, 30.0], 30.0, 100.0) is None
    assert code(limits.gross_exposure([-40.0, 30.0], 31.0, 100.0)) == LimitCode.GROSS_EXPOSURE
    assert code(limits.gross_exposure([math.nan], 1.0, 100.0)) == LimitCode.GROSS_EXPOSURE
    assert limits.daily_loss(-60.0, -39.0, 100.0) is None
    assert code(limits.daily_loss(-60.0, -40.0, 100.0)) == LimitCode.DAILY_LOSS
    assert limits.daily_loss(500.0, -40.0, 100.0) is None
    for unknown in (None, math.nan, math.inf):
        assert code(limits.daily_loss(0.0, unknown, 100.0)) == LimitCode.DAILY_LOSS


def test_the_same_order_twice_within_the_window():
    sent = {"abc": NOW - 400}
    assert code(limits.duplicate_order("abc", sent, NOW, 500)) == LimitCode.DUPLICATE_ORDER
    assert limits.duplicate_order("abc", sent, NOW + 100, 500) is None
    assert limits.duplicate_order("xyz", sent, NOW, 500) is None


@pytest.mark.parametrize(
    ("side", "price", "meets"),
    [(BUY, 105, True), (BUY, 106, True), (BUY, 104, False), (SELL, 100, True), (SELL, 101, False)],
)
def test_an_order_does_not_meet_our_own(side, price, meets):
    own = [OpenOrder(SELL, 105, 3), OpenOrder(BUY, 100, 3), OpenOrder(SELL, 90, 0)]
    assert (code(limits.self_trade(side, price, own)) == LimitCode.SELF_TRADE) == meets


def test_order_to_trade_and_messages():
    assert limits.order_to_trade(99, 0, 10.0, messages_min=100) is None
    assert code(limits.order_to_trade(100, 0, 10.0, messages_min=100)) == LimitCode.ORDER_TO_TRADE
    assert limits.order_to_trade(110, 10, 10.0, messages_min=100) is None
    assert code(limits.order_to_trade(111, 10, 10.0, messages_min=100)) == LimitCode.ORDER_TO_TRADE
    sent = [NOW - 5, NOW - 10, NOW - 99, NOW - 100]
    assert limits.message_rate(sent, NOW, 100, 4) is None
    assert code(limits.message_rate(sent, NOW, 101, 4)) == LimitCode.MESSAGE_RATE
    assert code(limits.open_orders(6, 5)) == LimitCode.OPEN_ORDERS


def test_permission():
    assert limits.permitted("BTC/USD", {"BTC/USD"}) is None
    assert code(limits.permitted("ETH/USD", {"BTC/USD"})) == LimitCode.INSTRUMENT_NOT_PERMITTED


def test_the_throttle_latches_until_a_named_person():
    throttle = ExecutionThrottle(executions_max=3, window_us=100)
    for time_us in (0, 50, 120):
        throttle = throttle.executed(time_us)
    assert limits.execution_throttle(throttle) is None  # the first is out of the window
    throttle = throttle.executed(130)
    assert code(limits.execution_throttle(throttle)) == LimitCode.EXECUTION_THROTTLE
    throttle = throttle.executed(10_000)
    assert code(limits.execution_throttle(throttle)) == LimitCode.EXECUTION_THROTTLE  # time alone does not open it
    with pytest.raises(ValueError, match="named person"):
        throttle.reenabled(" ")
    opened = throttle.reenabled("ada")
    assert limits.execution_throttle(opened) is None
    assert opened.reenabled_by == "ada"


@given(st.lists(st.integers(0, 1000), max_size=60).map(sorted), st.integers(1, 5), st.integers(1, 300))
def test_the_throttle_is_bounded_and_latches_exactly_when_the_window_is_full(times, most, window_us):
    throttle = ExecutionThrottle(most, window_us)
    for i, time_us in enumerate(times):
        throttle = throttle.executed(time_us)
        assert len(throttle.executed_us) <= most
        full = any(
            sum(t - window_us < earlier <= t for earlier in times[: j + 1]) >= most
            for j, t in enumerate(times[: i + 1])
        )
        assert (limits.execution_throttle(throttle) is not None) == full


def test_the_first_breach_is_the_one_reported():
    a, b = Breach("A", 1, 0), Breach("B", 1, 0)
    assert limits.first([None, b, a]) is b
    assert limits.first([None]) is None
