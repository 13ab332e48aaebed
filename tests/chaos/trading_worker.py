"""The trading node that is killed: a real session with a real venue, under a load that a seed draws.

`python -m tests.chaos.trading_worker PORT FOLDER CLOCK SEED` where CLOCK is the venue's three numbers. Lines: `ready
OPEN`, then, when everything of the incarnation before has ended, `settled POSITION CASH LONG SHORT OPEN`; after the
line `go` on its input it trades and prints `verdict KEY ID RESULT CODE` for each acknowledgement, until it is killed.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
import sys
from dataclasses import replace
from pathlib import Path

from lictor import Handle, ScaledClock
from lictor.desks.trading.deciders import Proposal, propose
from lictor.desks.trading.market import BUY, QTY_PER_BTC, SELL, MarketEvent, Snapshot
from lictor.desks.trading.policy import Policy
from lictor.desks.trading.session import Place, Session, Wanted, Watch

POLICY = replace(
    Policy(),
    position_max=20 * QTY_PER_BTC,
    equity=10**12,
    turnover_max=10**18,
    gross_max=10**18,
    loss_max=10**18,
    executions_max=10**9,
    order_to_trade_max=1e9,
    duplicate_window_s=0.0,
    jump_floor_bps=1e6,
    collar_window_bps=1e6,
    volatility_target=1.0,
    messages_per_s=1_000.0,
    child_qty=QTY_PER_BTC // 200,
    rest_s=0.5,
    gap_s=0.3,
    hold_s=1e6,
)
MODEL = "load-1"
OPEN_S_MAX = 40.0


class Load:
    """Wants something at nearly every look at the market; patient and urgent, large and small."""

    name = "load"
    version = MODEL

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(f"load:{seed}")
        self._run = seed
        self._count = 0

    def feed(self, event: MarketEvent) -> list[Proposal]:
        """A proposal, or none."""
        if not isinstance(event, Snapshot) or self._chance.random() < 0.3:
            return []
        self._count += 1
        side = self._chance.choice((BUY, SELL))
        edge_bps = self._chance.choice((0.39, 2.0))
        made = propose(POLICY, event, side, edge_bps, 0.6, 3.0, MODEL, f"load-{self._run}-{self._count}")
        qty = self._chance.randrange(1, 15) * QTY_PER_BTC // 1_000
        return [Proposal(self.name, replace(made, wanted=qty, qty=qty))]


def warm(session: Session, now_us: int) -> None:
    """Two books of a minute ago, so that volatility and the mid of then are not unknown, which would refuse all."""
    for before_s, cents in ((70, 0), (65, 200)):
        bid = 7_840_000 + cents
        at_us = now_us - before_s * 1_000_000
        session.tape.feed(Snapshot(at_us, ((bid, QTY_PER_BTC),), ((bid + 100, QTY_PER_BTC),)), [])


def acknowledged(_source: str, wanted: Wanted, handle: Handle, _seconds: float) -> None:
    """Print what was acknowledged."""
    key = getattr(wanted, "signal", "-")
    print("verdict", key, handle.id, handle.verdict.result, handle.verdict.code, flush=True)


def balance(session: Session, name: str) -> int:
    """What is settled of a balance."""
    found = session.node.journal.state.balances[name, POLICY.instrument]
    return int(found.settled(None))


async def settled(session: Session) -> None:
    """Wait until nothing is open, and say where it stands."""
    waited = 0.0
    while session.node.journal.state.open and waited < OPEN_S_MAX and session.node.failure is None:
        await asyncio.sleep(0.02)
        waited += 0.02
    still = len(session.node.journal.state.open)
    blotter = session.blotter
    print(
        "settled", blotter.position, blotter.cash, balance(session, "long"), balance(session, "short"), still,
        session.node.failure or "", flush=True,
    )  # fmt: skip


async def main() -> None:
    """One incarnation."""
    port, folder, clock, seed = int(sys.argv[1]), Path(sys.argv[2]), json.loads(sys.argv[3]), int(sys.argv[4])
    logging.getLogger("lictor").handlers = [logging.FileHandler(folder / "node.log")]
    models = folder / "models.json"
    models.write_text(json.dumps({MODEL: "campaign"}))
    place = Place(port, str(folder / "journal.db"), folder / "fix", models)
    session = Session(
        place, ScaledClock(*clock), [Load(seed)], POLICY, Watch(decided=acknowledged), answer_within_s=1.0
    )
    warm(session, session.clock.wall_us())
    async with session:
        print("ready", len(session.node.journal.state.open), flush=True)
        await settled(session)
        reader = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        line = await reader.readline()
        if line.strip() != b"go":
            return
        session.trading = True
        while session.node.failure is None:
            await asyncio.sleep(0.05)
        print("failed", session.node.failure, flush=True)


if __name__ == "__main__":
    asyncio.run(main())
