"""Market conditions: is this a market to trade in now, and what would it cost to take what it shows?

Pure functions of what they are given, in the units of `market.py`; ratios come back as floats and costs in basis
points. Sources: trading research section 2, steps 1 and 3; the EWMA is RiskMetrics' (J.P. Morgan 1996, lambda 0.94).
Reads nothing, writes nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from lictor.desks.trading.market import BPS, BUY, Levels, mid


@dataclass(frozen=True, slots=True)
class Sweep:
    """What walking a side of the book for a quantity would do.

    `filled` + `unfilled` is the quantity asked for; `notional` is exact, in cents x 1e-8 BTC; `worst_price` is 0 if
    nothing filled. `cost_bps` is 1e4 s (p - m) / m of the part that filled, against the mid: half the spread plus what
    walking deeper adds.
    """

    filled: int
    unfilled: int
    notional: int
    worst_price: int
    cost_bps: float


@dataclass(frozen=True, slots=True)
class Volatility:
    """EWMA variance of log returns taken every `step_s` seconds, and how many went into it."""

    step_s: float
    decay: float = 0.94
    variance: float = 0.0
    count: int = 0

    def update(self, log_return: float) -> Volatility:
        """The estimate after one more return.

        v <- d v + (1 - d) r^2; the first few are averaged, so that it starts unbiased.
        """
        weight = max(1.0 - self.decay, 1.0 / (self.count + 1))
        variance = (1.0 - weight) * self.variance + weight * log_return * log_return
        return replace(self, variance=variance, count=self.count + 1)

    def over_s(self, seconds: float) -> float:
        """Standard deviation of the log return over so many seconds, by the square root of time."""
        return math.sqrt(self.variance * seconds / self.step_s)

    def over_bps(self, seconds: float) -> float:
        """The same in basis points."""
        return BPS * self.over_s(seconds)


def spread_bps(bids: Levels, asks: Levels) -> float | None:
    """1e4 (ask - bid) / mid, or None if there is no mid."""
    middle = mid(bids, asks)
    if middle is None:
        return None
    return BPS * (asks[0][0] - bids[0][0]) / middle


def sweep(bids: Levels, asks: Levels, side: int, qty: int) -> Sweep | None:
    """Walk the opposite side for `qty`: p = sum of min(left, depth_k) p_k / filled.

    None if there is no mid or nothing to walk for.
    """
    middle = mid(bids, asks)
    if middle is None or qty <= 0:
        return None
    left, notional, worst = qty, 0, 0
    for price, depth in asks if side == BUY else bids:
        taken = min(left, depth)
        if taken <= 0:
            continue
        notional += taken * price
        left -= taken
        worst = price
        if left == 0:
            break
    filled = qty - left
    cost = BPS * side * (notional / filled - middle) / middle if filled else math.inf
    return Sweep(filled, left, notional, worst, cost)


def visible_depth(bids: Levels, asks: Levels, side: int, within_bps: float) -> int:
    """Quantity that an order of `side` could take no further than `within_bps` from the mid; 0 without a mid."""
    middle = mid(bids, asks)
    if middle is None:
        return 0
    reach = middle * within_bps / BPS
    if side == BUY:
        return sum(depth for price, depth in asks if price - middle <= reach)
    return sum(depth for price, depth in bids if middle - price <= reach)


def participation(qty: int, volume: int) -> float:
    """Q / V, our quantity as a share of what trades over the same horizon; infinite where nothing trades."""
    return qty / volume if volume > 0 else math.inf


def jumped(log_return: float, volatility: Volatility, seconds: float, k: float) -> bool:
    """True if |r| > k sigma sqrt(dt): a move that this volatility does not explain. NaN counts as one."""
    return not abs(log_return) <= k * volatility.over_s(seconds)


def drifted(
    price_now: float, price_then: float, volatility: Volatility, age_s: float, k: float, floor_bps: float = 0.0
) -> bool:
    """True if the market left the price of the decision: |ln(m / P)| > max(k sigma sqrt(age), floor).

    What cannot be judged counts as drifted.
    """
    if not (price_now > 0 and price_then > 0 and math.isfinite(price_now) and math.isfinite(price_then) and age_s >= 0):
        return True
    return not abs(math.log(price_now / price_then)) <= max(k * volatility.over_s(age_s), floor_bps / BPS)


def stale(time_us: int | None, now_us: int, age_us_max: int) -> bool:
    """True if a datum is missing, from the future, or older than `age_us_max` microseconds."""
    return time_us is None or not 0 <= now_us - time_us <= age_us_max
