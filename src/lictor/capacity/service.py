"""How long calls take, and which quantile of that admission reckons with: one that adapts to load. Pure.

Calls of one effector may differ by tenant a thousandfold, so what is learned here is the shape: how long a call takes
by the mean of its like. A histogram of eight buckets an octave (each 9 % wide) whose counts are halved when it holds
`KEPT` calls, so that it follows the last few hundred. `typical` is its median, `careful` its 99th percentile.

`pressure` says where admission reckons: 0 at the median, 1 at the 99th percentile, more beyond that. It moves as
adaptive conformal inference does (Gibbs and Candes 2021): up when a call ended late while others waited, down by so
little for each that was in time that it rests where `LATE_MAX` of all are late. What a late call costs is what was
turned away for it, so it counts by the share of arrivals that are: near capacity nearly none is, and admission dares
more. Late calls are seen only when they end, a deadline after they were let in; a surge shows at once in the share that
is turned away. So pressure is never less than what that share says: hardly any up to twice capacity, most at ten times.
"""

from __future__ import annotations

from bisect import bisect_left
from itertools import accumulate
from math import log2

#: Calls after which older ones count half.
KEPT = 512
#: Calls over which the mean is learned.
LEARNED_FROM = 20
#: Calls between two looks at the quantiles, once there are many.
LOOK_EVERY = 32
#: The share of late calls that pressure settles at.
LATE_MAX = 0.0005
STEP = 0.1
#: How much of a new judgement goes into the share that is turned away.
JUDGED = 0.03
PRESSURE_MAX = 2.0
#: The power of the share turned away that pressure follows in a surge.
SURGE = 4
_EASE = STEP * LATE_MAX / (1.0 - LATE_MAX)
#: The first bucket ends at a millionth of the mean, the last one begins at 65,536 times it.
_OCTAVE = 8
_ZERO = 20 * _OCTAVE
_BUCKETS = 36 * _OCTAVE
_MEDIAN, _TAIL = 0.5, 0.99


class ServiceTime:
    """The service time of one effector's calls."""

    __slots__ = ("_calls", "_counts", "_look_at", "_total", "careful", "mean_s", "pressure", "turned", "typical")

    def __init__(self) -> None:
        self._counts = [0.0] * _BUCKETS
        self._total = 0.0
        self._calls = 0
        self._look_at = 1.0
        #: Seconds, over the last few dozen calls.
        self.mean_s = 0.0
        #: Both by the mean.
        self.typical = 1.0
        self.careful = 1.0
        self.pressure = 0.0
        #: The share of what is judged that is turned away, lately.
        self.turned = 0.0

    def note(self, seconds: float, of_s: float | None) -> None:
        """A call took this long; its like takes `of_s` on average, None where that is not known."""
        calls = self._calls
        if calls < LEARNED_FROM:
            self._calls = calls = calls + 1
        self.mean_s += (seconds - self.mean_s) / calls
        if not of_s:
            return
        ratio = seconds / of_s
        place = int(log2(ratio) * _OCTAVE + _ZERO) if ratio > 1e-6 else 0  # noqa: PLR2004
        self._counts[place if place < _BUCKETS else -1] += 1.0
        self._total = total = self._total + 1.0
        if total >= self._look_at:
            self._look()

    @property
    def known(self) -> bool:
        """Enough calls have been seen for a mean."""
        return self._calls >= LEARNED_FROM

    def judged(self, *, shed: bool) -> None:
        """Work asked to be let in when it would have had to wait."""
        self.turned += (shed - self.turned) * JUDGED

    def ended(self, *, late: bool) -> None:
        """A call ended while others waited: within its deadline, or not."""
        self.pressure = (
            min(PRESSURE_MAX, self.pressure + STEP * self.turned) if late else max(0.0, self.pressure - _EASE)
        )

    def reckoned(self, longest: float) -> float:
        """How long a call is reckoned to take under the pressure of now, at most `longest`; by the mean of its like.

        From the median to the 99th percentile; under more pressure than that on to `longest`, because then it is the
        predicted wait that is in error.
        """
        typical, pressure = self.typical, max(self.pressure, PRESSURE_MAX * self.turned**SURGE)
        if not pressure or longest <= typical:
            return typical
        careful = min(self.careful, longest)
        if pressure <= 1.0:
            reckoned: float = typical * (careful / typical) ** pressure
        else:
            reckoned = careful * (longest / careful) ** (pressure - 1.0)
        return reckoned

    def _look(self) -> None:
        """Read the quantiles anew: after each of the first calls, and seldom later."""
        counts = self._counts
        if self._total >= KEPT:
            self._counts = counts = [count * 0.5 for count in counts]
            self._total = sum(counts)
        self._look_at = self._total + (LOOK_EVERY if self._total >= LOOK_EVERY else 1.0)
        seen = list(accumulate(counts))
        self.typical = _ratio(bisect_left(seen, self._total * _MEDIAN))
        self.careful = _ratio(bisect_left(seen, self._total * _TAIL))


def _ratio(place: int) -> float:
    """The middle of a bucket."""
    middle: float = 2.0 ** ((place - _ZERO + 0.5) / _OCTAVE)
    return middle
