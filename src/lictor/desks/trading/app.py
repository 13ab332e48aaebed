"""The trading desk as an App: kinds, sources, budgets, effectors, plans and lessons. Holds no state of a run.

What it acts on and reads from comes in as a `World`; so the same App runs against any venue that speaks FIX 4.4.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lictor import App, Call, Report, all_of, pending, report
from lictor.desks.trading.blotter import Blotter
from lictor.desks.trading.conversation import Conversation
from lictor.desks.trading.gates import declare_gates
from lictor.desks.trading.kinds import Flatten, Trade, Withdraw, smaller
from lictor.desks.trading.lessons import declare_lessons
from lictor.desks.trading.means import Means
from lictor.desks.trading.policy import Policy
from lictor.desks.trading.quality import markouts, measured, move_bps, told
from lictor.desks.trading.routing import route
from lictor.desks.trading.tape import Tape

_OVER = {"succeeded", "failed", "expired", "cancelled"}


@dataclass(slots=True)
class World:
    """What the desk sees and acts on."""

    tape: Tape
    blotter: Blotter
    conversation: Conversation
    #: Approved versions of models -> who approved them; read again every few seconds.
    models: Callable[[], dict[str, str]]


def trading_app(world: World, policy: Policy, sources: tuple[str, ...]) -> Means:
    """Declare the desk. `sources` are the models that may trade; `desk` and `drill` are people and exercises."""
    app = App("trading", version="1")
    app.decision(expires_in_s=policy.start_within_s, tightens=smaller, approve_within_s=10.0)(Trade)
    app.decision(expires_in_s=30.0, control=True, reduces=lambda _order: True)(Flatten)
    app.decision(expires_in_s=30.0, control=True, reduces=lambda _order: True)(Withdraw)
    for name in sources:
        app.source(name, kinds=[Trade])
    app.source("desk", kinds=[Flatten, Withdraw, Trade])
    app.source("drill", kinds=[Trade])
    means = Means(
        app=app,
        policy=policy,
        market=app.reference("market", world.tape.view, max_age_s=policy.market_age_s_max, refresh_s=3600.0),
        blotter=app.reference("blotter", world.blotter.summary, max_age_s=30.0, refresh_s=1.0),
        models=app.reference("models", world.models, max_age_s=60.0, refresh_s=5.0),
        turnover=app.balance("turnover", policy.turnover_max, per="source", window_s=policy.turnover_window_s),
        long=app.balance("long", policy.position_max, per="instrument"),
        short=app.balance("short", policy.position_max, per="instrument"),
        messages=app.rate("messages", per_s=policy.messages_per_s),
        size=app.adjustable("size", default=1.0, tightest=policy.size_min, loosen_per_hour=6.0),
        impact_y=app.adjustable("impact_y", default=1.0, tightest=2.0, loosest=0.3, loosen_per_hour=3.0, per="all"),
        demoted=app.adjustable("demoted", default=0.0, tightest=1.0),
    )
    declare_gates(means)
    _trade(means, world)
    _flatten(means)
    _withdraw(means, world)
    declare_lessons(means)
    world.conversation.budgets = (means.turnover, means.long, means.short)
    return means


def _trade(means: Means, world: World) -> None:
    """How a trade is carried out: `order`, `pause` between slices, and `mark` when its horizon has passed."""
    app, policy = means.app, means.policy
    order, pause, mark = _order(means, world), _pause(app), _mark(app, world)

    @app.plan(Trade)
    def trade(wanted: Trade) -> Any:
        drafts: list[Any] = []
        common = (wanted.side, wanted.limit_price, wanted.signal_us)
        for child in route(wanted, policy):
            before = drafts[-1:]
            if child.gap_s and before:
                before = [pause.action(child.gap_s).after(*before)]
                drafts += before
            rest: Any = None
            if child.rest_s:
                resting = order.action(*common, child.qty, None, child.rest_s).after(*before)
                drafts.append(resting)
                before, rest = [], resting.result
            drafts.append(order.action(*common, child.qty, rest, 0.0).after(*before))
        decided = (wanted.mid_half_cents, wanted.signal_us, wanted.horizon_s)
        return all_of(*drafts, mark.action(wanted.side, wanted.qty, *decided))


def _pause(app: App) -> Any:
    @app.effector(idempotent=True, timeout_s=5.0, slots=64, poll_after_s=0.5)
    async def pause(call: Call, seconds: float) -> Any:
        """Wait between slices, without holding anything up."""
        return pending(call.key, poll_after_s=seconds)

    @pause.reconcile
    async def paused(call: Call, seconds: float) -> Report | None:
        return report(f"{call.key}/over", final=True, result="succeeded", value=seconds)

    return pause


def _mark(app: App, world: World) -> Any:
    conversation, tape = world.conversation, world.tape

    @app.effector(idempotent=True, timeout_s=5.0, slots=64, poll_after_s=1.0)
    async def mark(call: Call, side: int, qty: int, decision_mid: int, decided_us: int, horizon_s: float) -> Any:
        """Wait until the horizon has passed, then measure."""
        del side, qty, decision_mid
        left_s = (decided_us - tape.time_us) / 1e6 + horizon_s
        return pending(call.key, poll_after_s=max(left_s, 0.5) + 1.0)

    @mark.reconcile
    async def marked(
        call: Call, side: int, qty: int, decision_mid: int, decided_us: int, horizon_s: float
    ) -> Report | None:
        end_us = decided_us + int(horizon_s * 1e6)
        node = conversation.node
        found = node.journal.state.open.get(call.decision) if node is not None else None
        if tape.time_us < end_us or found is None:
            return None
        others = [action for number, action in enumerate(found.actions) if number != call.ordinal]
        if any(action.state not in _OVER for action in others):
            return None
        values = [action.value for action in others if isinstance(action.value, dict)]
        value = _measure(tape, side, qty, decision_mid, end_us, horizon_s, values)
        return report(f"{call.key}/mark", final=True, result="succeeded", value=value)

    return mark


def _order(means: Means, world: World) -> Any:
    app, conversation, tape = means.app, world.conversation, world.tape

    @app.effector(idempotent=False, timeout_s=20.0, slots=16, poll_after_s=2.0, resolve_within_s=600.0)
    async def order(call: Call, side: int, limit_price: int, at_us: int, qty: int, rest: Any, rest_s: float) -> Any:
        """One child order. `rest` is what came of the one that rested first: this one takes what that left."""
        left = qty - _filled(rest)
        if left <= 0:
            for balance in (means.turnover, means.long, means.short):
                call.settle(balance, 0)
            return {"filled": 0, "money": 0, "left": 0, "fills": [], "mid_sent": 0, "status": "not needed", "why": ""}
        price = limit_price
        touch = tape.touch(side)
        if rest_s and touch is not None:
            price = min(limit_price, touch) if side > 0 else max(limit_price, touch)
        return await conversation.place(call, side, left, price, at_us, rest_s=rest_s, poll_s=2.0)

    @order.reconcile
    async def find(
        call: Call, side: int, limit_price: int, at_us: int, qty: int, rest: Any, rest_s: float
    ) -> Report | None:
        del at_us
        return await conversation.ask(call, side, qty - _filled(rest), limit_price, rest_s=rest_s)

    @order.cancel
    async def take_back(
        call: Call, side: int, limit_price: int, at_us: int, qty: int, rest: Any, rest_s: float
    ) -> Report | None:
        del at_us
        return await conversation.stop(call, side, qty - _filled(rest), limit_price, rest_s=rest_s)

    return order


def _filled(rest: Any) -> int:
    return int(rest["filled"]) if isinstance(rest, dict) else 0


def _measure(
    tape: Tape, side: int, qty: int, decision_mid: int, end_us: int, horizon_s: float, values: list[dict[str, Any]]
) -> dict[str, Any]:
    """Shortfall, and where the mid was when the horizon ended and a little after the fills."""
    end_mid = tape.mid_at(end_us) or decision_mid
    cost = measured(side, qty, decision_mid, end_mid, values)
    return {
        "end_mid": end_mid,
        "move_bps": move_bps(side, decision_mid, end_mid),
        "shortfall": told(cost),
        "markout_bps": markouts(side, values, tape.mid_at),
        "impact_x_bps": tape.impact_bps(cost.filled, horizon_s),
    }


def _flatten(means: Means) -> None:
    app = means.app
    order: Any = app.effectors["order"]

    @app.plan(Flatten)
    def flatten(wanted: Flatten) -> Any:
        return order.action(wanted.side, wanted.limit_price, wanted.decided_us, wanted.qty, None, 0.0)


def _withdraw(means: Means, world: World) -> None:
    app, conversation = means.app, world.conversation

    @app.effector(idempotent=True, timeout_s=10.0)
    async def withdraw(call: Call, decision: int, reason: str) -> Any:
        """Ask the node to cancel a trade; its orders at the venue are asked one by one."""
        if conversation.node is None:
            return False
        return await conversation.node.cancel(decision, by=call.source, reason=reason)

    @app.plan(Withdraw)
    def take_back(wanted: Withdraw) -> Any:
        return withdraw.action(wanted.decision, wanted.reason)
