"""Medians over seeds and their bootstrap intervals. Pure, and the same for the same values."""

from __future__ import annotations

import random
import statistics
from collections.abc import Sequence

Interval = tuple[float, float]

_RESAMPLES = 2_000


def median_interval(values: Sequence[float], confidence: float = 0.95) -> tuple[float, Interval]:
    """The median of at least one value, and the percentile bootstrap interval of that median."""
    draw = random.Random(len(values))
    ordered = sorted(values)
    medians = sorted(statistics.median(draw.choices(ordered, k=len(ordered))) for _ in range(_RESAMPLES))
    tail = (1.0 - confidence) / 2.0
    last = _RESAMPLES - 1
    return statistics.median(ordered), (medians[round(tail * last)], medians[round((1.0 - tail) * last)])
