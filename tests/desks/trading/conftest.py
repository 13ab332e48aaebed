"""The real order flow, read once, and the first quarter of an hour of the market that the engine makes of it."""

from dataclasses import replace

import pytest

from lictor.desks.trading.market import Print, Snapshot
from lictor.desks.trading.venue import read_capture, sample

MINUTE_US = 60_000_000


@pytest.fixture(scope="session")
def capture():
    return read_capture()


@pytest.fixture(scope="session")
def market(capture):
    return list(sample(capture, 500_000, 10, capture.starts_at_us + 15 * MINUTE_US))


@pytest.fixture(scope="session")
def spoiled():
    """Turns an event into another at the same time: what nothing that was said earlier may notice."""

    def spoil(event):
        if isinstance(event, Print):
            return replace(event, qty=event.qty * 1000 + 1, side=-event.side)
        bids = tuple((price - 5000, 7 * qty) for price, qty in event.bids)
        return Snapshot(event.time_us, bids, tuple((price + 9000, qty) for price, qty in event.asks))

    return spoil
