"""A desk against a real venue whose market stands still, for tests of single decisions; and a way to wait."""

import asyncio
import json
import logging
from contextlib import asynccontextmanager
from dataclasses import replace

from lictor import ScaledClock
from lictor.desks.trading.deciders import Proposal, propose
from lictor.desks.trading.market import BUY, QTY_PER_BTC, Snapshot
from lictor.desks.trading.policy import Policy
from lictor.desks.trading.session import Place, Session

MODEL = "tested-1"
SOON_S = 20.0
#: Nothing about the market's past is known here, so what needs it is let through; all other limits stand.
POLICY = replace(
    Policy(),
    collar_window_bps=1e6,
    jump_floor_bps=1e6,
    rest_s=0.5,
    gap_s=0.1,
    volatility_target=1.0,
    equity=10**12,
    duplicate_window_s=1e-3,
    signal_age_s_max=30.0,
)
HORIZON_S = 1.0


class Nobody:
    """A source that decides nothing by itself: the test does."""

    name = "tested"
    version = MODEL

    def feed(self, event):
        return []


def desk_clock(venue):
    """Machine speed for the desk, starting at the venue's time: the venue's market stands still."""
    return ScaledClock.starting_now(venue.now_us(), 1.0)


@asynccontextmanager
async def desk(venue, folder, *, policy=POLICY, journal="memory:", answer_within_s=0.5, sender="DESK"):
    """A running session, which has seen the market."""
    logging.getLogger("lictor").handlers = [logging.NullHandler()]
    folder.mkdir(parents=True, exist_ok=True)
    models = folder / "models.json"
    models.write_text(json.dumps({MODEL: "a test"}))
    place = Place(venue.port, journal, folder / f"fix-{sender}", models, sender)
    session = Session(place, desk_clock(venue), [Nobody()], policy, answer_within_s=answer_within_s)
    warm(session, venue)
    async with session:
        await until(lambda: session.tape.book is not None)
        yield session


def warm(session, venue):
    """The venue's book, as of two moments in the last minutes, so that volatility is known; and the market stays."""
    book = venue.tell("book", depth=10)
    bids, asks = (tuple((price, qty) for price, qty in book[side]) for side in ("bids", "asks"))
    now_us = session.clock.wall_us()
    for before_s, cents in ((70, 0), (65, 100)):
        moved = [tuple((price + cents, qty) for price, qty in side) for side in (bids, asks)]
        session.tape.feed(Snapshot(now_us - before_s * 1_000_000, *moved), [])
    session.tape.feed(Snapshot(now_us - 1_000_000, bids, asks), [])


async def look(session, venue):
    """What market data would do at this moment: the standing market, seen now."""
    book = venue.tell("book", depth=10)
    bids, asks = (tuple((price, qty) for price, qty in book[side]) for side in ("bids", "asks"))
    session._market(Snapshot(session.clock.wall_us(), bids, asks), [])
    await session.node.refresh(session.means.market)


def trade(session, side=BUY, qty=QTY_PER_BTC // 100, *, edge_bps=2.0, confidence=0.6, name="one", **changes):
    """A trade that passes; `edge_bps` below 0.4 rests first."""
    made = propose(session.policy, session.tape.book, side, edge_bps, confidence, HORIZON_S, MODEL, name)
    return replace(made, wanted=qty, qty=qty, signal_us=session.clock.wall_us(), **changes)


async def decided(session, wanted, **options):
    """Submit it as the tested source."""
    return await session.decide(Proposal("tested", wanted), **options)


async def outcome_of(session, venue, handle):
    """Its outcome, with the market looked at until then."""
    task = asyncio.ensure_future(handle.outcome())
    while not task.done():
        await look(session, venue)
        await asyncio.wait({task}, timeout=0.1)
    return await task


async def until(condition, within_s=SOON_S):
    """Wait until it holds."""
    loop = asyncio.get_running_loop()
    end = loop.time() + within_s
    while not condition():
        assert loop.time() < end, "it did not come to that"
        await asyncio.sleep(0.01)
