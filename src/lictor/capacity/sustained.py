"""The capacity that a node has shown: its largest sustained confirmed throughput of the last hour. Pure.

What was confirmed is summed over `WINDOW_S`. A sum of n scatters by about sqrt(n), and the largest of many windows is
the luckiest one; so each counts as n - 2 sqrt(n), or capacity that never was would look like quality lost.
"""

from __future__ import annotations

from collections import deque
from math import sqrt

#: What "sustained" means, and how much must have been seen before there is an estimate, in seconds.
WINDOW_S = 30
WINDOW_S_MIN = 10
#: How long a throughput is remembered, in minutes.
MINUTES = 60
#: Standard deviations that a window must be above.
CAUTION = 2.0


class Sustained:
    """Told what was confirmed in each second; says the most that was sustained, in the same unit a second."""

    __slots__ = ("_began", "_best", "_by_second", "_now", "_sum")

    def __init__(self) -> None:
        self._by_second = [0.0] * WINDOW_S
        self._sum = 0.0
        self._now = self._began = -1
        #: (minute, the best window that ended in it), one for each of the last minutes.
        self._best: deque[tuple[int, float]] = deque(maxlen=MINUTES)

    def note(self, second: int, cost: float) -> None:
        """So much was confirmed in this second; seconds only grow, one that is long past counts as the last."""
        self.pass_to(second)
        self._by_second[self._now % WINDOW_S] += cost
        self._sum += cost

    def pass_to(self, second: int) -> None:
        """The seconds before this one are over."""
        if self._now < 0:
            self._now = self._began = second
        for now in range(self._now, min(second, self._now + WINDOW_S)):
            self._over(now)
            self._sum -= self._by_second[(now + 1) % WINDOW_S]
            self._by_second[(now + 1) % WINDOW_S] = 0.0
        self._now = max(self._now, second)

    def _over(self, second: int) -> None:
        seen_s = min(WINDOW_S, second - self._began + 1)
        if seen_s < WINDOW_S_MIN:
            return
        per_s = max(0.0, self._sum - CAUTION * sqrt(max(0.0, self._sum))) / seen_s
        minute = second // 60
        if not self._best or self._best[-1][0] != minute:
            self._best.append((minute, per_s))
        elif per_s > self._best[-1][1]:
            self._best[-1] = (minute, per_s)

    def per_s(self) -> float | None:
        """The capacity that was shown; None while too little was seen."""
        since = self._now // 60 - MINUTES
        found = max((per_s for minute, per_s in self._best if minute > since), default=0.0)
        return found or None
