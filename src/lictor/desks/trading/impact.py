"""What an order is expected to cost (half the spread, impact, fees), and how impact is learned from own executions.

Costs and volatilities are in basis points, quantities and volumes in any one unit (only their ratio counts). Sources:
the square-root law, Torre and Ferraris (1997), Toth et al. (2011), Sato and Kanazawa (2024; exponent 0.489 to 0.493);
Almgren, Thum, Hauptmann and Li (2005), Direct estimation of equity market impact. Reads nothing, writes nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

#: prior for Y of the square-root law: of order one
PRIOR_Y = 1.0
#: executions below which Y stays at its prior
SAMPLES_MIN = 30


@dataclass(frozen=True, slots=True)
class ImpactFit:
    """A learned Y, the executions it rests on, and plain least squares before shrinkage (None with too few)."""

    y: float
    samples: int
    least_squares: float | None


@dataclass(frozen=True, slots=True)
class Almgren:
    """Coefficients of Almgren et al. (2005), of US equities in 2001 to 2003: recalibrate before believing the level."""

    alpha: float = 0.891
    beta: float = 0.600
    gamma: float = 0.314
    eta: float = 0.142
    delta: float = 0.267


@dataclass(frozen=True, slots=True)
class AlmgrenCost:
    """In bps: what stays in the price, what is paid while trading, and what an order that trades evenly realises."""

    permanent_bps: float
    temporary_bps: float
    realised_bps: float


def square_root(qty: float, volume: float) -> float:
    """Return sqrt(Q / V), the share of the law that is not the market's; infinite where nothing trades."""
    if not qty >= 0.0 or not volume > 0.0:
        return math.inf
    return math.sqrt(qty / volume)


def square_root_bps(qty: float, volume: float, sigma_bps: float, y: float = PRIOR_Y) -> float:
    """I = Y sigma sqrt(Q / V), volume and volatility over the same span; meant for Q / V above about 1e-3."""
    if qty == 0:
        return 0.0
    share = square_root(qty, volume)
    return y * sigma_bps * share if math.isfinite(share) else math.inf


def almgren(
    qty: float,
    day_volume: float,
    day_sigma_bps: float,
    days: float,
    shares_out: float,
    coefficients: Almgren | None = None,
) -> AlmgrenCost:
    """Impact of trading `qty` evenly over `days` (T), with volume and volatility a day and Theta units outstanding.

    nu = Q / (T V); permanent = sigma T gamma nu^alpha (Theta / V)^delta; temporary = sigma eta nu^beta; realised =
    temporary + permanent / 2. Raises ValueError unless all are positive.
    """
    if min(qty, day_volume, day_sigma_bps, days, shares_out) <= 0:
        message = "quantity, volume, volatility, time and units outstanding are positive"
        raise ValueError(message)
    c = coefficients or Almgren()
    rate = qty / (days * day_volume)
    permanent = day_sigma_bps * days * c.gamma * rate**c.alpha * (shares_out / day_volume) ** c.delta
    temporary = day_sigma_bps * c.eta * rate**c.beta
    return AlmgrenCost(permanent, temporary, temporary + permanent / 2)


def expected_cost_bps(spread_bps: float, impact_bps: float, fees_bps: float = 0.0) -> float:
    """S / 2 + I + fees: what crossing once is expected to cost; an edge below it is not worth taking."""
    return spread_bps / 2 + impact_bps + fees_bps


def fit_y(
    samples: Sequence[tuple[float, float]], prior: float = PRIOR_Y, prior_samples: float = SAMPLES_MIN
) -> ImpactFit:
    """Learn Y from executions, each (x, I): x = sigma sqrt(Q / V) in bps as predicted, I the impact in bps as measured.

    Least squares through the origin, Y = sum I x / sum x^2, shrunk to the prior as if `prior_samples` executions of
    mean x^2 had shown it: Y = (sum I x + k Y0) / (sum x^2 + k), k = prior_samples x mean x^2. Never negative. Pairs
    that are not finite or have x <= 0 teach nothing. Below SAMPLES_MIN executions the prior stands.
    """
    kept = [(x, cost) for x, cost in samples if x > 0 and math.isfinite(x) and math.isfinite(cost)]
    if len(kept) < SAMPLES_MIN:
        return ImpactFit(prior, len(kept), None)
    squares = math.fsum(x * x for x, _ in kept)
    products = math.fsum(x * cost for x, cost in kept)
    weight = prior_samples * squares / len(kept)
    return ImpactFit(max(0.0, (products + weight * prior) / (squares + weight)), len(kept), products / squares)
