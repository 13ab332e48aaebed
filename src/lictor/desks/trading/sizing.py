"""How much: Kelly, volatility target, fixed fraction and liquidity, each a cap, and the least of them in whole lots.

Quantities are whole units of 1e-8 BTC, prices whole cents, equity whole cents; fractions and volatilities are floats
that only bound a quantity and are floored into it, so that rounding never makes an order larger. A size of zero is an
answer with a reason. Sources: Kelly (1956); Thorp (2006) for the continuous form and fractional Kelly; volatility
targeting, Moreira and Muir (2017); fixed fractional, trading research section 2 step 4. Reads nothing, writes nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from lictor.desks.trading.market import QTY_PER_BTC


@dataclass(frozen=True, slots=True)
class Size:
    """A quantity, the name of the cap that set it, and, when it is zero, why there is no trade."""

    qty: int
    bound_by: str
    reason: str | None = None


def kelly_binary(win_probability: float, payoff: float) -> float:
    """f* = (p b - (1 - p)) / b: what to stake on winning `payoff` times the stake or losing it; 0 without an edge."""
    if not (0.0 <= win_probability <= 1.0 and payoff > 0.0):
        return 0.0
    return max(0.0, (win_probability * payoff - (1.0 - win_probability)) / payoff)


def kelly_continuous(drift: float, volatility: float) -> float:
    """f* = mu / sigma^2, log returns over one horizon, as fractions not bps; 0 without an edge or a volatility."""
    if not (drift > 0.0 and volatility > 0.0 and math.isfinite(drift) and math.isfinite(volatility)):
        return 0.0
    return drift / (volatility * volatility)


def volatility_target(target: float, volatility: float) -> float:
    """The weight target / sigma, over the same span; 0 where volatility is unknown: no estimate, no position."""
    if not (target > 0.0 and volatility > 0.0 and math.isfinite(target) and math.isfinite(volatility)):
        return 0.0
    return target / volatility


def fixed_fractional_qty(equity: int, risk_share: float, entry: int, stop: int, commission: float = 0.0) -> int:
    """The quantity that loses the share `risk_share` of equity if the stop is hit: E r (1 - 2c) / |entry - stop|.

    `commission` c is one way, as a share of value. Returns 1e-8 BTC, 0 if the stop is at the entry or an input is out
    of range.
    """
    if not (equity > 0 and 0.0 < risk_share <= 1.0 and 0.0 <= commission < 1.0) or entry == stop:
        return 0
    return math.floor(equity * risk_share * max(0.0, 1.0 - 2.0 * commission) * QTY_PER_BTC / abs(entry - stop))


def exposure_qty(equity: int, share: float, price: int) -> int:
    """The quantity worth `share` of equity, floored: how a Kelly or volatility-target share becomes a cap."""
    if not (equity > 0 and share > 0.0 and price > 0 and math.isfinite(share)):
        return 0
    return math.floor(equity * share * QTY_PER_BTC / price)


def liquidity_qty(participation_max: float, volume: int) -> int:
    """At most rho V: this share of what the market trades, or shows, over the horizon."""
    if not (0.0 < participation_max <= 1.0 and volume > 0):
        return 0
    return math.floor(participation_max * volume)


def learned_multiplier(edge_ratio: float) -> float:
    """clip(g, 0, 1) of g, realised over predicted edge: feedback may only shrink a size. NaN counts as 0."""
    return min(1.0, edge_ratio) if edge_ratio > 0.0 else 0.0


def floor_lot(qty: int, lot: int) -> int:
    """The largest multiple of `lot` not above `qty`; 0 for a negative quantity."""
    if lot <= 0:
        message = "a lot is a positive quantity"
        raise ValueError(message)
    return max(0, qty) // lot * lot


def size(caps: Mapping[str, int], lot: int, multiplier: float = 1.0, qty_min: int = 0) -> Size:
    """floor_lot(multiplier x the least cap): what every cap allows, in whole lots, shrunk by what was learned.

    `caps` maps a name to a quantity; with none there is no size. `multiplier` outside [0, 1] is clipped. A quantity
    below one lot or `qty_min` is no trade, and `reason` says which cap, or that what was learned, left nothing.
    """
    if not caps:
        return Size(0, "none", "no cap was given, so nothing is known to be safe")
    bound_by = min(caps, key=lambda name: (caps[name], name))
    least = max(0, caps[bound_by])
    learned = learned_multiplier(multiplier)
    scaled = least if learned == 1.0 else math.floor(least * learned)
    qty = floor_lot(scaled, lot)
    if qty >= max(lot, qty_min):
        return Size(qty, bound_by)
    if floor_lot(least, lot) >= max(lot, qty_min):
        return Size(0, "learned", f"the learned multiplier {learned:.3g} leaves less than the least order")
    return Size(0, bound_by, f"{bound_by} allows less than the least order")
