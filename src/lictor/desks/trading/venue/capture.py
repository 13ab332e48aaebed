"""The real order flow: every order of half an hour of Bitstamp BTC/USD, cleaned into what really stood in the book.

Reads `orders.csv.gz` and `trades.csv` of the package `ob-analytics` by their path; that package is licensed under the
GPL, so its code is never imported and its data never copied. Writes nothing.

Cleaning: an order stays out if it was created and deleted in the same instant without trading (refused post-only or IOC
flicker: 100,931 of 156,902), if a later trade went through its price while it stood (2 stale entries of the snapshot),
if it has no creation (13), no price or no quantity, or a price that no market of the day reached.
"""

from __future__ import annotations

import bisect
import csv
import gzip
import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from lictor.desks.trading.market import BUY, CENTS_PER_USD, QTY_PER_BTC, SELL

PACKAGE = "ob_analytics"
STUB_FACTOR = 2.0


class CaptureMissing(Exception):
    """The package that holds the capture is not installed."""

    def __init__(self) -> None:
        super().__init__(
            "the market data is not installed; from a clone run `make setup`, "
            "otherwise `pip install --no-deps ob-analytics==0.1.0`"
        )


class Event(NamedTuple):
    """One act of one participant: an order placed, or (`qty` 0) withdrawn."""

    at_us: int
    order: int  #: number of the order, counted from 0 in order of placement
    side: int
    price: int
    qty: int


class RealTrade(NamedTuple):
    """One trade of the venue where the flow was captured; `buy` and `sell` number the orders, -1 if cleaned away."""

    at_us: int
    buy: int
    sell: int
    price: int
    qty: int


@dataclass(frozen=True, slots=True)
class Capture:
    """The cleaned flow in time order. All that stands at `ends_at_us` is deleted there, because the capture ends."""

    events: Sequence[Event]
    trades: Sequence[RealTrade]
    orders: int

    @property
    def starts_at_us(self) -> int:
        return self.events[0].at_us

    @property
    def ends_at_us(self) -> int:
        return self.events[-1].at_us


class _Life(NamedTuple):
    """One order's rows: where its creation stands in the file, and what it said; all as text."""

    row: int
    at_ms: bytes
    price: bytes
    volume: bytes
    side: bytes


def read_capture() -> Capture:
    """Read and clean the capture, about a second. Raises CaptureMissing, or OSError if the files are unreadable."""
    folder = _folder()
    with (folder / "trades.csv").open(newline="", encoding="ascii") as file:
        prints = list(csv.DictReader(file))
    traded = {int(row[side]) for row in prints for side in ("buy_order_id", "sell_order_id")}
    created, deleted = _rows(folder / "orders.csv.gz")
    number, events = _events(created, deleted, traded, _Tape(prints))
    trades = [
        RealTrade(
            int(row["exchange_timestamp"]) * 1000,
            number.get(int(row["buy_order_id"]), -1),
            number.get(int(row["sell_order_id"]), -1),
            _cents(row["price"]),
            _units(row["amount"]),
        )
        for row in prints
    ]
    return Capture(events, trades, len(number))


def _folder() -> Path:
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise CaptureMissing
    return Path(spec.submodule_search_locations[0]) / "_sample_data"


def _cents(text: str | bytes) -> int:
    return round(float(text) * CENTS_PER_USD)


def _units(text: str | bytes) -> int:
    return round(float(text) * QTY_PER_BTC)


def _rows(path: Path) -> tuple[dict[bytes, _Life], dict[bytes, tuple[int, bytes]]]:
    """Creations, and deletions as (row, time), by order id. Changes are left out: they follow from trades."""
    created: dict[bytes, _Life] = {}
    deleted: dict[bytes, tuple[int, bytes]] = {}
    with gzip.open(path, "rb") as file:
        lines = file.read().splitlines()[1:]
    for row, line in enumerate(lines):
        order, _, at_ms, price, volume, action, side = line.split(b",")
        if action == b"created":
            created[order] = _Life(row, at_ms, price, volume, side)
        elif action == b"deleted":
            deleted[order] = (row, at_ms)
    return created, deleted


class _Tape:
    """The real trades by time, to ask whether one went through an order."""

    def __init__(self, prints: Sequence[dict[str, str]]) -> None:
        trades = sorted((int(row["exchange_timestamp"]), _cents(row["price"])) for row in prints)
        self._times = [time for time, _ in trades]
        self._prices = [price for _, price in trades]
        self.low, self.high = self._prices[0] / STUB_FACTOR, self._prices[0] * STUB_FACTOR

    def passed_through(self, side: int, price: int, created_ms: int, deleted_ms: int) -> bool:
        """Whether a trade between those times was beyond the price, which a real order there would have had."""
        first = bisect.bisect_right(self._times, created_ms)
        last = bisect.bisect_left(self._times, deleted_ms)
        between = self._prices[first:last]
        return bool(between) and (min(between) < price if side == BUY else max(between) > price)


def _events(
    created: dict[bytes, _Life], deleted: dict[bytes, tuple[int, bytes]], traded: set[int], tape: _Tape
) -> tuple[dict[int, int], list[Event]]:
    """The numbers of the orders that stay, and what they did, in the order of the file."""
    number: dict[int, int] = {}
    acts: list[tuple[int, Event]] = []
    for order, life in created.items():
        end_row, end_ms = deleted[order]
        identity = int(order)
        if life.at_ms == end_ms and identity not in traded:
            continue
        price, qty, side = _cents(life.price), _units(life.volume), BUY if life.side == b"bid" else SELL
        if qty <= 0 or not tape.low < price < tape.high:
            continue
        start, end = int(life.at_ms), int(end_ms)
        if identity not in traded and tape.passed_through(side, price, start, end):
            continue
        count = number[identity] = len(number)
        acts.append((life.row, Event(start * 1000, count, side, price, qty)))
        acts.append((end_row, Event(end * 1000, count, side, price, 0)))
    acts.sort()
    return number, [event for _, event in acts]
