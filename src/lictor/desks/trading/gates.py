"""The seven steps' questions about a trade, one gate each, in the order in which they are asked.

1 the signal, 2 risk, 3 the market and what it would cost, 4 the size (which amends), 5 and 6 are the plan's and the
outcome's, 7 feeds the size back. Every gate is a pure function of the decision and a snapshot and fails closed.
Sources of the rules: `limits.py`, `conditions.py`, `impact.py`, `sizing.py`.
"""

from __future__ import annotations

import math
from dataclasses import replace

from lictor import Answer, Snapshot, allow, amend, deny, hold
from lictor.desks.trading import limits
from lictor.desks.trading.blotter import Summary, content
from lictor.desks.trading.conditions import Volatility, drifted, spread_bps, sweep, visible_depth
from lictor.desks.trading.impact import expected_cost_bps, square_root_bps
from lictor.desks.trading.kinds import Flatten, Trade
from lictor.desks.trading.limits import Breach, LimitCode
from lictor.desks.trading.market import BPS, BUY, SELL, mid
from lictor.desks.trading.means import Means, facts
from lictor.desks.trading.policy import Policy
from lictor.desks.trading.sizing import exposure_qty, kelly_continuous, liquidity_qty, size, volatility_target
from lictor.desks.trading.tape import View, levels

#: What a size of zero is called, by the cap that left nothing.
_NO_SIZE = {"room": LimitCode.POSITION, "liquidity": "MARKET_TOO_THIN", "depth": "MARKET_TOO_THIN"}


def declare_gates(means: Means) -> None:
    """Put all gates into the App, in the order in which they are asked."""
    _signal(means)
    _market(means)
    _size(means)
    _risk(means)
    _cost(means)
    _people(means)
    _resources(means)
    _flatten(means)


def answer(breach: Breach | None) -> Answer:
    """A limit's verdict as a gate's."""
    return allow() if breach is None else deny(str(breach.code), seen=breach.seen, limit=breach.limit)


def half_to_cents(mid_half_cents: int) -> float:
    """A mid in cents."""
    return mid_half_cents / 2


def view_mid(view: View) -> float | None:
    """The mid of a view in cents."""
    return mid(levels(view["bids"]), levels(view["asks"]))


def _signal(means: Means) -> None:
    app, policy = means.app, means.policy

    @app.gate(Trade, family="rules", parameters=facts(policy))
    def signal_valid(trade: Trade, state: Snapshot) -> Answer:
        """Finite, whole, in its domain, and young."""
        breach = limits.valid_order(trade.side, trade.qty, trade.limit_price)
        if breach is not None:
            return deny("SIGNAL_INVALID", seen=breach.seen, limit=breach.limit)
        numbers = (trade.edge_bps, trade.spread_bps, trade.horizon_s)
        if not all(math.isfinite(n) and n > 0 for n in numbers) or trade.instrument != policy.instrument:
            return deny("SIGNAL_INVALID", edge_bps=trade.edge_bps, spread_bps=trade.spread_bps)
        age_s = (state.now_us - trade.signal_us) / 1e6
        if not 0 <= age_s <= policy.signal_age_s_max:
            return deny("SIGNAL_STALE", age_s=round(age_s, 3), age_s_max=policy.signal_age_s_max)
        grid = limits.first((limits.tick_size(trade.limit_price, policy.tick), limits.lot_size(trade.qty, policy.lot)))
        return answer(grid)

    @app.gate(Trade, family="rules", parameters=facts(policy))
    def model_approved(trade: Trade, state: Snapshot) -> Answer:
        """A named person has approved this version of the model."""
        by = state[means.models].get(trade.model)
        return allow() if by else deny("MODEL_NOT_APPROVED", model=trade.model)

    @app.gate(Trade, family="rules", parameters=facts(policy))
    def confident(trade: Trade, state: Snapshot) -> Answer:
        """The source is sure enough of what it says."""
        stated = state.decision.confidence
        if stated is None or not stated >= policy.confidence_min:
            return deny("CONFIDENCE_LOW", confidence=trade.confidence, confidence_min=policy.confidence_min)
        return allow()

    @app.gate(Trade, family="rules", parameters=facts(policy))
    def still_there(trade: Trade, state: Snapshot) -> Answer:
        """The market has not left the price at which it was decided."""
        view = state[means.market]
        now, sigma = view_mid(view), Volatility(1.0, variance=view["sigma"] ** 2, count=view["sigma_count"])
        age_s = max(0.0, (view["time_us"] - trade.signal_us) / 1e6)
        then = half_to_cents(trade.mid_half_cents)
        if now is None or drifted(now, then, sigma, age_s, policy.drift_sigmas, policy.drift_floor_bps):
            return deny("DRIFTED", mid=now, decided_at=then, age_s=round(age_s, 3))
        return allow()

    @app.gate(Trade, family="rules", parameters=facts(policy))
    def novel(trade: Trade, state: Snapshot) -> Answer:
        """The same source did not send the same order a moment ago (15c3-5)."""
        name = content(state.decision.source, trade.side, trade.wanted, trade.limit_price)
        window_us = int(policy.duplicate_window_s * 1e6)
        return answer(limits.duplicate_order(name, state[means.blotter]["sent"], state.now_us, window_us))


def _market(means: Means) -> None:
    app, policy = means.app, means.policy

    @app.gate(Trade, family="risk", parameters=facts(policy))
    def within_collar(trade: Trade, state: Snapshot) -> Answer:
        """The price is near the market, and the market near itself of a minute ago (RTS 6 15(1a), both halves)."""
        view = state[means.market]
        now, then = view_mid(view), view["mid_then"]
        reference = limits.ReferencePrice(now, view["time_us"])
        age_us = int(policy.market_age_s_max * 1e6)
        return answer(
            limits.first(
                (
                    limits.price_collar(trade.limit_price, reference, state.now_us, age_us, policy.collar_bps),
                    limits.price_collar_window(now, None if then is None else then / 2, policy.collar_window_bps),
                )
            )
        )

    @app.gate(Trade, family="risk", parameters=facts(policy))
    def calm(_trade: Trade, state: Snapshot) -> Answer:
        """The spread is narrow and no jump has just happened that the volatility before it does not explain."""
        view = state[means.market]
        width = spread_bps(levels(view["bids"]), levels(view["asks"]))
        if width is None or not width <= policy.spread_bps_max:
            return deny("SPREAD_WIDE", spread_bps=width, spread_bps_max=policy.spread_bps_max)
        jumped_us = view["jumped_us"]
        if jumped_us is not None and state.now_us - jumped_us < policy.jump_pause_s * 1e6:
            return deny("JUMP", since_s=round((state.now_us - jumped_us) / 1e6, 3), pause_s=policy.jump_pause_s)
        return allow()


def _size(means: Means) -> None:
    app, policy = means.app, means.policy

    @app.gate(Trade, family="risk", parameters=facts(policy))
    def sized(trade: Trade, state: Snapshot) -> Answer:
        """The least of all caps, times what the source's realised edge has earned: the trade is made that small."""
        view = state[means.market]
        price, sigma = trade.limit_price, view["sigma"] * math.sqrt(trade.horizon_s)
        bids, asks = levels(view["bids"]), levels(view["asks"])
        shown = visible_depth(bids, asks, trade.side, policy.depth_within_bps)
        caps = {
            "wanted": trade.wanted,
            "room": int(state.left(means.room(trade.side))),
            "kelly": exposure_qty(
                policy.equity, policy.kelly_share * kelly_continuous(trade.edge_bps / BPS, sigma), price
            ),
            "volatility": exposure_qty(policy.equity, volatility_target(policy.volatility_target, sigma), price),
            "liquidity": liquidity_qty(policy.participation_max, view["volume"] + shown),
            "depth": liquidity_qty(policy.depth_share_max, shown),
        }
        if trade.qty > policy.qty_max:
            return allow()  # a slip of the finger is not made to fit: `small_enough` refuses it
        learned = state[means.size]
        found = size(caps, policy.lot, learned, policy.qty_min)
        if not found.qty:
            code = "NOT_EARNED" if found.bound_by == "learned" else _NO_SIZE.get(found.bound_by, "SIZE_TOO_SMALL")
            return deny(str(code), bound_by=found.bound_by, why=found.reason, learned=learned)
        if found.qty < trade.qty:
            unlearned = size(caps, policy.lot, 1.0, policy.qty_min).qty
            seen = {"bound_by": found.bound_by, "learned": learned, "without_learning": unlearned}
            return amend(replace(trade, qty=found.qty), "RESIZED", **seen)
        return allow()


def _risk(means: Means) -> None:
    app, policy = means.app, means.policy

    @app.gate(Trade, family="risk", parameters=facts(policy))
    def small_enough(trade: Trade, _state: Snapshot) -> Answer:
        """No slip of the finger (RTS 6 15(1b), (1c))."""
        return answer(
            limits.first(
                (
                    limits.order_qty(trade.qty, policy.qty_max),
                    limits.order_notional(trade.qty, trade.limit_price, policy.notional_max),
                )
            )
        )

    @app.gate(Trade, family="risk", parameters=facts(policy))
    def within_loss(trade: Trade, state: Snapshot) -> Answer:
        """Today's loss and the value at risk are within their limits."""
        summary, now = state[means.blotter], view_mid(state[means.market])
        return answer(_loss_breach(trade, summary, now, policy))

    @app.gate(Trade, family="risk", parameters=facts(policy))
    def no_self_trade(trade: Trade, state: Snapshot) -> Answer:
        """It would not meet an order of our own."""
        own = [limits.OpenOrder(side, price, qty) for side, price, qty in state[means.blotter]["resting"]]
        return answer(limits.self_trade(trade.side, trade.limit_price, own))

    @app.gate(Trade, family="risk", parameters=facts(policy))
    def not_chatty(_trade: Trade, state: Snapshot) -> Answer:
        """Orders and cancels stay in proportion to what trades (RTS 9)."""
        summary = state[means.blotter]
        return answer(
            limits.order_to_trade(
                summary["messages"], summary["trades"], policy.order_to_trade_max, policy.order_to_trade_from
            )
        )


def _loss_breach(trade: Trade, summary: Summary, now: float | None, policy: Policy) -> Breach | None:
    if now is None:
        return Breach(LimitCode.PRICE_REFERENCE_MISSING, None, "a mid")
    marked = summary["position"] * now
    after = abs(summary["position"] + trade.side * trade.qty) * now
    added = after - abs(marked)
    return limits.first(
        (
            limits.daily_loss(summary["cash"], marked, policy.loss_max),
            limits.gross_exposure([marked], added, policy.gross_max),
        )
    )


def _cost(means: Means) -> None:
    app, policy = means.app, means.policy

    @app.gate(Trade, family="risk", parameters=facts(policy))
    def worth_it(trade: Trade, state: Snapshot) -> Answer:
        """What it states it will earn is more than half the spread, impact by the square-root law, and fees."""
        view = state[means.market]
        bids, asks = levels(view["bids"]), levels(view["asks"])
        width, walk = spread_bps(bids, asks), sweep(bids, asks, trade.side, trade.qty)
        if width is None or walk is None or walk.unfilled:
            return deny("MARKET_TOO_THIN", wanted=trade.qty, shown=None if walk is None else walk.filled)
        volume = view["volume"] * trade.horizon_s / policy.volume_window_s
        sigma_bps = BPS * view["sigma"] * math.sqrt(trade.horizon_s)
        impact = square_root_bps(trade.qty, volume + visible_depth(bids, asks, trade.side, width), sigma_bps,
                                 state[means.impact_y])  # fmt: skip
        cost = max(expected_cost_bps(width, impact, policy.fees_bps), walk.cost_bps + policy.fees_bps)
        if not trade.edge_bps > cost:
            return deny("EDGE_BELOW_COST", edge_bps=round(trade.edge_bps, 4), cost_bps=round(cost, 4))
        return allow()


def _people(means: Means) -> None:
    app, policy = means.app, means.policy

    @app.gate(Trade, family="authorization", parameters=facts(policy))
    def large_approved(trade: Trade, _state: Snapshot) -> Answer:
        """A person looks at what asks for much, whatever it was cut down to."""
        value = trade.wanted * trade.limit_price
        if value > policy.approve_above:
            return hold("LARGE_ORDER", value=value, approve_above=policy.approve_above)
        return allow()


def _resources(means: Means) -> None:
    app, policy = means.app, means.policy

    @app.gate(Trade, family="resources", parameters=facts(policy))
    def affordable(trade: Trade, _state: Snapshot) -> Answer:
        """Worst case: all of it fills, at the worst price that the collar lets through (RTS 6 15(2))."""
        worst = int(max(trade.limit_price, trade.mid_half_cents // 2) * (1 + policy.collar_bps / BPS)) + 1
        return allow(
            means.turnover.reserve(trade.qty * worst),
            means.room(trade.side).reserve(trade.qty),
            means.messages.take(1.0),
        )


def _flatten(means: Means) -> None:
    app, policy = means.app, means.policy

    @app.gate(Flatten, family="risk", parameters=facts(policy))
    def reduces(order: Flatten, state: Snapshot) -> Answer:
        """It brings the position nearer to zero and not through it, at a price near the market."""
        held, view = state[means.blotter]["position"], state[means.market]
        if order.side not in {BUY, SELL} or held * order.side >= 0 or not 0 < order.qty <= abs(held):
            return deny("NOT_REDUCING", held=held, side=order.side, qty=order.qty)
        reference = limits.ReferencePrice(view_mid(view), view["time_us"])
        age_us = int(policy.market_age_s_max * 1e6)
        return answer(limits.price_collar(order.limit_price, reference, state.now_us, age_us, policy.collar_bps))

    @app.gate(Flatten, family="resources", parameters=facts(policy))
    def has_room(order: Flatten, _state: Snapshot) -> Answer:
        """The other side has room: it is what the position used up."""
        return allow(means.room(order.side).reserve(order.qty), means.messages.take(1.0))
