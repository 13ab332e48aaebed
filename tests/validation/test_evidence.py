"""Evidence comes back exactly as the gate saw it, or not at all."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import NamedTuple
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lictor.validation.evidence import NotKept, encode, keep, restore
from lictor.validation.references import STORED_BYTES_MAX, LoadedReference
from lictor.validation.snapshot import ANSWER_BYTES_MAX, UNKEPT, kept_answer


class Point(NamedTuple):
    x: object
    y: object


class Side(Enum):
    BUY = 1
    SELL = "s"


@dataclass(frozen=True, slots=True)
class Level:
    price: Decimal
    sizes: tuple[int, ...]
    checked: bool = field(default=False, init=False)


class Book(msgspec.Struct, frozen=True):
    levels: list[Level]
    side: Side = Side.BUY


scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.text(),
    st.binary(),
    st.decimals(allow_nan=False),
    st.datetimes(timezones=st.just(UTC)),
    st.dates(),
    st.times(),
    st.timedeltas(),
    st.uuids(),
    st.sampled_from(Side),
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.one_of(st.text(), st.just("$"), st.integers()), inner, max_size=4),
        st.tuples(inner, inner),
        st.builds(Point, inner, inner),
        st.frozensets(st.integers(), max_size=4),
        st.sets(st.text(), max_size=4),
        st.builds(Level, st.decimals(allow_nan=False), st.tuples(st.integers())),
        st.builds(Book, st.lists(st.builds(Level, st.decimals(allow_nan=False), st.just(())), max_size=2)),
    ),
    max_leaves=12,
)


def same(a: object, b: object) -> bool:
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return list(map(repr, a)) == list(map(repr, b)) and all(
            same(x, y) for x, y in zip(a.values(), b.values(), strict=True)
        )
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b


@given(values)
def test_what_is_kept_comes_back_with_its_types(value: object) -> None:
    stored = encode(keep(value))
    assert same(restore(msgspec.msgpack.decode(stored)), value)


def test_equal_sets_are_kept_alike() -> None:
    assert encode(keep({"b", "a", "c"})) == encode(keep({"c", "b", "a"}))


def test_what_has_no_plain_form_is_not_kept() -> None:
    for value in (object(), [object()], {"a": object()}, lambda: 1):
        with pytest.raises(NotKept):
            keep(value)
    deep: list = []
    for _ in range(60):
        deep = [deep]
    with pytest.raises(NotKept):
        keep(deep)


def test_classes_that_are_not_loaded_are_never_made() -> None:
    for name in ("os:system", "nowhere:Thing", "builtins:print", f"{__name__}:same", f"{__name__}:Gone"):
        with pytest.raises(NotKept):
            restore({"$": "fields", "t": name, "v": {}})


def test_a_class_that_has_other_fields_now_is_not_made() -> None:
    kept = keep(Level(Decimal(1), ()))
    kept["v"].pop("sizes")
    with pytest.raises(NotKept, match="other fields"):
        restore(kept)


def test_nan_is_kept() -> None:
    assert math.isnan(restore(msgspec.msgpack.decode(encode(keep(math.nan)))))


def test_a_large_answer_is_named_as_not_kept() -> None:
    assert kept_answer("q", {"x": "y"}).value == {"x": "y"}
    assert kept_answer("q", "y" * ANSWER_BYTES_MAX).version == UNKEPT
    assert kept_answer("q", object()).version == UNKEPT
    assert kept_answer("q", "\ud800").version == UNKEPT


def test_a_reference_that_is_too_large_or_opaque_has_a_version_and_no_value() -> None:
    large = LoadedReference("r", "x" * (STORED_BYTES_MAX + 1), 1)
    assert large.stored == b""
    assert large.version != LoadedReference("r", "y" * (STORED_BYTES_MAX + 1), 1).version
    assert LoadedReference("r", object(), 7).version == "opaque-7"
    assert LoadedReference("r", [1], 1).version == LoadedReference("r", [1], 2).version


def test_the_examples_are_what_they_say() -> None:
    assert restore(keep(UUID(int=5))) == UUID(int=5)
    assert restore(keep(timedelta(days=-1, microseconds=3))) == timedelta(days=-1, microseconds=3)
    assert restore(keep([date(2026, 1, 2), time(3, 4), datetime(2026, 1, 2, tzinfo=UTC)])) == [
        date(2026, 1, 2),
        time(3, 4),
        datetime(2026, 1, 2, tzinfo=UTC),
    ]
