"""The desk's model: from features of the book and the tape to an edge in basis points and a calibrated confidence.

Two linear models on the same features, fitted by numpy and used without it, so that a prediction is the same bits
everywhere: *edge*, a ridge regression of the log mid return over `horizon_s` (bps), and *up*, a logistic regression of
"the mid rises by more than half the spread within the horizon", which is what pays for crossing the spread once. Every
training moment is used twice, as it was and in the mirror (bids and asks exchanged), so that the model has no opinion
on direction that the book does not give it: a rising training window cannot teach it to buy. Confidence is calibrated
by Platt's sigmoid, and the edge by one slope, both fitted on predictions for moments that the coefficients had not seen
(contiguous folds, purged by the horizon on both sides), all of it inside the training window. Nothing of the time after
the window is read: its labels end inside it.

Sources: Hoerl and Kennard (1970) ridge; Platt (1999) sigmoid; Lopez de Prado (2018) ch. 7, purged folds. Reads and
writes nothing.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lictor.desks.trading.features import EVEN, ODD, Features, FeatureStream
from lictor.desks.trading.market import BPS, BUY, SELL, MarketEvent, MarketEvents

Array = NDArray[np.float64]

HORIZON_S = 20
FOLDS = 5
#: ridge penalties tried, as a multiple of the number of samples (features have unit variance)
RIDGES = (0.1, 0.3, 1.0, 3.0)
#: penalty of the logistic weights, as a share of the number of samples
LOGISTIC_RIDGE = 0.2
#: how many effective samples Platt's sigmoid is worth when it says "change nothing"
PLATT_PRIOR = 50.0
#: returns are clipped to this many of their standard deviations in the fit, so that one jump does not own it
CLIP_SIGMAS = 3.0
SIGNIFICANT_DIGITS = 9
SCALE_MIN = 1e-12
SAMPLES_MIN = 120
NEWTON_STEPS = 25


@dataclass(frozen=True, slots=True)
class Training:
    """What the fit saw and how it did on moments held out inside the training window."""

    from_us: int
    until_us: int
    samples: int
    ridge: float
    held_out_r2: float
    held_out_hit_rate: float
    held_out_brier: float
    base_rate_brier: float


@dataclass(frozen=True, slots=True)
class Model:
    """Coefficients and nothing else: frozen, JSON there and back, and `version` is the digest of that JSON."""

    horizon_s: int
    step_us: int
    odd_scale: tuple[float, ...]
    even_mean: tuple[float, ...]
    even_scale: tuple[float, ...]
    edge_odd: tuple[float, ...]
    up_odd: tuple[float, ...]
    up_even: tuple[float, ...]
    up_bias: float
    platt_slope: float
    platt_bias: float
    training: Training

    def to_json(self) -> str:
        """Canonical JSON: sorted keys, no spaces."""
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Model:
        """The model that `to_json` wrote; raises ValueError or TypeError if the text is not one."""
        raw: dict[str, Any] = json.loads(text)
        training = Training(**raw.pop("training"))
        fields: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in raw.items()}
        model = cls(training=training, **fields)
        if len(model.edge_odd) != len(ODD) or len(model.up_even) != len(EVEN):
            message = "the model was fitted on other features"
            raise ValueError(message)
        return model

    @property
    def version(self) -> str:
        """First 16 hex digits of the SHA-256 of the JSON."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()[:16]

    def forecast(self, features: Features) -> Forecast:
        """Edge and confidence at one moment; see `Forecast`."""
        odd = [value / scale for value, scale in zip(features.odd, self.odd_scale, strict=True)]
        even = [(v - m) / s for v, m, s in zip(features.even, self.even_mean, self.even_scale, strict=True)]
        edge_bps = _dot(self.edge_odd, odd)
        level = self.up_bias + _dot(self.up_even, even)
        tilt = _dot(self.up_odd, odd)
        up = _sigmoid(self.platt_bias + self.platt_slope * (level + tilt))
        down = _sigmoid(self.platt_bias + self.platt_slope * (level - tilt))
        return Forecast(edge_bps, up, down)


@dataclass(frozen=True, slots=True)
class Forecast:
    """Expected log mid return over the horizon (bps), and the chances of a rise and a fall beyond half the spread."""

    edge_bps: float
    up: float
    down: float


@dataclass(frozen=True, slots=True)
class ModelSignal:
    """What the model would do at `time_us`.

    `edge_bps` >= 0 in the direction of `side`; `confidence` that the mid moves that way by more than half the spread.
    """

    time_us: int
    side: int
    edge_bps: float
    confidence: float
    mid: float
    spread_bps: float
    volatility_bps: float


class SignalStream:
    """Feeds one `FeatureStream` and says something at most every `every_us` of market time.

    It is silent while the edge is below `edge_bps_min` or the book older than `age_us_max`, and before `after_us`.
    """

    __slots__ = ("_due_us", "_features", "age_us_max", "edge_bps_min", "every_us", "model")

    def __init__(
        self,
        model: Model,
        every_us: int = 4_000_000,
        edge_bps_min: float = 0.0,
        after_us: int = 0,
        age_us_max: int = 5_000_000,
    ) -> None:
        self.model = model
        self.every_us = every_us
        self.edge_bps_min = edge_bps_min
        self.age_us_max = age_us_max
        self._due_us = after_us
        self._features = FeatureStream(model.step_us)

    def feed(self, event: MarketEvent) -> list[ModelSignal]:
        """Apply one event; the signals that it brings, oldest first. A book older than `age_us_max` brings none."""
        return [signal for features in self._features.feed(event) if (signal := self._signal(features)) is not None]

    def _signal(self, features: Features) -> ModelSignal | None:
        if features.time_us < self._due_us or features.time_us - features.book_time_us > self.age_us_max:
            return None
        forecast = self.model.forecast(features)
        if not abs(forecast.edge_bps) >= self.edge_bps_min:
            return None
        self._due_us = features.time_us + self.every_us
        side, confidence = (BUY, forecast.up) if forecast.edge_bps >= 0 else (SELL, forecast.down)
        edge_bps = abs(forecast.edge_bps)
        return ModelSignal(
            features.time_us, side, edge_bps, confidence, features.mid, features.spread_bps, features.volatility_bps
        )


def signals(
    model: Model, events: MarketEvents, *, every_us: int = 4_000_000, edge_bps_min: float = 0.0, after_us: int = 0
) -> Iterator[ModelSignal]:
    """All signals of a stream of snapshots and prints from `after_us` on, made as it is read.

    What comes earlier warms the features up.
    """
    stream = SignalStream(model, every_us, edge_bps_min, after_us)
    for event in events:
        yield from stream.feed(event)


def fit_events(events: MarketEvents, until_us: int, horizon_s: int = HORIZON_S, step_us: int = 1_000_000) -> Model:
    """Fit on the part of a stream before `until_us` (exclusive); reading stops there."""
    stream = FeatureStream(step_us)
    seen: list[Features] = []
    for event in events:
        if event.time_us >= until_us:
            break
        seen.extend(stream.feed(event))
    return fit(seen, horizon_s, step_us)


def fit(features: Sequence[Features], horizon_s: int = HORIZON_S, step_us: int = 1_000_000) -> Model:
    """Fit on a run of features of one stream.

    Raises ValueError with fewer than SAMPLES_MIN moments whose future is known.
    """
    sample = _sample(features, horizon_s)
    if len(sample.move) < SAMPLES_MIN:
        message = f"{len(sample.move)} samples are too few to fit on; at least {SAMPLES_MIN} are needed"
        raise ValueError(message)
    purge = -(-horizon_s * 1_000_000 // step_us)
    ridge, edge_held_out = _choose_ridge(sample, purge)
    logit_up, logit_down = _logits_held_out(sample, purge)
    slope, bias = _platt(np.concatenate([logit_up, logit_down]), np.concatenate([sample.up, sample.down]), purge)
    shrink = float(np.clip(edge_held_out @ sample.move / (edge_held_out @ edge_held_out), 0.0, 1.0))
    edge = _ridge(sample.odd, sample.move, ridge) * shrink
    bias_up, even_up, odd_up = _logistic(sample.odd, sample.even, sample.up, sample.down)
    outcome = np.concatenate([sample.up, sample.down])
    stated = _sigmoids(bias + slope * np.concatenate([logit_up, logit_down]))
    moved = sample.up + sample.down > 0
    training = Training(
        from_us=features[0].time_us,
        until_us=features[-1].time_us,
        samples=len(sample.move),
        ridge=ridge,
        held_out_r2=_round(1.0 - float(((sample.move - shrink * edge_held_out) ** 2).sum() / (sample.move**2).sum())),
        held_out_hit_rate=_round(float(np.mean((edge_held_out > 0)[moved] == (sample.move > 0)[moved]))),
        held_out_brier=_round(float(np.mean((stated - outcome) ** 2))),
        base_rate_brier=_round(float(outcome.mean() * (1 - outcome.mean()))),
    )
    return Model(
        horizon_s=horizon_s,
        step_us=step_us,
        odd_scale=_rounded(sample.odd_scale),
        even_mean=_rounded(sample.even_mean),
        even_scale=_rounded(sample.even_scale),
        edge_odd=_rounded(edge),
        up_odd=_rounded(odd_up),
        up_even=_rounded(even_up),
        up_bias=_round(bias_up),
        platt_slope=_round(slope),
        platt_bias=_round(bias),
        training=training,
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
    """The penalty with the least squared error on held-out moments, after the best slope in [0, 1].

    Also returns its held-out predictions.
    """
    best: tuple[float, float, Array] | None = None
    for penalty in RIDGES:
        held_out = np.zeros(len(sample.move))
        for test, train in _folds(len(sample.move), purge):
            held_out[test] = sample.odd[test] @ _ridge(sample.odd[train], sample.move[train], penalty)
        shrink = float(np.clip(held_out @ sample.move / max(float(held_out @ held_out), SCALE_MIN), 0.0, 1.0))
        error = float(((sample.move - shrink * held_out) ** 2).sum())
        if best is None or error < best[0]:
            best = (error, penalty, held_out)
    assert best is not None
    return best[1], best[2]


def _logits_held_out(sample: _Sample, purge: int) -> tuple[Array, Array]:
    """Logits of "up" and of "down" (the mirror's "up") for moments that the coefficients had not seen."""
    up, down = np.zeros(len(sample.move)), np.zeros(len(sample.move))
    for test, train in _folds(len(sample.move), purge):
        bias, even, odd = _logistic(sample.odd[train], sample.even[train], sample.up[train], sample.down[train])
        level, tilt = bias + sample.even[test] @ even, sample.odd[test] @ odd
        up[test], down[test] = level + tilt, level - tilt
    return up, down


def _dot(weights: Sequence[float], values: Sequence[float]) -> float:
    return math.fsum(w * v for w, v in zip(weights, values, strict=True))


def _sigmoid(x: float) -> float:
    return 1.0 / (1.0 + math.exp(-min(max(x, -500.0), 500.0)))


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
