"""How good were the model's signals, once the future is known: hit rate, Brier score, and realised edge by stated edge.

Pure functions of signals and of the path of the mid price. A signal *paid* if the mid moved its way by more than half
the spread that it saw within the horizon: the event that its confidence is a probability of. It *hit* if, among those
that moved by more than half the spread in either direction, it named the direction. Sources: Brier (1950); Murphy
(1973) for the skill against the base rate. Reads nothing, writes nothing.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from lictor.desks.trading.market import BPS, MarketEvents, Snapshot, mid
from lictor.desks.trading.model import ModelSignal


@dataclass(frozen=True, slots=True)
class Bucket:
    """Signals of like strength: what was stated on average, and what came."""

    count: int
    stated: float
    realised: float


@dataclass(frozen=True, slots=True)
class Score:
    """Figures of signals whose horizon lies inside the path; edges in bps, gross of all costs.

    `edge_error_bps` is the standard error of the realised edge, which horizons that overlap make larger than it looks.
    """

    count: int
    moved: int
    hit_rate: float
    paid_rate: float
    brier: float
    brier_base_rate: float
    edge_stated_bps: float
    edge_realised_bps: float
    edge_error_bps: float
    by_edge: tuple[Bucket, ...]
    by_confidence: tuple[Bucket, ...]

    @property
    def brier_skill(self) -> float:
        """1 - Brier / Brier of always saying the base rate; above 0 the confidences carry information."""
        return 1.0 - self.brier / self.brier_base_rate if self.brier_base_rate > 0 else 0.0


class MidPath:
    """The mid as a step function of time, from the snapshots of a stream."""

    __slots__ = ("_mids", "_times")

    def __init__(self, events: MarketEvents) -> None:
        self._times: list[int] = []
        self._mids: list[float] = []
        for event in events:
            if isinstance(event, Snapshot) and (value := mid(event.bids, event.asks)) is not None:
                self._times.append(event.time_us)
                self._mids.append(value)

    def at(self, time_us: int) -> float | None:
        """The mid in force at a time (cents), or None before the first and after the last snapshot."""
        if not self._times or not self._times[0] <= time_us <= self._times[-1]:
            return None
        return self._mids[bisect_right(self._times, time_us) - 1]


def markout_bps(signal: ModelSignal, path: MidPath, horizon_s: float) -> float | None:
    """1e4 s ln(m(t + h) / m(t)): how far the mid went the signal's way, or None if that time is not in the path."""
    later = path.at(signal.time_us + int(horizon_s * 1e6))
    return None if later is None else BPS * signal.side * math.log(later / signal.mid)


def score(signals: Sequence[ModelSignal], path: MidPath, horizon_s: float, buckets: int = 5) -> Score:
    """Score the signals whose horizon is in the path. Raises ValueError if there are none."""
    pairs = [(signal, move) for signal in signals if (move := markout_bps(signal, path, horizon_s)) is not None]
    if not pairs:
        message = "no signal has its horizon inside the path"
        raise ValueError(message)
    count = len(pairs)
    paid = [float(move > signal.spread_bps / 2) for signal, move in pairs]
    moved = [(signal, move) for signal, move in pairs if abs(move) > signal.spread_bps / 2]
    rate = _mean(paid)
    return Score(
        count=count,
        moved=len(moved),
        hit_rate=sum(move > 0 for _, move in moved) / len(moved) if moved else 0.0,
        paid_rate=rate,
        brier=math.fsum((signal.confidence - outcome) ** 2 for (signal, _), outcome in zip(pairs, paid, strict=True))
        / count,
        brier_base_rate=rate * (1 - rate),
        edge_stated_bps=_mean([signal.edge_bps for signal, _ in pairs]),
        edge_realised_bps=_mean([move for _, move in pairs]),
        edge_error_bps=_standard_error([(signal.time_us, move) for signal, move in pairs], horizon_s),
        by_edge=_buckets([(signal.edge_bps, move) for signal, move in pairs], buckets),
        by_confidence=_buckets(
            [(signal.confidence, outcome) for (signal, _), outcome in zip(pairs, paid, strict=True)], buckets
        ),
    )


def _buckets(pairs: Sequence[tuple[float, float]], buckets: int) -> tuple[Bucket, ...]:
    """Equal-count groups in order of what was stated."""
    ordered = sorted(pairs)
    bounds = [len(ordered) * i // buckets for i in range(buckets + 1)]
    groups = [ordered[first:last] for first, last in pairwise(bounds) if last > first]
    return tuple(Bucket(len(group), _mean([s for s, _ in group]), _mean([r for _, r in group])) for group in groups)


def _standard_error(timed: Sequence[tuple[int, float]], horizon_s: float) -> float:
    """Newey and West (1987): the variance of a mean of moves whose horizons overlap, by Bartlett weights."""
    centre = _mean([move for _, move in timed])
    span_us = horizon_s * 1e6
    total = 0.0
    for i, (time_us, move) in enumerate(timed):
        total += (move - centre) ** 2
        for later_us, later in timed[i + 1 :]:
            if later_us - time_us >= span_us:
                break
            total += 2.0 * (1.0 - (later_us - time_us) / span_us) * (move - centre) * (later - centre)
    return math.sqrt(max(total, 0.0)) / len(timed)


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)
