"""A quantile of what is measured, followed one sample at a time. Pure.

Stochastic approximation (Robbins and Monro 1951) on the logarithm: a sample above moves it up by `share` of a step, one
below moves it down by the rest. Only which side a sample is on counts, so that one that was cut off above the quantile
is as good as a whole one: hedging, which cuts off what is above, does not bend it.
"""

from __future__ import annotations

from math import exp, log

#: Samples before it says anything, and the step in logarithms that is left in the end.
KNOWN_MIN, STEP_MIN = 30, 0.02


class Quantile:
    """Follows the quantile `share` of positive samples."""

    __slots__ = ("_known", "_log", "share")

    def __init__(self, share: float) -> None:
        self.share = share
        self._log = 0.0
        self._known = 0

    def note(self, sample: float) -> None:
        """One more sample."""
        found = log(max(sample, 1e-9))
        self._known += 1
        if self._known == 1:
            self._log = found
            return
        step = max(STEP_MIN, 2.0 / self._known) / max(self.share, 1.0 - self.share)
        self._log += step * (self.share if found > self._log else self.share - 1.0)

    @property
    def value(self) -> float | None:
        """The quantile; None until enough is known."""
        return exp(self._log) if self._known >= KNOWN_MIN else None
