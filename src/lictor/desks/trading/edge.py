"""What is left of a stated edge once the market has answered: the ratio that shrinks a size, the bound that demotes.

A `LearnedEdge` is fed what each signal stated and what the mid then did (both in bps, in the signal's direction) and
forgets by a constant factor. Its ratio is a ratio of sums, so that a signal that stated almost nothing cannot blow it
up, and starts as if `prior_bps` of edge had been stated and realised in full. Source: trading research section 2 step
7, g = EWMA of realised over predicted, next size times clip(g, 0, 1). Reads nothing, writes nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from lictor.desks.trading.sizing import learned_multiplier


@dataclass(frozen=True, slots=True)
class LearnedEdge:
    """Discounted sums over the signals whose horizon has passed; frozen, so that an adjustment can record it whole."""

    decay: float = 0.99
    prior_bps: float = 15.0
    stated: float = 0.0
    realised: float = 0.0
    squares: float = 0.0
    weight: float = 0.0
    weight_squares: float = 0.0
    count: int = 0

    def update(self, stated_bps: float, realised_bps: float) -> LearnedEdge:
        """One more signal whose horizon has passed; one that is not finite, or that stated no edge, teaches nothing."""
        if not (math.isfinite(stated_bps) and math.isfinite(realised_bps) and stated_bps >= 0):
            return self
        d = self.decay
        return replace(
            self,
            stated=d * self.stated + stated_bps,
            realised=d * self.realised + realised_bps,
            squares=d * self.squares + realised_bps * realised_bps,
            weight=d * self.weight + 1.0,
            weight_squares=d * d * self.weight_squares + 1.0,
            count=self.count + 1,
        )

    @property
    def ratio(self) -> float:
        """The ratio (realised + prior) / (stated + prior): 1 at the start, below 1 where less came than was stated."""
        return (self.realised + self.prior_bps) / (self.stated + self.prior_bps)

    @property
    def multiplier(self) -> float:
        """clip(g, 0, 1): what the next size is multiplied by."""
        return learned_multiplier(self.ratio)

    def upper_bound_bps(self, z: float = 2.0) -> float:
        """Mean realised edge + z standard errors; below 0 the source loses. Infinite before the second."""
        return self._bound(z)

    def lower_bound_bps(self, z: float = 2.0) -> float:
        """Mean realised edge - z standard errors; above 0 the edge is there. -inf before the second."""
        return self._bound(-z)

    def _bound(self, z: float) -> float:
        if self.count < 2:  # noqa: PLR2004 - no variance of one
            return math.copysign(math.inf, z)
        mean = self.realised / self.weight
        variance = max(0.0, self.squares / self.weight - mean * mean)
        return mean + z * math.sqrt(variance * self.weight_squares) / self.weight
