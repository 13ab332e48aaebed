from contextlib import suppress

import pytest
from fixcore.message.data_dictionary import load_data_dictionary
from fixcore.message.message import Message
from hypothesis import given
from hypothesis import strategies as st

from lictor.desks.trading.fix import wire
from lictor.desks.trading.fix.records import ExecType, Order, Report, Status, TimeInForce
from lictor.desks.trading.market import BUY, SELL, Print, Snapshot

keys = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=30)
sides = st.sampled_from([BUY, SELL])
amounts = st.integers(1, 10**12)
prices = st.none() | st.integers(1, 10**9)
times = st.integers(0, 4_000_000_000_000_000)
orders = st.builds(
    Order, keys, sides, amounts, prices, times, st.sampled_from(TimeInForce), st.booleans(), st.just("BTC/USD")
)
reports = st.builds(
    Report, keys, keys, keys, st.sampled_from([t for t in ExecType if t != ExecType.REJECTED]),
    st.sampled_from(Status), sides, amounts, prices, amounts, amounts, amounts, times,
    code=st.sampled_from(["", "REQUESTED"]), cancel_key=st.just("") | keys, request_id=st.just("") | keys,
)  # fmt: skip


def over_the_wire(message, dictionary=None):
    for tag, value in ((8, "FIX.4.4"), (49, "A"), (56, "B"), (34, "1"), (52, "20260502-00:00:00")):
        message.header.set(tag, value)
    return Message.decode(message.encode(), dictionary)


@given(orders)
def test_an_order_comes_back_as_it_was(order):
    made = over_the_wire(wire.message(wire.NEW_ORDER, wire.order_fields(order)))
    assert wire.read_order(made.body) == order


@given(orders)
def test_the_same_order_has_the_same_bytes(order):
    assert wire.order_fields(order) == wire.order_fields(order)
    assert list(wire.order_fields(order)) == list(wire.order_fields(order))


@given(reports, st.booleans())
def test_a_report_comes_back_as_it_was(report, resent):
    made = over_the_wire(wire.message(wire.REPORT, wire.report_fields(report, "BTC/USD")))
    back = wire.read_report(made.body, resent=resent)
    assert back.resent == resent
    for name in Report.__slots__:
        if name != "resent":
            assert getattr(back, name) == getattr(report, name), name


@given(
    st.lists(st.tuples(amounts, amounts), min_size=1, max_size=5),
    st.lists(st.tuples(times, amounts, amounts, sides), max_size=5),
)
def test_a_market_snapshot_comes_back_as_it_was(levels, trades):
    snapshot = Snapshot(1_777_689_380_521_000, tuple(levels), tuple(reversed(levels)))
    prints = [Print(*trade) for trade in trades]
    made = over_the_wire(wire.market_message("r", "BTC/USD", snapshot, prints), load_data_dictionary("FIX44.xml"))
    assert wire.read_market(made) == (snapshot, prints)


@pytest.mark.parametrize(
    ("tag", "value", "code"),
    [
        (wire.SIDE, "7", "SIDE"),
        (wire.ORDER_QTY, "0", "LOT"),
        (wire.ORDER_QTY, "-1", "LOT"),
        (wire.ORDER_QTY, "NaN", "LOT"),
        (wire.ORDER_QTY, "Infinity", "LOT"),
        (wire.ORDER_QTY, "0.000000001", "LOT"),
        (wire.ORDER_QTY, "much", "LOT"),
        (wire.PRICE, "78319.001", "TICK"),
        (wire.PRICE, "", "TICK"),
        (wire.ORD_TYPE, "K", "ORDER_TYPE"),
        (wire.TIME_IN_FORCE, "9", "TIME"),
        (wire.TRANSACT_TIME, "yesterday", "TIME"),
    ],
)
def test_what_cannot_be_read_has_a_code(tag, value, code):
    fields = wire.order_fields(Order("k", BUY, 1_000_000, 7_831_900, 0)) | {tag: value}
    with pytest.raises(wire.Unreadable) as refused:
        wire.read_order(fields)
    assert refused.value.code == code


known_tags = st.sampled_from(
    [wire.SIDE, wire.ORDER_QTY, wire.ORD_TYPE, wire.PRICE, wire.TIME_IN_FORCE, wire.TRANSACT_TIME, wire.EXEC_INST]
)
likely = st.sampled_from(
    ["1", "2", "0.01", "78319", "1e999999", "-1", "NaN", "20260502-02:36:20.5", "20260502-02:36:20.x"]
)


@given(st.dictionaries(known_tags, likely | st.text(st.characters(max_codepoint=255))))
def test_any_order_is_read_or_has_a_code(fields):
    with suppress(wire.Unreadable):  # and nothing else
        order = wire.read_order(fields | {wire.CL_ORD_ID: "k"})
        assert order.qty > 0


@given(times)
def test_times_keep_their_microseconds(at_us):
    assert wire.read_timestamp(wire.timestamp(at_us)) == at_us
