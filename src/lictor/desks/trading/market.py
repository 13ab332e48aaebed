"""What a market shows: levels, snapshots of the book, prints of the tape, in exact integers.

Units, used by every file of this desk: prices are whole cents (0.01 USD), quantities whole units of 1e-8 BTC, times
whole microseconds since the Unix epoch, so that price x quantity is an exact integer of 1e-10 USD (`MONEY_PER_USD`).
Reads nothing, writes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

BUY = 1
SELL = -1

BPS = 10_000.0
CENTS_PER_USD = 100
QTY_PER_BTC = 100_000_000
#: price (cents) x quantity (1e-8 BTC) is money in this many parts of a dollar
MONEY_PER_USD = CENTS_PER_USD * QTY_PER_BTC

#: (price in cents, quantity in 1e-8 BTC)
Level = tuple[int, int]
#: one side of a book, best price first
Levels = Sequence[Level]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The best levels of both sides at one moment, best first."""

    time_us: int
    bids: tuple[Level, ...]
    asks: tuple[Level, ...]


@dataclass(frozen=True, slots=True)
class Print:
    """One trade of the tape; `side` is that of the taker, BUY (+1) or SELL (-1)."""

    time_us: int
    price: int
    qty: int
    side: int


#: what a market-data stream is made of, in the order in which it was seen
MarketEvent = Snapshot | Print
MarketEvents = Iterable[MarketEvent]


def mid(bids: Levels, asks: Levels) -> float | None:
    """Mid price in cents (half a cent is exact), or None if a side is empty or the book is crossed or locked."""
    if not bids or not asks or bids[0][0] >= asks[0][0]:
        return None
    return (bids[0][0] + asks[0][0]) / 2
