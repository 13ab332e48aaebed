"""The desk's model: from features of the book and the tape to an edge in basis points and a stated confidence.

Two linear models on the same features, which `fitting.py` fits: *edge*, the expected log return of the mid over
`horizon_s` (bps), and *up*, the probability that the mid rises by more than half the spread within it, which is what
pays for crossing once. Both are antisymmetric: exchange bids and asks, and the edge changes sign and "up" becomes
"down". So the model has no opinion on direction that the book and the tape do not give it.

A model is a frozen record of coefficients; a forecast is a few dozen multiplications in plain floats, the same bits for
the same features wherever it runs, and uses nothing but what came before. Reads and writes nothing.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from lictor.desks.trading.features import EVEN, ODD, Features, FeatureStream
from lictor.desks.trading.market import BUY, SELL, MarketEvent, MarketEvents


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


def _dot(weights: Sequence[float], values: Sequence[float]) -> float:
    return math.fsum(w * v for w, v in zip(weights, values, strict=True))


def _sigmoid(x: float) -> float:
    return 1.0 / (1.0 + math.exp(-min(max(x, -500.0), 500.0)))
