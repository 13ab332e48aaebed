"""Does quality fall as load rises? Raised on evidence, latched until quality is back. Pure.

It is raised where quality at the load of the moment is below `GOOD` while it was good at a lower load, by more than
chance explains, for some seconds on end; and lifted when the last minute, whatever its load, has been good for long
enough. A system that is as bad at low load as at high load has another trouble, and is not meant here.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite, sqrt
from typing import Any, NamedTuple

from .quality import GOOD, Quality

#: Quality that is back: a little above what raises the alert, so that it does not flap.
BACK = 0.98
#: The least fall that matters, and how many standard deviations of chance it must be above.
FALL_MIN = 0.01
SIGMAS = 4.0
#: Decisions that a band, and the last minute, must be known by.
COUNT_MIN = 100.0
#: Seconds on end with the fall, or without it.
RAISE_AFTER_S = 5
LIFT_AFTER_S = 30

#: A band: the top of its range of load, quality in it, decisions that it is known by.
Known = tuple[float, float, float]


class Evidence(NamedTuple):
    """What an alert rests on."""

    load: float
    eq: float
    #: The lower load at which quality was good, and how good.
    load_good: float
    eq_good: float
    cause: str

    def data(self) -> dict[str, Any]:
        """As plain data; JSON has no infinity, so the last band's load is None."""
        return self._asdict() | {"load": self.load if isfinite(self.load) else None}


class QualityAlert:
    """The latch."""

    __slots__ = ("_seconds", "raised")

    def __init__(self) -> None:
        self.raised: Evidence | None = None
        self._seconds = 0

    def step(self, curve: Sequence[Known], now: Quality, now_count: float) -> tuple[bool, Evidence] | None:
        """One second is over, its band the last of the curve; what was raised (True) or lifted (False) by it."""
        if self.raised is not None:
            return self._lifted(now, now_count)
        fall = self._fall(curve, now)
        self._seconds = self._seconds + 1 if fall is not None else 0
        if fall is None or self._seconds < RAISE_AFTER_S:
            return None
        self.raised, self._seconds = fall, 0
        return True, fall

    def _lifted(self, now: Quality, count: float) -> tuple[bool, Evidence] | None:
        good = now.eq >= BACK and count >= COUNT_MIN / 10
        self._seconds = self._seconds + 1 if good else 0
        if self._seconds < LIFT_AFTER_S or self.raised is None:
            return None
        was, self.raised, self._seconds = self.raised, None, 0
        return False, was._replace(eq=now.eq)

    @staticmethod
    def _fall(curve: Sequence[Known], now: Quality) -> Evidence | None:
        load, eq, count = curve[-1]
        if eq >= GOOD or count < COUNT_MIN or now.eq >= GOOD:
            return None
        for low, good, known in curve[:-1]:
            chance = sqrt(max(0.0, eq * (1 - eq)) / count + max(0.0, good * (1 - good)) / known) if known else 0.0
            if known >= COUNT_MIN and good >= GOOD and good - eq > FALL_MIN + SIGMAS * chance:
                cause = max(now.losses, key=lambda name: now.losses[name])
                return Evidence(load, eq, low, good, cause)
        return None
