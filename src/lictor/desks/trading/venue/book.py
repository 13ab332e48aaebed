"""The matching engine: the C library `obook`, wrapped so that an answer is complete when a call returns. No I/O.

Two traps of the library are closed here. Its trade events point at order records that the next order reuses, so events
read later name other orders and other quantities: they are read after every single call. And its list of resting orders
is built anew for each question, thousands of records; so the levels are kept here, from the same events.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass

import obook

from lictor.desks.trading.fix.records import TimeInForce
from lictor.desks.trading.market import BUY, SELL, Level

ORDERS_MAX = 500_000
_SIDES = {BUY: obook.BUY, SELL: obook.SELL}
_LIFETIMES = {TimeInForce.GTC: obook.GTC, TimeInForce.IOC: obook.IOC, TimeInForce.FOK: obook.FOK}


@dataclass(frozen=True, slots=True)
class Match:
    """One trade; `side` is the taker's."""

    maker_id: int
    taker_id: int
    side: int
    price: int
    qty: int


@dataclass(frozen=True, slots=True)
class Placed:
    """What became of an order: its trades, what of it rests now, and why the rest of it does not."""

    book_id: int
    matches: tuple[Match, ...]
    resting: int
    code: str


@dataclass(slots=True)
class _Resting:
    user: int
    side: int
    price: int
    qty: int


class OrderBook:
    """Price-time priority. Orders of one user never trade with each other: the newer one ends with what is left of it.

    Codes of an order that does not rest: nothing when filled, LEFT_OVER, or the library's reason for rejecting it.
    """

    def __init__(self) -> None:
        self._engine = obook.Book(ORDERS_MAX)
        self._resting: dict[int, _Resting] = {}
        self._levels: dict[int, dict[int, int]] = {BUY: {}, SELL: {}}
        self._best: dict[int, int | None] = {BUY: None, SELL: None}  # None: to be looked for when asked

    def place(
        self, user: int, side: int, price: int, qty: int, tif: TimeInForce = TimeInForce.GTC, *, post_only: bool = False
    ) -> Placed:
        """Match an order; what is left of a GTC order rests. Price in cents, quantity in 1e-8 BTC."""
        result = self._engine.submit(user, _SIDES[side], price, qty, tif=_LIFETIMES[tif], post_only=post_only)
        matches = tuple(
            Match(event.maker_id, event.taker_id, side, event.price, event.qty)
            for event in self._engine.events()
            if event.kind == obook.EventKind.TRADE
        )
        for match in matches:
            self._take(match.maker_id, match.qty)
        left = qty - sum(match.qty for match in matches)
        if result.status in (obook.Status.NEW, obook.Status.PARTIALLY_FILLED):
            self._resting[result.order_id] = _Resting(user, side, price, left)
            level = self._levels[side]
            level[price] = level.get(price, 0) + left
            best = self._best[side]
            if best is not None and (price - best) * side > 0:
                self._best[side] = price
            return Placed(result.order_id, matches, left, "")
        code = "" if result.status == obook.Status.FILLED else "LEFT_OVER"
        return Placed(result.order_id, matches, 0, code if result.reason == obook.Reason.NONE else result.reason.name)

    def withdraw(self, book_id: int, user: int) -> int:
        """Take a resting order out; returns the quantity that rested, 0 if it was no longer there."""
        resting = self._resting.get(book_id)
        if resting is None:
            return 0
        self._engine.cancel(book_id, user)
        self._engine.events()
        qty = resting.qty
        self._take(book_id, qty)
        return qty

    def _take(self, book_id: int, qty: int) -> None:
        resting = self._resting[book_id]
        resting.qty -= qty
        if not resting.qty:
            del self._resting[book_id]
        level = self._levels[resting.side]
        level[resting.price] -= qty
        if not level[resting.price]:
            del level[resting.price]
            if resting.price == self._best[resting.side]:
                self._best[resting.side] = None

    def levels(self, side: int, count: int) -> tuple[Level, ...]:
        """The best price levels of a side, best first."""
        level = self._levels[side]
        prices = heapq.nlargest(count, level) if side == BUY else heapq.nsmallest(count, level)
        return tuple((price, level[price]) for price in prices)

    def mid(self) -> float | None:
        """Mid price in cents, None if a side is empty."""
        bid, ask = self.best(BUY), self.best(SELL)
        return None if bid is None or ask is None else (bid + ask) / 2

    def best(self, side: int) -> int | None:
        """Best price of a side, None if it is empty."""
        if self._best[side] is None and self._levels[side]:
            self._best[side] = max(self._levels[side]) if side == BUY else min(self._levels[side])
        return self._best[side]

    def engine_levels(self) -> dict[int, dict[int, int]]:
        """The levels as the library itself lists its orders: slow, for tests."""
        found: dict[int, dict[int, int]] = {BUY: {}, SELL: {}}
        for order in self._engine.book():
            side = found[BUY if order.side == obook.BUY else SELL]
            side[order.price] = side.get(order.price, 0) + order.qty - order.filled
        return found
