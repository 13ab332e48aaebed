"""Routing in time: how a parent order is cut into child orders, so that the children sum to the parent exactly.

Quantities are whole units of 1e-8 BTC in whole lots. Every schedule apportions whole lots by largest remainder
(Hamilton's method), so no child is off by more than a lot from its exact share and nothing is lost or added: the
control that Knight Capital lacked. Sources: Almgren and Chriss (2000), Optimal execution of portfolio transactions,
section 2.2, the discrete solution; trading research section 2 step 5. Reads nothing, writes nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

#: below this the schedule cannot be told from TWAP in floats
FLAT = 1e-8


def apportion(total: int, weights: Sequence[float]) -> tuple[int, ...]:
    """Whole numbers in proportion to `weights` that sum to `total` exactly; ties go to the earlier one.

    Raises ValueError if the total is negative, or a weight is negative or not finite, or all are zero.
    """
    if (
        total < 0
        or not weights
        or not all(math.isfinite(weight) and weight >= 0 for weight in weights)
        or not any(weights)
    ):
        message = "a total >= 0 is apportioned by finite weights >= 0, not all of them zero"
        raise ValueError(message)
    exact = [Fraction(weight) for weight in weights]
    unit = Fraction(total) / sum(exact)
    shares = [weight * unit for weight in exact]
    whole = [math.floor(share) for share in shares]
    by_remainder = sorted(range(len(shares)), key=lambda i: (whole[i] - shares[i], i))
    for i in by_remainder[: total - sum(whole)]:
        whole[i] += 1
    return tuple(whole)


def slices(qty: int, lot: int, weights: Sequence[float]) -> tuple[int, ...]:
    """Child quantities in whole lots, one for each weight (some may be 0), summing to `qty` exactly.

    Raises ValueError unless `qty` is a whole number of lots.
    """
    if lot <= 0 or qty < 0 or qty % lot:
        message = "a parent is a whole number of lots"
        raise ValueError(message)
    return tuple(lot * share for share in apportion(qty // lot, weights))


def twap(qty: int, lot: int, count: int) -> tuple[int, ...]:
    """q_i = Q / N."""
    return slices(qty, lot, [1.0] * count)


def vwap(qty: int, lot: int, volumes: Sequence[float]) -> tuple[int, ...]:
    """q_i = Q v_i / sum v, by a profile of the volume expected in each interval."""
    return slices(qty, lot, volumes)


def pov(volume_others: int, rate: float, remaining: int, lot: int) -> int:
    """The next child, so that ours is the share `rate` of all volume.

    rate / (1 - rate) x what others traded, capped by what remains.
    """
    if not 0.0 < rate < 1.0:
        message = "a participation rate is between 0 and 1"
        raise ValueError(message)
    wanted = math.floor(rate / (1.0 - rate) * max(0, volume_others))
    return min(wanted, max(0, remaining)) // lot * lot


def almgren_chriss(
    qty: int,
    lot: int,
    count: int,
    seconds: float,
    *,
    risk_aversion: float,
    sigma: float,
    eta: float,
    gamma: float = 0.0,
) -> tuple[int, ...]:
    """Children of Almgren and Chriss's optimal schedule: n_k in proportion to x(t_{k-1}) - x(t_k).

    x(t) = sinh(kappa (T - t)) is what is left to trade at t.
    `sigma` is the price's standard deviation a square-root second, `eta` and `gamma` the temporary and permanent impact
    of a unit (a second), `risk_aversion` lambda >= 0. kappa solves cosh(kappa tau) = 1 + kappa~^2 tau^2 / 2 with
    kappa~^2 = lambda sigma^2 / (eta (1 - gamma tau / (2 eta))). As lambda goes to 0 the schedule goes to TWAP; with a
    large lambda all goes first.
    """
    weights = almgren_chriss_weights(count, seconds, risk_aversion=risk_aversion, sigma=sigma, eta=eta, gamma=gamma)
    return slices(qty, lot, weights)


def almgren_chriss_weights(
    count: int, seconds: float, *, risk_aversion: float, sigma: float, eta: float, gamma: float = 0.0
) -> tuple[float, ...]:
    """The shares of the children, as floats; see `almgren_chriss`. Raises ValueError outside the model's domain."""
    if count <= 0 or not seconds > 0 or not risk_aversion >= 0 or not sigma >= 0 or not eta > 0:
        message = (
            "a schedule has children, time, a risk aversion and a volatility >= 0, and a positive temporary impact"
        )
        raise ValueError(message)
    tau = seconds / count
    eta_discrete = eta - gamma * tau / 2
    if not eta_discrete > 0:
        message = "gamma tau / 2 must stay below eta, or trading faster would be free"
        raise ValueError(message)
    step = math.acosh(1.0 + risk_aversion * sigma * sigma / eta_discrete * tau * tau / 2)
    if step < FLAT:
        return (1.0,) * count
    # x_{k-1} - x_k is 2 sinh(step / 2) cosh((N - k + 1/2) step); a common factor does not matter, so none overflows
    return tuple(_cosh_over(count - k + 0.5, count - 0.5, step) for k in range(1, count + 1))


def _cosh_over(a: float, b: float, step: float) -> float:
    """cosh(a step) / cosh(b step) for 0 <= a <= b, without overflow."""
    return math.exp((a - b) * step) * (1.0 + math.exp(-2.0 * a * step)) / (1.0 + math.exp(-2.0 * b * step))


def due(children: Sequence[int], elapsed_share: float) -> int:
    """What a schedule of equal intervals wants sent by now: the children whose interval has begun."""
    begun = math.floor(min(max(elapsed_share, 0.0), 1.0) * len(children)) + 1
    return sum(children[:begun])


def must_cross(filled: int, children: Sequence[int], elapsed_share: float, tolerance: int) -> bool:
    """True if the order should take rather than rest.

    It is more than `tolerance` behind its schedule, or out of time with some left.
    """
    if elapsed_share >= 1.0:
        return filled < sum(children)
    begun = math.floor(max(elapsed_share, 0.0) * len(children))
    return sum(children[:begun]) - filled > tolerance
