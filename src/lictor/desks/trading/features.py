"""Features of the order book and the tape, computed once and the same way for fitting and for trading live.

A `FeatureStream` is fed book snapshots and prints as they arrive and closes a `Features` record at each step of a fixed
grid of market time (1 s by default). The record of grid time g holds what happened strictly before g: an event stamped
g or later first closes g, then is applied. Between grid times nothing is computed from a book, so the cost of an update
does not depend on how often the venue publishes, and a faster feed gives the same features: O(1) an event, O(levels) a
grid step, bounded memory.

Odd features change sign when bids and asks are exchanged, even ones do not; the model relies on that symmetry. Units as
in `market.py`; returns, spread, volatility and microprice in basis points. Sources: microprice and book imbalance,
Gatheral and Oomen (2010) and Stoikov (2018); order-flow imbalance of trades, Cont, Kukanov and Stoikov (2014); EWMA
volatility, RiskMetrics. Reads nothing, writes nothing.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

from lictor.desks.trading.conditions import Volatility
from lictor.desks.trading.market import BPS, QTY_PER_BTC, Level, Levels, MarketEvent, Snapshot, mid

#: antisymmetric under exchange of bids and asks
ODD = (
    "imbalance_1",
    "imbalance_3",
    "imbalance_10",
    "imbalance_near",
    "microprice_bps",
    "flow_5s",
    "flow_30s",
    "return_5s_bps",
)
#: symmetric under it
EVEN = ("spread_bps", "volatility_bps", "touch_log_qty", "trades_30s_log")

DEPTHS = (1, 3, 10)
FLOW_HALF_LIVES_S = (5.0, 30.0)
RETURN_S = 5
#: book depth counts for e^-1 of itself at this distance from the mid
NEAR_BPS = 0.25
#: keeps a tape of a few dust trades from reading as full conviction (1e-8 BTC)
FLOW_PRIOR_QTY = 0.05 * QTY_PER_BTC
#: a feed that was silent for longer than this starts again from nothing
SILENCE_US_MAX = 60_000_000


@dataclass(frozen=True, slots=True)
class Features:
    """The market at one grid time.

    `odd` and `even` are in the order of ODD and EVEN, `mid` in cents, `book_time_us` is that of the snapshot used.
    """

    time_us: int
    book_time_us: int
    mid: float
    spread_bps: float
    volatility_bps: float
    odd: tuple[float, ...]
    even: tuple[float, ...]


class FeatureStream:
    """Turns snapshots and prints into `Features`, one at each grid step once `warmup_steps` have passed."""

    __slots__ = (
        "_book",
        "_count",
        "_flow",
        "_mids",
        "_next_us",
        "_now_us",
        "_total",
        "_volatility",
        "step_us",
        "warmup_steps",
    )

    def __init__(self, step_us: int = 1_000_000, warmup_steps: int = 30) -> None:
        if step_us <= 0 or warmup_steps < RETURN_S * 1_000_000 // step_us:
            message = "the grid step must be positive and the warm-up must cover the longest return"
            raise ValueError(message)
        self.step_us = step_us
        self.warmup_steps = warmup_steps
        self._restart()

    def _restart(self) -> None:
        self._book: Snapshot | None = None
        self._now_us = 0
        self._next_us = 0
        self._mids: deque[float] = deque(maxlen=self.warmup_steps + 1)
        self._volatility = Volatility(self.step_us / 1e6)
        self._flow = [0.0] * len(FLOW_HALF_LIVES_S)
        self._total = [0.0] * len(FLOW_HALF_LIVES_S)
        self._count = 0.0

    def feed(self, event: MarketEvent) -> list[Features]:
        """Apply one event of the market; see `book` and `trade`."""
        if isinstance(event, Snapshot):
            return self.book(event.time_us, event.bids, event.asks)
        return self.trade(event.time_us, event.qty, event.side)

    def book(self, time_us: int, bids: Levels, asks: Levels) -> list[Features]:
        """A new snapshot of the book; returns the grid steps that its time closes, before it is applied."""
        closed = self.advance(time_us)
        self._book = Snapshot(max(time_us, self._now_us), _top(bids), _top(asks))
        if self._next_us == 0 and mid(bids, asks) is not None:
            self._next_us = (time_us // self.step_us + 1) * self.step_us
        return closed

    def trade(self, time_us: int, qty: int, side: int) -> list[Features]:
        """Add a print of `qty` with taker `side`; returns the grid steps that its time closes, before it is applied."""
        closed = self.advance(time_us)
        for i in range(len(FLOW_HALF_LIVES_S)):
            self._flow[i] += side * qty
            self._total[i] += qty
        self._count += 1.0
        return closed

    def advance(self, time_us: int) -> list[Features]:
        """Let market time pass without an event; returns the grid steps that closes.

        A time in the past is taken as now: late news never rewrites what was said.
        """
        if self._now_us and time_us - self._now_us > SILENCE_US_MAX:
            self._restart()
        closed = []
        while self._next_us and self._next_us <= time_us:
            features = self._close(self._next_us)
            if features is not None:
                closed.append(features)
            self._next_us += self.step_us
        self._now_us = max(self._now_us, time_us)
        return closed

    def _close(self, time_us: int) -> Features | None:
        step_s = self.step_us / 1e6
        book = self._book
        middle = mid(book.bids, book.asks) if book is not None else None
        features = None
        if middle is None:
            # a book without a mid keeps the last one, so that returns keep their span
            self._mids.extend(list(self._mids)[-1:])
        elif book is not None:
            if self._mids:
                self._volatility = self._volatility.update(math.log(middle / self._mids[-1]))
            self._mids.append(middle)
            if len(self._mids) > self.warmup_steps:
                features = self._describe(time_us, book, middle)
        for i, half_life_s in enumerate(FLOW_HALF_LIVES_S):
            keep = 0.5 ** (step_s / half_life_s)
            self._flow[i] *= keep
            self._total[i] *= keep
        self._count *= 0.5 ** (step_s / FLOW_HALF_LIVES_S[-1])
        return features

    def _describe(self, time_us: int, book: Snapshot, middle: float) -> Features:
        bids, asks = book.bids, book.asks
        bid_qty, ask_qty = bids[0][1], asks[0][1]
        touch = (bid_qty - ask_qty) / (bid_qty + ask_qty)
        width_bps = BPS * (asks[0][0] - bids[0][0]) / middle
        sigma_bps = self._volatility.over_bps(1.0)
        odd = (
            *(_imbalance(bids, asks, depth) for depth in DEPTHS),
            _imbalance_near(bids, asks, middle),
            width_bps / 2 * touch,
            *(flow / (total + FLOW_PRIOR_QTY) for flow, total in zip(self._flow, self._total, strict=True)),
            BPS * math.log(middle / self._mids[-1 - RETURN_S * 1_000_000 // self.step_us]),
        )
        even = (width_bps, sigma_bps, math.log(bid_qty + ask_qty), math.log1p(self._count))
        return Features(time_us, book.time_us, middle, width_bps, sigma_bps, odd, even)


def _top(side: Levels) -> tuple[Level, ...]:
    return tuple([level for level in side if level[1] > 0][: DEPTHS[-1]])


def _imbalance(bids: Levels, asks: Levels, depth: int) -> float:
    """(sum of bid depth - sum of ask depth) / (both), over the best `depth` levels; in [-1, 1]."""
    bid = sum(qty for _, qty in bids[:depth])
    ask = sum(qty for _, qty in asks[:depth])
    return (bid - ask) / (bid + ask)


def _imbalance_near(bids: Levels, asks: Levels, middle: float) -> float:
    """The same over all levels, each weighted by exp(-distance / NEAR_BPS).

    Distances are from the best price, which is as far from the mid on both sides and so cancels.
    """
    scale = BPS / (NEAR_BPS * middle)
    bid = sum(qty * math.exp(min(0.0, (price - bids[0][0]) * scale)) for price, qty in bids)
    ask = sum(qty * math.exp(min(0.0, (asks[0][0] - price) * scale)) for price, qty in asks)
    return (bid - ask) / (bid + ask)
