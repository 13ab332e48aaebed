"""An App only declares: what is wrong is said while it is built, and one can be built as often as one likes."""

from dataclasses import dataclass

import pytest
from tests.rig import Payout

from lictor import App, DeclarationError, Priority, Quality, allow, quorum


def test_a_kind_is_declared_once_and_from_a_dataclass_or_struct():
    app = App("a")
    app.decision()(Payout)
    with pytest.raises(DeclarationError, match="twice"):
        app.decision()(Payout)
    with pytest.raises(DeclarationError, match="no such field"):
        app.decision(name="B", order_by="nothing")(Payout)
    with pytest.raises(DeclarationError, match="deadline"):
        app.decision(name="C", expires_in_s=0)
    with pytest.raises(DeclarationError, match="or Pydantic model"):
        App("b").decision(order_by="x")(int)


def test_names_are_used_once():
    app = App("a")
    app.decision()(Payout)
    for declare in (
        lambda: app.balance("x", 1),
        lambda: app.rate("x", per_s=1),
        lambda: app.source("x"),
        lambda: app.reference("x", lambda: 1, max_age_s=1),
        lambda: app.adjustable("x", default=1, tightest=0),
        lambda: app.effector(idempotent=True, timeout_s=1, name="x")(lambda call: None),
    ):
        declare()
        with pytest.raises(DeclarationError, match="twice"):
            declare()


@pytest.mark.parametrize(
    "declare",
    [
        lambda app: app.balance("x", 1.5),
        lambda app: app.balance("x", limit=True),
        lambda app: app.balance("x", {"a": 1.5}),
        lambda app: app.balance("x", 1, window_s=0),
        lambda app: app.rate("x"),
        lambda app: app.rate("x", per_s=1, per_minute=1),
        lambda app: app.rate("x", per_s=0),
        lambda app: app.rate("x", per_s=-1),
        lambda app: app.effector(idempotent=True, timeout_s=0),
        lambda app: app.effector(idempotent=True, timeout_s=1, slots=0),
        lambda app: app.adjustable("x", default=2, tightest=0, loosest=1),
        lambda app: app.source("x", kinds=[int]),
        lambda app: app.plan(int),
        lambda app: quorum(3),
    ],
)
def test_what_makes_no_sense_is_said_at_once(declare):
    with pytest.raises(DeclarationError):
        declare(App("a"))


def test_an_async_gate_is_refused_where_it_is_declared():
    app = App("a")
    app.decision()(Payout)

    async def asks(_payout, _state):
        return allow()

    with pytest.raises(DeclarationError, match="'asks' is async"):
        app.gate(Payout)(asks)


def test_tokens_and_amounts_are_checked_where_they_are_asked_for():
    app = App("a")
    cash, calls = app.balance("cash", 1), app.rate("calls", per_s=2, burst=5)
    with pytest.raises(ValueError, match="bucket"):
        calls.take(6)
    with pytest.raises(ValueError, match="absolute"):
        cash.reserve(-1)
    with pytest.raises(TypeError):
        cash.reserve(1.0)


def test_the_users_class_stays_as_it_is():
    @dataclass(frozen=True)
    class Mine:
        x: int

    assert App("a").decision(order_by="x")(Mine) is Mine
    assert Mine(1) == Mine(1)


def build(version="1"):
    app = App("twice", version=version)
    app.source("s", priority=Priority.HIGH, quality=Quality())
    app.decision()(Payout)
    cash = app.balance("cash", 5)

    @app.gate(Payout)
    def fine(payout, state):
        return allow(cash.reserve(1))

    transfer = app.effector(idempotent=True, timeout_s=1, name="transfer")(lambda call: None)
    app.plan(Payout)(lambda payout: transfer.action())
    return app


def test_an_app_can_be_built_twice_and_is_the_same():
    one, two = build(), build()
    assert one.manifest() == two.manifest()
    assert one.policy_version() == two.policy_version() != build("2").policy_version()
    one.check()
    one.balance("other", 1)
    assert "other" not in two.balances


def test_the_version_of_a_gate_holds_what_it_closes_over():
    def gate_of(limit):
        app = App("a")
        app.decision()(Payout)
        app.gate(Payout, name="g")(lambda p, s: allow() if p.amount < limit else None)
        return app.gates["Payout"][0].version

    assert gate_of(1) == gate_of(1) != gate_of(2)
