"""How well stated confidence matches what came true. Pure.

Brier score (Brier 1950): the mean of (confidence - came true)^2; 0 is perfect, 0.25 is a coin that always says 0.5.
Reliability: the same pairs in ten buckets of confidence, each with its mean confidence and the share that came
true; the expected calibration error (Naeini 2015) is the mean distance between the two, weighted by the buckets'
sizes. The `score` is one minus that error over the recent past.
"""

from __future__ import annotations

from typing import NamedTuple

from .share import CREDIT, GROWTH, WEIGHT_MAX

BUCKETS = 10


class Bucket(NamedTuple):
    """One bucket of confidence, `low` <= confidence < low + 0.1 (the last one includes 1)."""

    low: float
    size: int
    #: Means over the bucket; None while it is empty.
    confidence: float | None
    came_true: float | None


class Calibration:
    """All pairs of one source and kind, and the recent ones apart."""

    __slots__ = ("came", "count", "counts", "gaps", "squares", "stated", "total", "weight")

    def __init__(self) -> None:
        self.count = 0
        self.squares = 0.0
        self.counts = [0] * BUCKETS
        self.stated = [0.0] * BUCKETS
        self.came = [0] * BUCKETS
        #: Recent sums of (confidence - came true), their total weight, and the weight of the next pair; see `share`.
        self.gaps = [0.0] * BUCKETS
        self.total = CREDIT
        self.weight = 1.0

    def note(self, confidence: float, *, came_true: bool) -> None:
        """One more pair."""
        gap = confidence - came_true
        bucket = min(int(confidence * BUCKETS), BUCKETS - 1)
        self.count += 1
        self.squares += gap * gap
        self.counts[bucket] += 1
        self.stated[bucket] += confidence
        self.came[bucket] += came_true
        weight = self.weight
        self.gaps[bucket] += weight * gap
        self.total += weight
        self.weight = weight * GROWTH
        if weight > WEIGHT_MAX:
            self.gaps = [gap / weight for gap in self.gaps]
            self.total /= weight
            self.weight = GROWTH

    @property
    def brier(self) -> float | None:
        """The mean squared distance of all pairs; None while there are none."""
        return self.squares / self.count if self.count else None

    def reliability(self) -> list[Bucket]:
        """The ten buckets."""
        return [
            Bucket(k / BUCKETS, n, stated / n if n else None, came / n if n else None)
            for k, (n, stated, came) in enumerate(zip(self.counts, self.stated, self.came, strict=True))
        ]

    def values(self) -> dict[str, object]:
        """What `Calibration.of` takes up again, exactly."""
        return {
            "count": self.count,
            "brier": self.brier,
            "squares": self.squares,
            "counts": list(self.counts),
            "stated": list(self.stated),
            "came": list(self.came),
            "recent": [self.weight, self.total, *self.gaps],
        }

    @classmethod
    def of(cls, values: dict[str, object]) -> Calibration:
        """The calibration that gave these values."""
        made = cls()
        made.count = values["count"]  # type: ignore[assignment]
        made.squares = values["squares"]  # type: ignore[assignment]
        made.counts = list(values["counts"])  # type: ignore[call-overload]
        made.stated = list(values["stated"])  # type: ignore[call-overload]
        made.came = list(values["came"])  # type: ignore[call-overload]
        made.weight, made.total, *made.gaps = values["recent"]  # type: ignore[misc]
        return made
