"""Execution quality: Perold's implementation shortfall in parts, as an exact identity, and the usual slips and spreads.

Everything that is added up is an integer, so the parts sum to the whole with no error at all. Prices are integers of
any one unit in which the mids are whole: this desk uses *half cents*, because the mid of two whole-cent prices is a
whole number of half cents (`half_cents`, `mid_half_cents`). Quantities are 1e-8 BTC, money is price x quantity: 5e-11
USD with half cents. Side s is +1 to buy, -1 to sell. Positive is a cost, negative a gain.

    delay       = s F (P0 - Pd)             the market moved between the decision and the first child order
    impact      = s sum q_i (m_i - P0)      it moved, because of us or not, while we traded (also called timing)
    spread      = s sum q_i (p_i - m_i)     what was paid against the mid at each fill
    opportunity = s (Q - F) (PT - Pd)       what was not filled would have cost this
    fees
    total       = s sum q_i (p_i - Pd) + s (Q - F) (PT - Pd) + fees

with Pd, P0, PT the mids at the decision, at the first child and at the end, m_i the mid at fill i, F = sum q_i, Q what
was wanted. Source: Perold (1988), The implementation shortfall: paper versus reality, J. Portfolio Management 14(3);
the split of delay and missed trade as in the CFA curriculum. Effective and realised spread: Huang and Stoll (1996).
Reads nothing, writes nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lictor.desks.trading.market import BPS


@dataclass(frozen=True, slots=True)
class Fill:
    """One execution: quantity, price, the mid just before it, and its fee as money (negative for a rebate)."""

    qty: int
    price: int
    mid: int
    fee: int = 0


@dataclass(frozen=True, slots=True)
class Shortfall:
    """The parts and, computed on its own, the total; all in money. `reference` is Q Pd, the paper portfolio's value."""

    delay: int
    impact: int
    spread: int
    opportunity: int
    fees: int
    total: int
    reference: int
    qty: int
    filled: int

    @property
    def identity_error(self) -> int:
        """Parts less total: 0, or there is a defect in this file."""
        return self.delay + self.impact + self.spread + self.opportunity + self.fees - self.total

    @property
    def fill_ratio(self) -> float:
        """What was filled of what was wanted, F / Q."""
        return self.filled / self.qty

    @property
    def total_bps(self) -> float:
        """The whole shortfall as 1e4 / (Q Pd) of it."""
        return bps(self.total, self.reference)

    def parts_bps(self) -> dict[str, float]:
        """Each part in bps of the paper portfolio; they add up to `total_bps` as nearly as floats can."""
        parts = ("delay", "impact", "spread", "opportunity", "fees")
        return {name: bps(getattr(self, name), self.reference) for name in parts}


def half_cents(price_cents: int) -> int:
    """A price in cents as half cents."""
    return 2 * price_cents


def mid_half_cents(bid_cents: int, ask_cents: int) -> int:
    """The mid of two prices in cents, exactly, in half cents."""
    return bid_cents + ask_cents


def bps(part: int, whole: int) -> float:
    """1e4 part / whole."""
    return BPS * part / whole


def shortfall(
    side: int, qty: int, decision_mid: int, arrival_mid: int, end_mid: int, fills: Sequence[Fill], other_fees: int = 0
) -> Shortfall:
    """Implementation shortfall of one parent order.

    `arrival_mid` is the mid when its first child was sent; for a parent that sent none, pass the decision mid.
    `other_fees` are costs that belong to no single fill. Raises ValueError on what cannot be: an unknown side, nothing
    wanted, a price or quantity that is not positive, more filled than wanted.
    """
    _check(side, qty, (decision_mid, arrival_mid, end_mid), fills)
    filled = sum(fill.qty for fill in fills)
    missed = side * (qty - filled) * (end_mid - decision_mid)
    fees = other_fees + sum(fill.fee for fill in fills)
    return Shortfall(
        delay=side * filled * (arrival_mid - decision_mid),
        impact=side * sum(fill.qty * (fill.mid - arrival_mid) for fill in fills),
        spread=side * sum(fill.qty * (fill.price - fill.mid) for fill in fills),
        opportunity=missed,
        fees=fees,
        total=side * (sum(fill.qty * fill.price for fill in fills) - filled * decision_mid) + missed + fees,
        reference=qty * decision_mid,
        qty=qty,
        filled=filled,
    )


def _check(side: int, qty: int, mids: Sequence[int], fills: Sequence[Fill]) -> None:
    if side not in {1, -1} or qty <= 0 or min(mids) <= 0:
        message = "a parent has a side of +1 or -1, a positive quantity and positive mids"
        raise ValueError(message)
    if any(fill.qty <= 0 or fill.price <= 0 or fill.mid <= 0 for fill in fills):
        message = "a fill has a positive quantity, price and mid"
        raise ValueError(message)
    if sum(fill.qty for fill in fills) > qty:
        message = "more was filled than was wanted"
        raise ValueError(message)


def average_price(fills: Sequence[Fill]) -> float | None:
    """The average price, in the unit of the prices, or None if nothing filled."""
    filled = sum(fill.qty for fill in fills)
    return sum(fill.qty * fill.price for fill in fills) / filled if filled else None


def slip_bps(side: int, fills: Sequence[Fill], benchmark: int) -> float | None:
    """1e4 s (average price - B) / B: the arrival slip if B is the arrival mid, the VWAP slip if the market's VWAP."""
    filled = sum(fill.qty for fill in fills)
    if not filled:
        return None
    return bps(side * (sum(fill.qty * fill.price for fill in fills) - filled * benchmark), filled * benchmark)


def markout_bps(side: int, price: int, mid_later: int) -> float:
    """1e4 s (m(t+h) - p) / p of one fill: positive if the market then went our way."""
    return bps(side * (mid_later - price), price)


def effective_spread_bps(side: int, price: int, mid: int) -> float:
    """1e4 2 s (p - m) / m: what was paid, as if on a round trip."""
    return bps(2 * side * (price - mid), mid)


def realised_spread_bps(side: int, price: int, mid: int, mid_later: int) -> float:
    """1e4 2 s (p - m(t+h)) / m: what the other side kept of it; effective less realised is the price impact."""
    return bps(2 * side * (price - mid_later), mid)
