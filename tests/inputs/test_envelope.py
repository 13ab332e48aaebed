import math
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lictor.errors import MalformedError
from lictor.inputs.envelope import KEY_MAX, NAME_MAX, fault, presentable
from lictor.inputs.stored_signal import load, store
from lictor.records import Signal

GOOD = {"source": "feed", "kind": "Payout", "payload": b'{"account":"a","amount":1}'}

BAD = [
    ("source", ""),
    ("source", 7),
    ("source", ["feed"]),
    ("source", "x" * (NAME_MAX + 1)),
    ("tenant", "\ud800"),
    ("kind", None),
    ("key", ""),
    ("key", 12),
    ("key", "k" * (KEY_MAX + 1)),
    ("key", "\udfff"),
    ("position", 5),
    ("priority", 4),
    ("priority", -1),
    ("priority", 10**30),
    ("deadline_us", 10**30),
    ("deadline_us", -1),
    ("not_before_us", 1.5),
    ("parent", "7"),
    ("supersedes", 2**63),
    ("sent_us", math.nan),
    ("expires_in_s", math.inf),
    ("expires_in_s", math.nan),
    ("expires_in_s", 0),
    ("expires_in_s", 1e18),
    ("confidence", math.nan),
    ("confidence", 1.5),
    ("confidence", "0.5"),
    ("expects", ["x"]),
    ("expects", {"x": object()}),
    ("expects", {"x": 10**40}),
    ("expects", {"x": "y" * 20_000}),
    ("expects", {"x": "\ud800"}),
    ("payload", "text"),
]


@pytest.mark.parametrize(("name", "value"), BAD, ids=lambda value: repr(value)[:20])
def test_a_field_that_makes_no_sense_is_said_and_can_be_kept(name, value):
    signal = Signal(**{**GOOD, name: value})
    assert fault(signal)
    assert fault(presentable(signal)) is None or name not in {"source", "tenant", "kind", "key", "position"}
    stored = store(signal)
    with suppress(MalformedError):
        assert fault(load(stored)) is None


def test_a_sensible_signal_has_no_fault():
    full = Signal(
        **GOOD,
        key="ключ-1",
        tenant="acme",
        priority=0,
        deadline_us=1_800_000_000_000_000,
        expires_in_s=30,
        not_before_us=0,
        confidence=1,
        expects={"cost": 1.5, "by": ["x"]},
        parent=2**62,
        supersedes=1,
        sent_us=1,
        position="file:1",
        version=1,
    )
    assert fault(full) is None
    assert fault(Signal(**GOOD)) is None


anything = st.one_of(
    st.none(), st.integers(), st.floats(), st.text(), st.binary(), st.lists(st.integers()), st.just(object())
)


@given(st.fixed_dictionaries(dict.fromkeys(Signal.__struct_fields__, anything)))
def test_storing_never_fails_and_what_is_read_back_has_no_fault(fields):
    stored = store(Signal(**fields))
    try:
        again = load(stored)
    except MalformedError:
        return
    assert fault(again) is None


@given(st.binary(max_size=300))
def test_a_payload_of_any_bytes_is_kept_exactly(payload):
    signal = Signal(**{**GOOD, "payload": payload}, key="k")
    assert load(store(signal)) == signal


def test_the_bulk_of_a_large_payload_is_not_kept_and_its_replay_needs_another():
    stored = store(Signal(**{**GOOD, "payload": b'"' + b"x" * 1_000_000 + b'"'}, key="k"))
    assert len(stored) < 4_000
    with pytest.raises(MalformedError, match="payload"):
        load(stored)
    assert load(stored, b"{}").payload == b"{}"
