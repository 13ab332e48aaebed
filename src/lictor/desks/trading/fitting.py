"""Fitting the desk's model on the first part of a capture: ridge for the edge, logistic for the confidence.

Every training moment is used twice, as it was and in the mirror (bids and asks exchanged), so that a rising training
window cannot teach the model to buy. Confidence is calibrated by Platt's sigmoid and the edge by one slope in [0, 1],
both fitted on predictions for moments that the coefficients had not seen: contiguous folds, purged by the horizon on
both sides, all inside the training window. Nothing of the time after the window is read: its labels end inside it.

Sources: Hoerl and Kennard (1970), ridge; Platt (1999), the sigmoid; Lopez de Prado (2018) ch. 7, purged folds. Reads
and writes nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lictor.desks.trading.features import EVEN, ODD, Features, FeatureStream
from lictor.desks.trading.market import BPS, MarketEvents
from lictor.desks.trading.model import Model, Training

Array = NDArray[np.float64]

HORIZON_S = 20
STEP_US = 1_000_000
FOLDS = 5
#: ridge penalties tried, as a multiple of the number of samples (features have unit variance)
RIDGES = (0.1, 0.3, 1.0, 3.0)
#: penalty of the logistic weights, as a share of the number of samples
LOGISTIC_RIDGE = 0.2
#: how many samples Platt's sigmoid is worth when it says "change nothing"
PLATT_PRIOR = 50.0
#: returns are clipped to this many of their standard deviations in the fit, so that one jump does not own it
CLIP_SIGMAS = 3.0
SIGNIFICANT_DIGITS = 9
SCALE_MIN = 1e-12
SAMPLES_MIN = 120
NEWTON_STEPS = 25


def fit_events(events: MarketEvents, until_us: int, horizon_s: int = HORIZON_S, step_us: int = STEP_US) -> Model:
    """Fit on the part of a stream before `until_us` (exclusive); reading stops there."""
    stream = FeatureStream(step_us)
    seen: list[Features] = []
    for event in events:
        if event.time_us >= until_us:
            break
        seen.extend(stream.feed(event))
    return fit(seen, horizon_s, step_us)


def fit(features: Sequence[Features], horizon_s: int = HORIZON_S, step_us: int = STEP_US) -> Model:
    """Fit on a run of features of one stream.

    Raises ValueError with fewer than SAMPLES_MIN moments whose future is known.
    """
    sample = _sample(features, horizon_s)
    if len(sample.move) < SAMPLES_MIN:
        message = f"{len(sample.move)} samples are too few to fit on; at least {SAMPLES_MIN} are needed"
        raise ValueError(message)
    purge = -(-horizon_s * 1_000_000 // step_us)
    ridge, edge_held_out = _choose_ridge(sample, purge)
    logits, outcome = _logits_held_out(sample, purge), np.concatenate([sample.up, sample.down])
    platt_slope, platt_bias = _platt(logits, outcome, purge)
    up_bias, up_even, up_odd = _logistic(sample.odd, sample.even, sample.up, sample.down)
    stated = _sigmoids(platt_bias + platt_slope * logits)
    moved = sample.up + sample.down > 0
    return Model(
        horizon_s=horizon_s,
        step_us=step_us,
        odd_scale=_rounded(sample.odd_scale),
        even_mean=_rounded(sample.even_mean),
        even_scale=_rounded(sample.even_scale),
        edge_odd=_rounded(_ridge(sample.odd, sample.move, ridge) * _slope(edge_held_out, sample.move)),
        up_odd=_rounded(up_odd),
        up_even=_rounded(up_even),
        up_bias=_round(up_bias),
        platt_slope=_round(platt_slope),
        platt_bias=_round(platt_bias),
        training=Training(
            from_us=features[0].time_us,
            until_us=features[-1].time_us,
            samples=len(sample.move),
            ridge=ridge,
            held_out_r2=_round(1.0 - _squared_error(edge_held_out, sample.move) / float((sample.move**2).sum() or 1.0)),
            held_out_hit_rate=_round(
                float(((edge_held_out > 0) == (sample.move > 0))[moved].sum() / (moved.sum() or 1))
            ),
            held_out_brier=_round(float(np.mean((stated - outcome) ** 2))),
            base_rate_brier=_round(float(outcome.mean() * (1 - outcome.mean()))),
        ),
    )


@dataclass(frozen=True, slots=True)
class _Sample:
    """Standardised features and what came of them.

    `move` is in bps; `up` and `down` are 1.0 where the mid moved by more than half the spread.
    """

    odd: Array
    even: Array
    move: Array
    up: Array
    down: Array
    odd_scale: Array
    even_mean: Array
    even_scale: Array


def _sample(features: Sequence[Features], horizon_s: int) -> _Sample:
    mids = {row.time_us: row.mid for row in features}
    ahead_us = horizon_s * 1_000_000
    rows = [row for row in features if row.time_us + ahead_us in mids]
    odd = np.array([row.odd for row in rows], dtype=float).reshape(len(rows), len(ODD))
    even = np.array([row.even for row in rows], dtype=float).reshape(len(rows), len(EVEN))
    move = np.array([BPS * math.log(mids[row.time_us + ahead_us] / row.mid) for row in rows])
    half = np.array([row.spread_bps / 2 for row in rows])
    if not rows:
        return _Sample(odd, even, move, move, move, np.ones(len(ODD)), np.zeros(len(EVEN)), np.ones(len(EVEN)))
    odd_scale = _floor(np.sqrt((odd**2).mean(axis=0)))
    even_mean, even_scale = even.mean(axis=0), _floor(even.std(axis=0))
    up, down = (move > half).astype(float), (move < -half).astype(float)
    return _Sample(odd / odd_scale, (even - even_mean) / even_scale, move, up, down, odd_scale, even_mean, even_scale)


def _ridge(x: Array, y: Array, penalty: float) -> Array:
    """Solve w = (X'X + penalty n I)^-1 X'y on clipped y.

    There is no intercept: in the mirrored sample the means of x and y are zero.
    """
    spread = CLIP_SIGMAS * float(np.sqrt((y**2).mean()))
    clipped: Array = np.clip(y, -spread, spread)
    return np.asarray(np.linalg.solve(x.T @ x + penalty * len(y) * np.eye(x.shape[1]), x.T @ clipped), dtype=np.float64)


def _logistic(odd: Array, even: Array, up: Array, down: Array) -> tuple[float, Array, Array]:
    """Penalised maximum likelihood by Newton's method on the mirrored sample; (bias, even weights, odd weights)."""
    ones = np.ones((len(up), 1))
    x = np.vstack([np.hstack([ones, even, odd]), np.hstack([ones, even, -odd])])
    y = np.concatenate([up, down])
    penalty = np.full(x.shape[1], LOGISTIC_RIDGE * len(y))
    penalty[0] = 1e-6
    weights = _newton(x, y, penalty, np.zeros(x.shape[1]))
    split = 1 + even.shape[1]
    return float(weights[0]), weights[1:split], weights[split:]


def _newton(x: Array, y: Array, penalty: Array, prior: Array) -> Array:
    """Minimise the log loss + sum of penalty (w - prior)^2 / 2, which is convex.

    A fixed number of steps makes it deterministic.
    """
    weights = prior.copy()
    for _ in range(NEWTON_STEPS):
        p = _sigmoids(x @ weights)
        gradient = x.T @ (p - y) + penalty * (weights - prior)
        hessian = (x * (p * (1 - p))[:, None]).T @ x + np.diag(penalty)
        weights = weights - np.linalg.solve(hessian, gradient)
    return weights


def _platt(logits: Array, outcome: Array, overlap: int) -> tuple[float, float]:
    """Slope and bias of Platt's sigmoid, shrunk to (1, 0).

    Samples whose horizons overlap tell the same story, so `overlap` of them count as one.
    """
    x = np.column_stack([logits, np.ones(len(logits))])
    penalty = np.full(2, PLATT_PRIOR * 0.25 * overlap)
    slope, bias = _newton(x, outcome, penalty, np.array([1.0, 0.0]))
    return max(float(slope), 0.0), float(bias)


def _folds(count: int, purge: int) -> Iterator[tuple[slice, NDArray[np.intp]]]:
    """Contiguous held-out slices, and what to train on for each: all that is not within `purge` of it."""
    for fold in range(FOLDS):
        first, last = count * fold // FOLDS, count * (fold + 1) // FOLDS
        yield slice(first, last), np.r_[0 : max(0, first - purge), min(count, last + purge) : count]


def _choose_ridge(sample: _Sample, purge: int) -> tuple[float, Array]:
    """The penalty with the least squared error on held-out moments, and its predictions for them."""
    held_out = {penalty: np.zeros(len(sample.move)) for penalty in RIDGES}
    for test, train in _folds(len(sample.move), purge):
        for penalty, edge in held_out.items():
            edge[test] = sample.odd[test] @ _ridge(sample.odd[train], sample.move[train], penalty)
    best = min(RIDGES, key=lambda penalty: _squared_error(held_out[penalty], sample.move))
    return best, held_out[best]


def _slope(predicted: Array, move: Array) -> float:
    """The multiple in [0, 1] of the predictions that fits best: a calibration may shrink an edge, never raise it."""
    return float(np.clip(predicted @ move / max(float(predicted @ predicted), SCALE_MIN), 0.0, 1.0))


def _squared_error(predicted: Array, move: Array) -> float:
    """Of the predictions after their slope."""
    return float(((move - _slope(predicted, move) * predicted) ** 2).sum())


def _logits_held_out(sample: _Sample, purge: int) -> Array:
    """Logits of "up", then of "down" (the mirror's "up"), for moments that the coefficients had not seen."""
    level, tilt = np.zeros(len(sample.move)), np.zeros(len(sample.move))
    for test, train in _folds(len(sample.move), purge):
        bias, even, odd = _logistic(sample.odd[train], sample.even[train], sample.up[train], sample.down[train])
        level[test], tilt[test] = bias + sample.even[test] @ even, sample.odd[test] @ odd
    return np.concatenate([level + tilt, level - tilt])


def _sigmoids(x: Array) -> Array:
    result: Array = 1.0 / (1.0 + np.exp(-np.clip(x, -500.0, 500.0)))
    return result


def _floor(scale: Array) -> Array:
    """A feature that never varied keeps its scale of 1, and so a weight of nearly nothing."""
    return np.where(scale > SCALE_MIN, scale, 1.0)


def _round(value: float) -> float:
    """So few digits that the last bits of another machine's linear algebra do not make another version."""
    return float(f"{value:.{SIGNIFICANT_DIGITS}g}")


def _rounded(values: Array) -> tuple[float, ...]:
    return tuple(_round(float(value)) for value in values)
