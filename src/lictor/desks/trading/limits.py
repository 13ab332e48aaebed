"""Pre-trade limits: one pure predicate for each control, returning None or a `Breach` with what it saw.

Every predicate fails closed: an input that is missing, not finite, or from a reference that is too old is a breach,
never a pass. Units as in `market.py`: cents, 1e-8 BTC, microseconds, money in 1e-10 USD (cents x 1e-8 BTC); position is
signed, bought positive.

Sources, paraphrased: Commission Delegated Regulation (EU) 2017/589 (RTS 6) Art. 15: (1a) price collars for each order
and over a period, (1b) order value, (1c) order volume, (1d) messages, (2) all sent orders count at once, (3) repeated
automated execution throttle until a designated person re-enables, (5) permission by instrument. SEC rule 15c3-5:
pre-set credit and capital thresholds, erroneous and duplicative orders. UMIR 7.1 (Canada): closed on a missing or
non-finite reference price. Order-to-trade ratio: RTS 9. Reads nothing, writes nothing.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from lictor.desks.trading.market import BPS, BUY, SELL


class LimitCode(StrEnum):
    """Why an order may not be sent."""

    #: A number is missing, not finite or out of its domain.
    INPUT_INVALID = "INPUT_INVALID"
    #: There is no reference price.
    PRICE_REFERENCE_MISSING = "PRICE_REFERENCE_MISSING"
    #: The reference price is too old, or from the future.
    PRICE_REFERENCE_STALE = "PRICE_REFERENCE_STALE"
    #: The price is not on the tick.
    TICK_SIZE = "TICK_SIZE"
    #: The quantity is not in whole lots.
    LOT_SIZE = "LOT_SIZE"
    #: The price is too far from the reference.
    PRICE_COLLAR = "PRICE_COLLAR"
    #: The market itself moved too far over the window.
    PRICE_COLLAR_WINDOW = "PRICE_COLLAR_WINDOW"
    #: The order is too large.
    ORDER_QTY = "ORDER_QTY"
    #: The order is worth too much.
    ORDER_NOTIONAL = "ORDER_NOTIONAL"
    #: The position would be too large if all open orders of this side filled.
    POSITION = "POSITION"
    #: All positions together would be worth too much.
    GROSS_EXPOSURE = "GROSS_EXPOSURE"
    #: Today's loss has reached its limit.
    DAILY_LOSS = "DAILY_LOSS"
    #: The same order was sent a moment ago.
    DUPLICATE_ORDER = "DUPLICATE_ORDER"
    #: It would trade with an order of our own.
    SELF_TRADE = "SELF_TRADE"
    #: The strategy has executed too often and waits for a named person.
    EXECUTION_THROTTLE = "EXECUTION_THROTTLE"
    #: Too many orders for what they trade.
    ORDER_TO_TRADE = "ORDER_TO_TRADE"
    #: Too many messages in the window.
    MESSAGE_RATE = "MESSAGE_RATE"
    #: Too many open orders.
    OPEN_ORDERS = "OPEN_ORDERS"
    #: Not permitted in this instrument.
    INSTRUMENT_NOT_PERMITTED = "INSTRUMENT_NOT_PERMITTED"


@dataclass(frozen=True, slots=True)
class Breach:
    """A limit that would be broken: its code, what was seen and what is allowed (None where that was missing)."""

    code: str
    seen: float | int | str | None
    limit: float | int | str | None


@dataclass(frozen=True, slots=True)
class ReferencePrice:
    """A price to compare with, in cents (half cents are exact), and when it was true."""

    price: float | None
    time_us: int | None


@dataclass(frozen=True, slots=True)
class OpenOrder:
    """One of our own resting orders: side, limit price in cents, quantity left."""

    side: int
    price: int
    qty: int


def first(breaches: Iterable[Breach | None]) -> Breach | None:
    """The first breach of several checks, in their order."""
    return next((breach for breach in breaches if breach is not None), None)


def at_most(code: str, seen: float | None, limit: float | None) -> Breach | None:
    """A breach unless seen <= limit; a missing or NaN value of either is one."""
    if seen is None or limit is None or not seen <= limit:
        return Breach(code, seen, limit)
    return None


def at_least(code: str, seen: float | None, limit: float | None) -> Breach | None:
    """A breach unless seen >= limit; a missing or NaN value of either is one."""
    if seen is None or limit is None or not seen >= limit:
        return Breach(code, seen, limit)
    return None


def valid_order(side: int, qty: int, price: int) -> Breach | None:
    """Side +1 or -1, quantity and price positive and whole."""
    if side not in {BUY, SELL}:
        return Breach(LimitCode.INPUT_INVALID, side, "side +1 or -1")
    for value in (qty, price):
        if type(value) is not int or value <= 0:
            return Breach(LimitCode.INPUT_INVALID, value, "a whole number > 0")
    return None


def reference_price(reference: ReferencePrice | None, now_us: int, age_us_max: int) -> Breach | None:
    """There is a finite, positive reference price, not older than `age_us_max` and not from the future."""
    if reference is None or not _positive(reference.price):
        return Breach(
            LimitCode.PRICE_REFERENCE_MISSING, None if reference is None else reference.price, "a finite price > 0"
        )
    if reference.time_us is None or not 0 <= now_us - reference.time_us <= age_us_max:
        age_us = None if reference.time_us is None else now_us - reference.time_us
        return Breach(LimitCode.PRICE_REFERENCE_STALE, age_us, age_us_max)
    return None


def tick_size(price: int, tick: int) -> Breach | None:
    """The price is a multiple of the tick."""
    return Breach(LimitCode.TICK_SIZE, price, tick) if tick <= 0 or price % tick else None


def lot_size(qty: int, lot: int) -> Breach | None:
    """The quantity is a multiple of the lot."""
    return Breach(LimitCode.LOT_SIZE, qty, lot) if lot <= 0 or qty % lot else None


def price_collar(
    price: int, reference: ReferencePrice | None, now_us: int, age_us_max: int, collar_bps: float
) -> Breach | None:
    """|p / reference - 1| <= collar, and the reference is there and fresh (RTS 6 15(1a), for each order)."""
    breach = reference_price(reference, now_us, age_us_max)
    if breach is not None or reference is None or reference.price is None:
        return breach
    return at_most(LimitCode.PRICE_COLLAR, BPS * abs(price / reference.price - 1.0), collar_bps)


def price_collar_window(mid_now: float | None, mid_then: float | None, collar_bps: float) -> Breach | None:
    """|m(t) / m(t - w) - 1| <= collar: the market has not run away over the window (RTS 6 15(1a), over a period)."""
    if mid_now is None or mid_then is None or not (_positive(mid_now) and _positive(mid_then)):
        return Breach(LimitCode.PRICE_REFERENCE_MISSING, None, "two finite mids > 0")
    return at_most(LimitCode.PRICE_COLLAR_WINDOW, BPS * abs(mid_now / mid_then - 1.0), collar_bps)


def order_qty(qty: int, qty_max: int) -> Breach | None:
    """An order's quantity is at most the limit (RTS 6 15(1c))."""
    return at_most(LimitCode.ORDER_QTY, qty, qty_max)


def order_notional(qty: int, price: int, notional_max: int) -> Breach | None:
    """An order's value is at most the limit (RTS 6 15(1b)).

    For an order without a limit price pass the worst price that it may get.
    """
    return at_most(LimitCode.ORDER_NOTIONAL, qty * price, notional_max)


def position(held: int, open_same_side: int, side: int, qty: int, position_max: int) -> Breach | None:
    """|held + s (open + q)| <= limit: the worst case, every open order of this side fills and none of the other.

    All sent orders count at once (RTS 6 15(2)). An order that only reduces the position, even in that worst case, is
    allowed: a limit must not trap what is above it.
    """
    after = held + side * (open_same_side + qty)
    reduces = after * held >= 0 and abs(after) < abs(held)
    return None if reduces else at_most(LimitCode.POSITION, abs(after), position_max)


def gross_exposure(exposures: Iterable[float], added: float, exposure_max: float) -> Breach | None:
    """Sum of |position x mid| + what the order adds <= limit, in money."""
    return at_most(LimitCode.GROSS_EXPOSURE, sum(abs(exposure) for exposure in exposures) + added, exposure_max)


def daily_loss(realised: float | None, unrealised: float | None, loss_max: float) -> Breach | None:
    """-(realised + marked to market) < limit, in money; a result that cannot be marked counts as reached."""
    if realised is None or unrealised is None or not math.isfinite(realised + unrealised):
        return Breach(LimitCode.DAILY_LOSS, None, loss_max)
    loss = -(realised + unrealised)
    return None if loss < loss_max else Breach(LimitCode.DAILY_LOSS, loss, loss_max)


def duplicate_order(content: str, sent_us: Mapping[str, int], now_us: int, window_us: int) -> Breach | None:
    """The same content was not sent within the window (15c3-5).

    `content` is a digest of strategy, instrument, side, quantity and price.
    """
    last = sent_us.get(content)
    return (
        Breach(LimitCode.DUPLICATE_ORDER, now_us - last, window_us)
        if last is not None and now_us - last < window_us
        else None
    )


def self_trade(side: int, price: int, own: Iterable[OpenOrder]) -> Breach | None:
    """The order crosses no resting order of our own; `seen` is its price, `limit` the one that it would meet."""
    for order in own:
        if order.side == -side and order.qty > 0 and side * (price - order.price) >= 0:
            return Breach(LimitCode.SELF_TRADE, price, order.price)
    return None


def open_orders(count: int, count_max: int) -> Breach | None:
    """Open orders, this one included, are at most the limit."""
    return at_most(LimitCode.OPEN_ORDERS, count, count_max)


def order_to_trade(messages: int, trades: int, ratio_max: float, messages_min: int) -> Breach | None:
    """(orders + amendments + cancels) / trades - 1 <= limit (RTS 9).

    No ratio is judged below `messages_min` messages.
    """
    if messages < messages_min:
        return None
    ratio = messages / trades - 1.0 if trades > 0 else math.inf
    return at_most(LimitCode.ORDER_TO_TRADE, ratio, ratio_max)


def message_rate(sent_us: Iterable[int], now_us: int, window_us: int, messages_max: int) -> Breach | None:
    """Messages of the last window, this one included, are at most the limit (RTS 6 15(1d))."""
    recent = sum(now_us - time_us < window_us for time_us in sent_us)
    return at_most(LimitCode.MESSAGE_RATE, recent + 1, messages_max)


def permitted(instrument: str, allowed: Collection[str]) -> Breach | None:
    """The instrument is one that this trader may trade (RTS 6 15(5))."""
    return (
        None
        if instrument in allowed
        else Breach(LimitCode.INSTRUMENT_NOT_PERMITTED, instrument, ",".join(sorted(allowed)))
    )


@dataclass(frozen=True, slots=True)
class ExecutionThrottle:
    """Repeated automated execution throttle (RTS 6 15(3)).

    A strategy that executed `executions_max` times within `window_us` is disabled. It latches: only `reenabled` by a
    named person opens it again, time does not. It remembers at most `executions_max` times.
    """

    executions_max: int
    window_us: int
    executed_us: tuple[int, ...] = ()
    latched_us: int | None = None
    reenabled_by: str | None = None

    def executed(self, time_us: int) -> ExecutionThrottle:
        """One more execution, and the latch if it was one too many."""
        recent = (*(t for t in self.executed_us if time_us - t < self.window_us), time_us)[-self.executions_max :]
        full = len(recent) >= self.executions_max
        return replace(
            self, executed_us=recent, latched_us=time_us if full and self.latched_us is None else self.latched_us
        )

    def reenabled(self, person: str) -> ExecutionThrottle:
        """Open again, counting from zero. Raises ValueError without a name."""
        if not person.strip():
            message = "a named person re-enables a strategy"
            raise ValueError(message)
        return replace(self, executed_us=(), latched_us=None, reenabled_by=person)


def execution_throttle(throttle: ExecutionThrottle) -> Breach | None:
    """The strategy's throttle is not latched."""
    if throttle.latched_us is None:
        return None
    return Breach(LimitCode.EXECUTION_THROTTLE, len(throttle.executed_us), throttle.executions_max)


def _positive(value: float | None) -> bool:
    return value is not None and math.isfinite(value) and value > 0
