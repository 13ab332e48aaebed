"""Nothing that user code or a person says can stop a node because no journal could keep it."""

import asyncio
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lictor import App, Call, EffectFailed, Node, allow, deny, hold, pending
from lictor.declarations.plain import storable, text, told
from lictor.errors import MalformedError
from lictor.journal import codec, port
from lictor.records import Report

#: Text with halves of surrogate pairs, which Python holds and UTF-8 does not.
WILD = st.text(st.characters(exclude_categories=()), max_size=20) | st.just("\ud800") | st.just("caf\u00e9 \udfff")


class Odd:
    """A value that has no plain form and cannot be shown."""

    def __repr__(self) -> str:
        raise RuntimeError("no")


class Mute(Exception):
    """Cannot say what it is."""

    def __str__(self) -> str:
        raise RuntimeError("no")


class Named(str):
    """Text of a type of its own."""

    __slots__ = ()


LEAVES = (
    WILD
    | st.integers()
    | st.floats()
    | st.decimals()
    | st.binary(max_size=4)
    | st.sampled_from([1 << 64, -(1 << 63) - 1, 1 << 9_000, object(), Named("\udc00"), None])
)
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WILD, inner, max_size=3))


@given(VALUES)
def test_what_happened_is_always_kept_in_some_form(value):
    kept = storable(value)
    fact = port.Progress(1, (port.Act(0, "succeed", 1, value=kept),), 1)
    assert codec.decode("progress", *codec.encode(fact)).decision == 1


def test_what_cannot_even_be_shown_is_named():
    assert storable([Odd()]) == "<list>"
    assert storable({"a": 1, "b": Odd()}) == {"a": 1, "b": "<Odd>"}


@given(WILD)
def test_text_is_kept_as_it_is_where_that_can_be_done(words):
    kept = text(words)
    kept.encode()
    assert kept == words or any("\ud800" <= letter <= "\udfff" for letter in words)


def test_an_exception_that_cannot_say_what_it_is_is_told_by_its_name():
    assert told(Mute()) == "Mute"
    assert told(ValueError("half \ud83d")) == "ValueError: half \\ud83d"


@dataclass(frozen=True)
class Ask:
    what: str
    amount: int = 1


def odd(said: Any) -> App:
    """An App whose every answer is `said`."""
    app = App("odd")
    cash = app.balance("cash", limit=100)
    app.decision(expires_in_s=60)(Ask)

    says = {
        "deny": lambda: deny("NO", words=said, more={"deep": [said]}),
        "code": lambda: deny(str(said).upper() or "NONE", words=said),
        "raise": lambda: _raise(said),
        "hold": lambda: hold("ASK", words=said),
        "reserve": lambda: allow(cash.reserve(1 << 70)),
    }

    @app.gate(Ask)
    def gate(ask, _state):
        return says.get(ask.what, allow)()

    @app.effector(idempotent=False, timeout_s=5, poll_after_s=0.001)
    async def act(call: Call, what: str, extra: Any) -> Any:
        if what == "fail":
            raise EffectFailed(str(said), code=str(said))
        if what == "lost":
            raise ConnectionError(said)
        if what == "pending":
            return pending(str(said), poll_after_s=float("inf"))
        if what == "settle":
            call.settle(cash, 1, scope=str(said))
        return said

    @act.reconcile
    async def ask_world(_call: Call, what: str, extra: Any) -> Any:
        return Report(id=str(said), final=True, result="succeeded", value=said)

    @app.plan(Ask)
    def plan(ask):
        if ask.what == "no_plan":
            raise ValueError(said)
        return act.action(ask.what, said if ask.what == "argument" else None)

    return app


ASKS = ("deny", "code", "raise", "reserve", "fail", "lost", "settle", "no_plan", "argument", "ok")


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(VALUES)
def test_no_answer_of_user_code_stops_the_node(tmp_path_factory, said):
    async def main() -> None:
        path = str(tmp_path_factory.mktemp("odd") / "odd.db")
        async with Node(odd(safe_to_write(said)), path) as node:
            handles = [await node.submit(Ask(what), source="a") for what in ASKS]
            for handle in handles:
                await handle.outcome()
            assert node.failure is None

    asyncio.run(main())


def _raise(said: Any) -> Any:
    raise ValueError(said)


def safe_to_write(said: Any) -> Any:
    """`str()` is called on it by the App above."""
    try:
        str(said)
    except Exception:
        return None
    return said


@pytest.mark.parametrize("words", ["half \ud83d", "\udfff", "caf\u00e9"])
def test_no_words_of_a_person_stop_the_node(tmp_path, words):
    async def main() -> None:
        async with Node(odd("well"), str(tmp_path / "odd.db")) as node:
            held = await node.submit(Ask("hold"), source="a")
            await node.approve(held.id, by=words, reason=words)
            again = await node.submit(Ask("hold"), source="a")
            await node.cancel(again.id, by=words, reason=words)
            await node.halt(f"source:{words}", by=words, reason=words)
            await node.resume(f"source:{words}", by=words, reason=words)
            await node.set_limit("cash", 5, scope=words, by=words)
            pends = await node.submit(Ask("pending"), source="a")
            assert await node.resolve("well", Report(id=words, final=True, result="succeeded", value=words), by=words)
            assert (await pends.outcome()).result == "succeeded"
            assert node.failure is None

    asyncio.run(main())


def test_a_report_that_says_nothing_a_journal_can_keep_is_refused_at_the_door(tmp_path):
    async def main() -> None:
        async with Node(odd("well"), str(tmp_path / "odd.db")) as node:
            pends = await node.submit(Ask("pending"), source="a")
            for settled in ({"cash": 1.5}, {"cash": 1 << 64}, {"cash": Decimal("nan")}):
                with pytest.raises(MalformedError):
                    await node.resolve("well", Report(id="1", final=True, result="succeeded", settled=settled))
            with pytest.raises(MalformedError):
                await node.resolve("well", Report(id="1", final=True, result="perhaps"))
            assert await node.resolve("well", Report(id="2", final=True, result="succeeded"))
            assert (await pends.outcome()).result == "succeeded"

    asyncio.run(main())
