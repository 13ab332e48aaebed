"""A histogram of seconds or sizes with fixed buckets, counted without a lock: only the event loop adds to it. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from functools import partial
from itertools import accumulate

#: Upper bounds in seconds, from half a millisecond to ten minutes.
SECONDS = (
    0.0005,
    0.001,
    0.002,
    0.004,
    0.008,
    0.016,
    0.032,
    0.064,
    0.128,
    0.256,
    0.512,
    1.0,
    2.0,
    4.0,
    8.0,
    16.0,
    32.0,
    64.0,
    120.0,
    600.0,
)
#: Upper bounds of counts.
SIZES = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1_000.0, 2_000.0, 5_000.0, 10_000.0)


class Histogram:
    """Counts by upper bound, as Prometheus wants them."""

    __slots__ = ("_place", "bounds", "counts", "sum")

    def __init__(self, bounds: tuple[float, ...] = SECONDS) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0
        self._place = partial(bisect_left, bounds)

    def add(self, value: float, count: int = 1) -> None:
        """The same value, that many times."""
        self.counts[self._place(value)] += count
        self.sum += value * count

    def extend(self, values: Sequence[float]) -> None:
        """Each of the values once."""
        for place, count in Counter(map(self._place, values)).items():
            self.counts[place] += count
        self.sum += sum(values)

    def buckets(self) -> list[tuple[str, float]]:
        """(upper bound as text, observations at most that), the last one `+Inf`."""
        names = [*(f"{bound:g}" for bound in self.bounds), "+Inf"]
        return list(zip(names, map(float, accumulate(self.counts)), strict=True))
