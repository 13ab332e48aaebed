"""A breaker that stops retries before it ever stops first tries. Pure; time is passed in.

It opens when at least `calls_min` of the last `window` results are known and more than `failures_max` of them failed,
and closes again when the share falls below half of that. While open no retry is made; first tries go on and are its
probes, so it needs no half-open state.
"""

from __future__ import annotations

from collections import deque


class Breaker:
    """The breaker of one effector."""

    __slots__ = ("_failed", "_results", "calls_min", "failures_max", "open")

    def __init__(self, window: int = 50, calls_min: int = 20, failures_max: float = 0.5) -> None:
        self._results: deque[bool] = deque(maxlen=window)
        self._failed = 0
        self.calls_min = calls_min
        self.failures_max = failures_max
        self.open = False

    def note(self, *, failed: bool) -> None:
        """One more result of a first try."""
        results = self._results
        if not failed and not self._failed:  # by far the most frequent; with no failure known it is closed
            results.append(False)
            return
        if len(results) == results.maxlen:
            self._failed -= results[0]
        results.append(failed)
        self._failed += failed
        if len(results) >= self.calls_min:
            share = self._failed / len(results)
            if share > self.failures_max:
                self.open = True
            elif share < self.failures_max / 2:
                self.open = False
