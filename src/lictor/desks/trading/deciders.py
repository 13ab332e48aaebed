"""Who decides: the model fitted on the first part of the capture, and a rule of thumb beside it. No I/O.

Both see what the desk sees and nothing later, state an edge and a confidence, and say how much they would like. What
they may have is for the gates.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from lictor.desks.trading.kinds import Trade
from lictor.desks.trading.market import BPS, BUY, QTY_PER_BTC, SELL, MarketEvent, Print, Snapshot
from lictor.desks.trading.model import Model, ModelSignal, SignalStream
from lictor.desks.trading.policy import Policy
from lictor.desks.trading.shortfall import mid_half_cents

#: What a source would like for each basis point of stated edge, in steps that a person would type.
QTY_PER_BPS = QTY_PER_BTC // 8
QTY_STEP = QTY_PER_BTC // 200
SAID_KEPT_MAX = 10_000


@dataclass(frozen=True, slots=True)
class Proposal:
    """A trade that a source would like, with its own name."""

    source: str
    trade: Trade


class Decider(Protocol):
    """Looks at the market and now and then wants something."""

    name: str
    #: Which version of it this is; a named person approves versions.
    version: str

    def feed(self, event: MarketEvent) -> list[Proposal]:
        """Apply one event of the market; what it makes the source want."""
        ...


class FittedModel:
    """The ridge and logistic model of `model.py`."""

    name = "model"

    def __init__(self, model: Model, policy: Policy, *, every_s: float, after_us: int) -> None:
        self.version = model.version
        self._policy = policy
        self._horizon_s = float(model.horizon_s)
        self._stream = SignalStream(model, int(every_s * 1e6), after_us=after_us)
        self._book: Snapshot | None = None
        #: What it has said lately, acted on or not, to be scored once the future is known.
        self.said: deque[ModelSignal] = deque(maxlen=SAID_KEPT_MAX)

    def feed(self, event: MarketEvent) -> list[Proposal]:
        signals = self._stream.feed(event)
        self.said.extend(signals)
        if isinstance(event, Snapshot):
            self._book = event
        return [Proposal(self.name, self._trade(signal, self._book)) for signal in signals if self._book is not None]

    def _trade(self, signal: ModelSignal, book: Snapshot) -> Trade:
        return propose(
            self._policy, book, signal.side, signal.edge_bps, signal.confidence, self._horizon_s, self.version,
            f"{self.name}-{signal.time_us}",
        )  # fmt: skip


class Reversion:
    """A rule of thumb, fitted on nothing: a quarter of the last half minute's move comes back."""

    name = "reversion"
    version = "rule-of-thumb-1"
    _BACK_S = 30
    _SHARE = 0.25
    _HORIZON_S = 20.0

    def __init__(self, policy: Policy, *, every_s: float, after_us: int) -> None:
        self._policy = policy
        self._every_us = int(every_s * 1e6)
        self._due_us = after_us
        self._mids: list[tuple[int, int]] = []

    def feed(self, event: MarketEvent) -> list[Proposal]:
        if not isinstance(event, Snapshot) or not event.bids or not event.asks:
            return []
        middle = mid_half_cents(event.bids[0][0], event.asks[0][0])
        self._mids.append((event.time_us, middle))
        since_us = event.time_us - self._BACK_S * 1_000_000
        while len(self._mids) > 1 and self._mids[1][0] <= since_us:
            self._mids.pop(0)
        then_us, then = self._mids[0]
        if event.time_us < self._due_us or then_us > since_us:
            return []
        move_bps = BPS * math.log(middle / then)
        if not move_bps:
            return []
        self._due_us = event.time_us + self._every_us
        edge_bps = self._SHARE * abs(move_bps)
        confidence = min(0.6, 0.35 + 0.05 * abs(move_bps))
        side = SELL if move_bps > 0 else BUY
        name = f"{self.name}-{event.time_us}"
        made = propose(self._policy, event, side, edge_bps, confidence, self._HORIZON_S, self.version, name)
        return [Proposal(self.name, made)]


def propose(
    policy: Policy, book: Snapshot, side: int, edge_bps: float, confidence: float, horizon_s: float, version: str,
    signal: str,
) -> Trade:  # fmt: skip
    """A trade at the touch of this book, as large as the edge is stated, that may reach a little past the touch."""
    bid, ask = book.bids[0][0], book.asks[0][0]
    middle = mid_half_cents(bid, ask)
    reach = math.floor(policy.reach_bps / BPS * middle / 2 / policy.tick) * policy.tick
    wanted = max(1, round(edge_bps * QTY_PER_BPS / QTY_STEP)) * QTY_STEP
    return Trade(
        instrument=policy.instrument,
        side=side,
        wanted=wanted,
        qty=wanted,
        limit_price=ask + reach if side == BUY else bid - reach,
        mid_half_cents=middle,
        spread_bps=BPS * 2 * (ask - bid) / middle,
        edge_bps=edge_bps,
        confidence=confidence,
        horizon_s=horizon_s,
        model=version,
        signal=signal,
        signal_us=book.time_us,
    )


def seen(deciders: Sequence[Decider], snapshot: Snapshot, prints: Sequence[Print]) -> list[Proposal]:
    """What all of them want after one message of the venue."""
    events: list[MarketEvent] = [*prints, snapshot]
    return [proposal for decider in deciders for event in events for proposal in decider.feed(event)]
