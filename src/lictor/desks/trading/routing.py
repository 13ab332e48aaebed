"""From a trade to its child orders: how many, how large, how far apart, and whether they rest first. Pure.

The children sum to the parent exactly, which is asserted here and not only in `schedule.py`: the invariant that Knight
Capital lacked. A strong edge decays while one waits, so it takes at once, most of it first (Almgren and Chriss); a weak
one rests at its own side of the book first, and takes what is left.
"""

from __future__ import annotations

from dataclasses import dataclass

from lictor.desks.trading.kinds import Trade
from lictor.desks.trading.policy import Policy
from lictor.desks.trading.schedule import almgren_chriss_weights, slices, twap

#: Volatility and temporary impact of the schedule, in the units in which only their ratio matters.
_SIGMA = 1.0
_ETA = 1e-5


@dataclass(frozen=True, slots=True)
class Child:
    """One slice of a trade."""

    qty: int
    #: It rests for this long at its own side of the book and then takes what is left; 0 takes at once.
    rest_s: float
    #: It waits for this long after the slice before it.
    gap_s: float


def route(trade: Trade, policy: Policy) -> tuple[Child, ...]:
    """The slices of a trade, in order.

    Raises:
        ValueError: they do not sum to it.
    """
    count = min(policy.children_max, max(1, -(-trade.qty // policy.child_qty)))
    patient = trade.edge_bps < policy.patient_below_bps
    if patient:
        parts = twap(trade.qty, policy.lot, count)
    else:
        weights = almgren_chriss_weights(
            count, count * policy.gap_s, risk_aversion=policy.risk_aversion, sigma=_SIGMA, eta=_ETA
        )
        parts = slices(trade.qty, policy.lot, weights)
    parts = tuple(part for part in parts if part)
    if sum(parts) != trade.qty or any(part < 0 for part in parts):
        raise ValueError(f"children of {parts} are not the parent of {trade.qty}")
    rest_s = policy.rest_s if patient else 0.0
    gap_s = 0.0 if patient else policy.gap_s
    return tuple(Child(part, rest_s, gap_s if number else 0.0) for number, part in enumerate(parts))
