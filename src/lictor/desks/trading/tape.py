"""The desk's own view of the market: the last book, the mid over time, volatility, volume, jumps.

Fed by market data as it arrives. `view` is what gates read: plain data, so that it can be journaled and read again.
Bounded: it keeps as much of the past as markouts and windows need.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import deque
from collections.abc import Sequence
from typing import TypedDict

from lictor.desks.trading.conditions import Volatility, jumped
from lictor.desks.trading.impact import square_root_bps
from lictor.desks.trading.market import BPS, Levels, Print, Snapshot, mid
from lictor.desks.trading.policy import Policy
from lictor.desks.trading.shortfall import mid_half_cents

KEPT_MAX = 20_000
LEVELS = 10
_DECAY = 0.97


class View(TypedDict):
    """The market as gates see it."""

    time_us: int
    bids: list[list[int]]
    asks: list[list[int]]
    #: Standard deviation of the log return of one second, and how many seconds it rests on.
    sigma: float
    sigma_count: int
    #: What traded in the last `volume_window_s`.
    volume: int
    #: The mid `collar_window_s` ago, in half cents; None in the first moments.
    mid_then: int | None
    #: When the last move came that the volatility before it does not explain.
    jumped_us: int | None


class MarketSilent(Exception):
    """There is no news since the last time this was asked, so what is known must age."""


class Tape:
    """What was seen so far."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self.book: Snapshot | None = None
        self._times: deque[int] = deque(maxlen=KEPT_MAX)
        self._mids: deque[int] = deque(maxlen=KEPT_MAX)
        self._prints: deque[Print] = deque(maxlen=KEPT_MAX)
        self._volatility = Volatility(1.0, _DECAY)
        self._jumped_us: int | None = None
        self._given_us = -1

    def feed(self, snapshot: Snapshot, prints: Sequence[Print]) -> None:
        """One message of the venue."""
        self._prints.extend(prints)
        self.book = snapshot
        if mid(snapshot.bids, snapshot.asks) is None:
            return
        middle = mid_half_cents(snapshot.bids[0][0], snapshot.asks[0][0])
        if self._mids:
            self._moved(middle, snapshot.time_us)
        self._times.append(snapshot.time_us)
        self._mids.append(middle)

    def _moved(self, middle: int, time_us: int) -> None:
        seconds = (time_us - self._times[-1]) / 1e6
        if seconds <= 0:
            return
        move = math.log(middle / self._mids[-1])
        large = abs(move) * BPS > self._policy.jump_floor_bps
        if large and jumped(move, self._volatility, seconds, self._policy.jump_sigmas):
            self._jumped_us = time_us
        self._volatility = self._volatility.update(move / math.sqrt(seconds))

    def mid_at(self, time_us: int) -> int | None:
        """The mid in force at a time, in half cents; None before the first."""
        place = bisect_right(self._times, time_us)
        return self._mids[place - 1] if place else None

    @property
    def time_us(self) -> int:
        """The time of the last book."""
        return self.book.time_us if self.book is not None else 0

    @property
    def mid(self) -> int | None:
        """The last mid, in half cents."""
        return self._mids[-1] if self._mids else None

    def touch(self, side: int) -> int | None:
        """The best price of a side of the book, in cents."""
        levels: Levels = () if self.book is None else self.book.bids if side > 0 else self.book.asks
        return levels[0][0] if levels else None

    def volume(self) -> int:
        """What traded in the last `volume_window_s`."""
        since_us = self.time_us - int(self._policy.volume_window_s * 1e6)
        while self._prints and self._prints[0].time_us < since_us:
            self._prints.popleft()
        return sum(trade.qty for trade in self._prints)

    def impact_bps(self, qty: int, horizon_s: float) -> float:
        """What the square-root law with Y = 1 says of this quantity over the horizon, in bps."""
        volume = self.volume() * horizon_s / self._policy.volume_window_s
        return square_root_bps(qty, max(volume, qty), self._volatility.over_bps(horizon_s))

    def view(self) -> View:
        """What gates read.

        Raises:
            MarketSilent: nothing came since the last call.
        """
        book = self.book
        if book is None or book.time_us <= self._given_us:
            raise MarketSilent
        self._given_us = book.time_us
        return {
            "time_us": book.time_us,
            "bids": [[price, qty] for price, qty in book.bids[:LEVELS]],
            "asks": [[price, qty] for price, qty in book.asks[:LEVELS]],
            "sigma": self._volatility.over_s(1.0),
            "sigma_count": self._volatility.count,
            "volume": self.volume(),
            "mid_then": self.mid_at(book.time_us - int(self._policy.collar_window_s * 1e6)),
            "jumped_us": self._jumped_us,
        }


def levels(side: list[list[int]]) -> tuple[tuple[int, int], ...]:
    """A side of a view as levels."""
    return tuple((price, qty) for price, qty in side)
