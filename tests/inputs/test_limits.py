import json
import math
from collections import Counter
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.inputs.payouts import Payout

from lictor.inputs.finding import Reason
from lictor.inputs.limits import DEPTH_MAX, PAYLOAD_BYTES_MAX, read
from lictor.inputs.numbers import INTEGER_MAX, Numbers

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-INTEGER_MAX - 1, INTEGER_MAX),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=8),
)
content = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4)
)


@given(content)
def test_what_any_encoder_writes_is_read_back(value):
    assume_unicode(value)
    finding, found = read(json.dumps(value, ensure_ascii=False).encode())
    assert finding is None
    assert found == value


def assume_unicode(value):
    from hypothesis import assume

    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        assume(condition=False)


@given(st.binary(max_size=200))
def test_any_bytes_are_content_or_a_coded_finding(payload):
    finding, found = read(payload)
    if finding is None:
        assert json.loads(payload) == found
    else:
        assert isinstance(finding.reason, Reason)
        assert finding.detail


@given(content, st.data())
def test_damaged_json_never_raises(value, data):
    payload = bytearray(json.dumps(value).encode())
    place = data.draw(st.integers(0, len(payload) - 1))
    payload[place] = data.draw(st.integers(0, 255))
    finding, _ = read(bytes(payload))
    assert finding is None or isinstance(finding.reason, Reason)


@given(st.lists(st.tuples(st.sampled_from(["a", "b", 'q"', "x:y", "\\"]), st.integers(0, 9)), max_size=6))
def test_a_repeated_key_is_found_at_any_depth(pairs):
    inner = "{" + ",".join(f"{json.dumps(key)}:{value}" for key, value in pairs) + "}"
    finding, _ = read(f'[{{"outer": {inner}}}, ":{{"]'.encode())
    repeated = any(count > 1 for count in Counter(key for key, _ in pairs).values())
    assert (finding.reason if finding else None) == (Reason.DUPLICATE_KEY if repeated else None)


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", Reason.JSON),
        (b"{", Reason.JSON),
        (b'{"a": NaN}', Reason.JSON),
        (b'{"a": Infinity}', Reason.JSON),
        (b'{"a": 1e999}', Reason.NUMBER),
        (b'{"a": 9223372036854775808}', Reason.NUMBER),
        (b'{"a": [-9223372036854775809]}', Reason.NUMBER),
        (b'{"a": 1' + b"0" * 5000 + b"}", Reason.NUMBER),
        (b'"\xff"', Reason.UNICODE),
        (b'{"unknown": "\xc3\x28"}', Reason.UNICODE),
        (b'"\\ud800 and more text"', Reason.UNICODE),
        (b"[" * (DEPTH_MAX + 1) + b"]" * (DEPTH_MAX + 1), Reason.DEPTH),
        (b"[" * 100_000 + b"]" * 100_000, Reason.DEPTH),
        (b'{"a":1,"a":1}', Reason.DUPLICATE_KEY),
        (b'{"a":1,"\\u0061":2}', Reason.DUPLICATE_KEY),
        (b'"' + b"x" * PAYLOAD_BYTES_MAX + b'"', Reason.SIZE),
        (b"\xef\xbb\xbf{}", Reason.JSON),
    ],
    ids=lambda value: str(value)[:30],
)
def test_each_limit_has_a_code(payload, reason):
    finding, found = read(payload)
    assert found is None
    assert finding.reason == reason, finding


def test_what_is_just_within_the_limits_passes():
    assert read(b"[" * DEPTH_MAX + b"]" * DEPTH_MAX)[0] is None
    assert read(b'{"a": 9223372036854775807, "b": -9223372036854775808}')[0] is None
    assert read(b'"' + b"x" * (PAYLOAD_BYTES_MAX - 2) + b'"')[0] is None
    assert read(b'{"digits": "99999999999999999999999999", "x": 1e30}')[0] is None


@pytest.mark.parametrize(
    "payload",
    [
        b'"' + b'\\"' * 500_000,
        b'["' + b'\\"' * 500_000 + b'"]',
        b'{"a":' * 150_000,
        b"[" + b'"",' * 250_000 + b'""]',
    ],
    ids=["open string", "escapes", "open objects", "empty strings"],
)
def test_hostile_text_of_full_size_is_read_in_linear_time(payload):
    read(payload)  # quadratic would run into the time-out of the test


NOT_FINITE = [math.nan, math.inf, -math.inf]


@pytest.mark.parametrize("number", [*NOT_FINITE, 10**30, -(10**19)])
def test_a_typed_value_with_an_impossible_number_is_found(number):
    assert Numbers(Payout).in_value(Payout("a", 1, price=number)).reason == Reason.NUMBER
    assert Numbers(Payout).in_value({"account": "a", "amount": number}).reason == Reason.NUMBER


@pytest.mark.parametrize("text", ["NaN", "-Infinity", "inf", "sNaN", "+nan"])
def test_decimals_that_are_not_finite_are_found_as_value_and_as_text(text):
    assert Numbers(Payout).in_value(Payout("a", 1, fee=Decimal(text))).reason == Reason.NUMBER
    assert Numbers(Payout).in_content({"account": "a", "amount": 1, "fee": text}).reason == Reason.NUMBER


def test_good_numbers_pass():
    good = Payout("nan", -(2**63), price=1e308, number=2**63 - 1, fee=Decimal("1e40"))
    assert Numbers(Payout).in_value(good) is None
    assert Numbers(Payout).in_content(msgspec.to_builtins(good)) is None


def test_nested_values_are_read_in_full():
    @dataclass
    class Order:
        legs: list[dict[str, Any]]

    numbers = Numbers(Order)
    assert numbers.in_value(Order([{"price": 1.5}, {"price": 2}])) is None
    assert numbers.in_value(Order([{"price": 1.5}, {"price": math.inf}])).reason == Reason.NUMBER
    assert numbers.in_value(Order([{"price": object()}])).reason == Reason.SCHEMA
    circle: list[Any] = []
    circle.append(circle)
    assert numbers.in_value(Order(circle)).reason == Reason.DEPTH
