"""Median and MAD of the last values, exactly: what an outlier is judged by.

Hampel's identifier (F. R. Hampel, "The influence curve and its role in robust estimation", JASA 69, 1974, 383-393; on
a moving window: H. Liu, S. Shah, W. Jiang, "On-line outlier detection and data cleaning", Comput. Chem. Eng. 28, 2004,
1635-1647): x is an outlier where

    |x - median| > k * S,    S = 1.4826 * MAD,    MAD = median(|x_i - median|)

1.4826 = 1 / Phi^-1(3/4) makes S the standard deviation where values are normal. Both break down only when half of the
window is bad, which is why outliers may stay in it. Where more than half of the window is one value, MAD is 0; S is
then a declared share of the median instead, and never less than that.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque

#: 1 / Phi^-1(3/4).
NORMAL_CONSISTENCY = 1.482602218505602


class RobustScale:
    """The last `window` values, kept sorted: O(log window) comparisons a value, memory bounded by the window."""

    __slots__ = ("_floor", "_ring", "_sorted", "window")

    def __init__(self, window: int, floor: float = 0.0) -> None:
        self.window = window
        self._floor = floor
        self._ring: deque[float] = deque()
        self._sorted: list[float] = []

    def __len__(self) -> int:
        return len(self._ring)

    def add(self, value: float) -> None:
        """Take a finite value in, and the oldest out where the window is full."""
        if len(self._ring) == self.window:
            del self._sorted[bisect_left(self._sorted, self._ring.popleft())]
        self._ring.append(value)
        insort(self._sorted, value)

    @property
    def median(self) -> float:
        """The median; there is at least one value."""
        ordered, middle = self._sorted, len(self._sorted) // 2
        if len(ordered) % 2:
            return ordered[middle]
        return ordered[middle - 1] + (ordered[middle] - ordered[middle - 1]) / 2

    @property
    def mad(self) -> float:
        """The median of the distances from the median."""
        return self._mad(self.median)

    def _mad(self, median: float) -> float:
        count = len(self._sorted)
        upper = self._away(count // 2 + 1, median)
        return upper if count % 2 else (self._away(count // 2, median) + upper) / 2

    def _away(self, rank: int, median: float) -> float:
        """The distance from the median that is `rank`-th from below.

        Values below the middle have distances that grow leftwards, those above it rightwards: the rank is sought in
        two sorted lists, by halving how many of its smallest come from the left one.
        """
        ordered = self._sorted
        middle = len(ordered) // 2
        low, high = max(0, rank - (len(ordered) - middle)), min(rank, middle)
        while low < high:
            left = (low + high) // 2
            if median - ordered[middle - 1 - left] < ordered[middle + rank - left - 1] - median:
                low = left + 1
            else:
                high = left
        below = median - ordered[middle - low] if low else 0.0
        above = ordered[middle + rank - low - 1] - median if rank > low else 0.0
        return max(below, above)

    def distance(self, value: float) -> float:
        """How many scales S the value is away from the median; infinite where the scale is zero and it differs."""
        median = self.median
        away = abs(value - median)
        scale = max(NORMAL_CONSISTENCY * self._mad(median), self._floor * abs(median))
        return away / scale if scale > 0 else (float("inf") if away > 0 else 0.0)
