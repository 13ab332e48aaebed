"""The other participants: the captured orders, placed and withdrawn in the book as virtual time reaches them.

No clock and no I/O here: whoever drives the replay says up to when. Each captured order is a user of its own, so that
self-trade prevention never stops two of them, and the same capture always gives the same trades.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from typing import Any

from lictor.desks.trading.market import BUY, CENTS_PER_USD, QTY_PER_BTC, SELL, Print, Snapshot
from lictor.desks.trading.venue.book import Match, OrderBook
from lictor.desks.trading.venue.capture import Capture

USER_FIRST = 1_000_000


class Replay:
    """Runs a capture into a book. `on_trade` gets the trades that a captured order makes as taker, with their time."""

    def __init__(self, capture: Capture, book: OrderBook, on_trade: Callable[[int, tuple[Match, ...]], None]) -> None:
        self._capture = capture
        self._book = book
        self._on_trade = on_trade
        self._next = 0
        self._book_ids = [0] * capture.orders

    @property
    def done(self) -> bool:
        """Whether the capture has come to its end, where it deletes all that stands."""
        return self._capture.events[self._next].at_us >= self._capture.ends_at_us

    def run_to(self, until_us: int) -> None:
        """Everything up to and including that time, but not the deletions with which the capture ends."""
        events, book, ids = self._capture.events, self._book, self._book_ids
        until_us = min(until_us, self._capture.ends_at_us - 1)
        while (event := events[self._next]).at_us <= until_us:
            self._next += 1
            user = USER_FIRST + event.order
            if not event.qty:
                book.withdraw(ids[event.order], user)
                continue
            placed = book.place(user, event.side, event.price, event.qty)
            ids[event.order] = placed.book_id
            if placed.matches:
                self._on_trade(event.at_us, placed.matches)

    def orders(self) -> dict[int, int]:
        """The numbers of the captured orders placed so far, by their ids in the book."""
        return {book_id: order for order, book_id in enumerate(self._book_ids) if book_id}


def replay_all(capture: Capture) -> dict[str, Any]:
    """The whole capture with no participant of ours, at once: what the engine traded, beside the real trades."""
    trades: list[tuple[int, Match]] = []
    replay = Replay(capture, OrderBook(), lambda at_us, matches: trades.extend((at_us, match) for match in matches))
    replay.run_to(capture.ends_at_us)
    made = {}
    order_of = replay.orders()
    digest = hashlib.sha256()
    for at_us, match in trades:
        maker, taker = order_of[match.maker_id], order_of[match.taker_id]
        pair = (taker, maker) if match.side == BUY else (maker, taker)
        made[pair] = (match.price, match.qty)
        digest.update(f"{at_us} {pair} {match.price} {match.qty}\n".encode())
    real = {(trade.buy, trade.sell): (trade.price, trade.qty) for trade in capture.trades}
    return {
        "events": len(capture.events),
        "orders": capture.orders,
        "trades": len(trades),
        "btc": f"{sum(match.qty for _, match in trades) / QTY_PER_BTC:.8f}",
        "vwap_usd": round(
            sum(match.price * match.qty for _, match in trades) / CENTS_PER_USD / sum(match.qty for _, match in trades),
            2,
        ),
        "real_trades": len(capture.trades),
        "real_btc": f"{sum(trade.qty for trade in capture.trades) / QTY_PER_BTC:.8f}",
        "same_orders_as_real": sum(pair in real for pair in made),
        "same_price_and_qty_too": sum(real.get(pair) == what for pair, what in made.items()),
        "sha256": digest.hexdigest(),
    }


def sample(capture: Capture, every_us: int, depth: int, until_us: int) -> Iterator[Snapshot | Print]:
    """The market as it was without us, from the start of the capture: what a model may be fitted on before it trades.

    Snapshots at multiples of `every_us` after the start, each after the trades that came before it.
    """
    book = OrderBook()
    prints: list[Print] = []
    replay = Replay(
        capture, book, lambda at_us, matches: prints.extend(Print(at_us, m.price, m.qty, m.side) for m in matches)
    )
    for at_us in range(capture.starts_at_us, min(until_us, capture.ends_at_us - 1) + 1, every_us):
        replay.run_to(at_us)
        yield from prints
        prints.clear()
        yield Snapshot(at_us, book.levels(BUY, depth), book.levels(SELL, depth))
