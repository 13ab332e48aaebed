"""What this desk decides: trade on a signal, flatten a position, withdraw a trade. Reads nothing, writes nothing.

Units as in `market.py`. A decision says what the one who decided saw, so that whoever judges it later sees the same.
"""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Trade:
    """Trade `qty` of `wanted` in one direction, because a model expects the mid to move that way within its horizon."""

    instrument: str
    side: int
    #: What the source would like; gates only ever lower `qty`.
    wanted: int
    qty: int
    #: The worst price that it may get.
    limit_price: int
    #: The mid when it was decided, and half of the spread that a move must pay for.
    mid_half_cents: int
    spread_bps: float
    edge_bps: float
    confidence: float
    horizon_s: float
    model: str
    signal: str
    signal_us: int


@dataclass(frozen=True, slots=True)
class Flatten:
    """Bring a position nearer to zero."""

    instrument: str
    side: int
    qty: int
    limit_price: int
    mid_half_cents: int
    reason: str
    decided_us: int


@dataclass(frozen=True, slots=True)
class Withdraw:
    """Cancel what is left of a trade."""

    decision: int
    reason: str


def smaller(before: Trade, after: Trade) -> bool:
    """The only amendment there is: the same trade, of less."""
    return 0 < after.qty <= before.qty and replace(after, qty=before.qty) == before
