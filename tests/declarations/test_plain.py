"""Whatever a user's code shows or returns has a form that storage takes, so that it never stops a node."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lictor import App, Call, Node, allow, deny
from lictor.declarations.plain import plain, storable


class Silent:
    def __repr__(self) -> str:
        raise ZeroDivisionError


ODD = [1 << 64, -(1 << 64), 10**6_000, "\ud800", object(), Silent(), {"a": {"b": 1 << 70}}, [1, object()], {1, 2}]
ODD += [{"fine": 1, "odd": 1 << 70}, Decimal(1), float("nan"), {(1, 2): 3}, {"\ud800": 1}]


@pytest.mark.parametrize("value", ODD, ids=lambda value: type(value).__name__)
def test_what_is_storable_can_be_stored(value: object) -> None:
    msgspec.msgpack.encode(storable(value))


def test_what_is_fine_beside_what_is_odd_is_kept() -> None:
    kept = storable({"fine": 1, "odd": 1 << 70})
    assert kept == {"fine": 1, "odd": str(1 << 70)}


@given(st.recursive(st.one_of(st.none(), st.integers(), st.text(), st.floats(allow_nan=False)), st.lists))
def test_what_is_plain_is_the_same_after_storage(value: object) -> None:
    try:
        made = plain(value)
    except OverflowError:
        return
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(made)) == value


@pytest.mark.parametrize("odd", ODD, ids=lambda value: type(value).__name__)
def test_a_gate_or_an_effector_that_shows_something_odd_stops_nobody(odd: object) -> None:
    app, box = App("odd"), [odd]

    @app.decision()
    @dataclass(frozen=True)
    class Show:
        refuse: bool

    app.gate(Show)(lambda show, state: deny("ODD", what=box[0]) if show.refuse else allow())

    @app.effector(idempotent=True, timeout_s=5)
    async def give(call: Call) -> object:
        return box[0]

    app.plan(Show)(lambda show: give.action())

    async def main() -> tuple:
        async with Node(app) as node:
            refused = await node.submit(Show(refuse=True))
            given_ = await node.submit(Show(refuse=False))
            return refused.verdict.code, (await given_.outcome()).result, node.failure

    assert asyncio.run(main()) == ("ODD", "succeeded", None)
