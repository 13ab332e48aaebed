"""Would a decision come too late, asked before anything but its envelope is known? Pure; time is passed in.

The prediction of `feasibility.late`, for whoever asks at the door, where two things more are known: what has passed
since the lane last heard of it, and how much of each class keeps coming. Work of a higher class that comes later
starts before what waits, so a wait is stretched by the share of the rate that higher classes take (the mean wait of a
priority queue, Cobham 1954); where they take all of it, whatever is let in would be displaced. It notes only what it
sheds: what passes is asked again when its plan is known.
"""

from __future__ import annotations

from math import inf, log
from typing import Any, NamedTuple

from lictor.errors import Code

from .feasibility import RETRY_AFTER_S_MIN, Late
from .lane import Lane

_INFEASIBLE = Code.INFEASIBLE
#: Over what time the slots make so many calls, and at least so many seconds, is it remembered what came in.
HALF_LIFE_CALLS, HALF_LIFE_S_MIN = 200.0, 0.1
#: Of that time, what has to be known before much is made of it.
KNOWN_MIN = 0.1
LN2 = log(2.0)
#: Whoever has so many times as long as all that waits will take is let in without a closer look.
FAR = 8.0
#: A smaller share of the rate is none.
SHARE_MIN = 0.02


class AtDoor(NamedTuple):
    """What is known of a decision at the door."""

    priority: int
    tenant: str
    deadline_us: int
    depth: int = 0


class Foresight:
    """What is ahead of whoever comes to one lane now."""

    __slots__ = ("_at_us", "_half_life_s", "_inflow", "_known_s", "_passed", "_shares", "lane", "passed")

    def __init__(self, lane: Lane[Any], classes: int) -> None:
        self.lane = lane
        #: What has come in since the lane last heard of it, by class, and in all.
        self._passed = [0] * classes
        self.passed = 0
        #: Calls that came in, by class, and the time in which they did, older ones counting less.
        self._inflow = [0.0] * classes
        self._known_s = 0.0
        self._shares: list[float | None] = [None] * classes
        self._at_us = 0
        self._half_life_s = HALF_LIFE_S_MIN

    def begin_turn(self) -> None:
        """The lane hears of all that has come in."""
        if self.passed:
            self._passed = [0] * len(self._passed)
            self.passed = 0
        self._shares = [None] * len(self._shares)

    def let_in(self, priority: int, now_us: int) -> None:
        """It has come in while others waited."""
        self._passed[priority] += 1
        self.passed += 1
        self._fade(now_us)
        self._inflow[priority] += 1.0

    def _fade(self, now_us: int) -> None:
        elapsed_s = (now_us - self._at_us) / 1e6 if self._at_us else 0.0
        if elapsed_s > 0.0 or not self._at_us:
            self._at_us = now_us
            keep = 0.5 ** (elapsed_s / self._half_life_s)
            self._half_life_s = max(HALF_LIFE_S_MIN, HALF_LIFE_CALLS * self.lane.service.mean_s / self.lane.slots)
            self._inflow = [calls * keep for calls in self._inflow]
            self._known_s = self._known_s * keep + (1.0 - keep) * self._half_life_s / LN2

    def _left(self, priority: int, now_us: int) -> float:
        """The share of the rate that is left by classes above this one, as they keep coming; once a turn for each."""
        share = self._shares[priority]
        if share is None:
            self._fade(now_us)
            lane = self.lane
            calls_per_s = sum(self._inflow[:priority]) / max(self._known_s, KNOWN_MIN * self._half_life_s)
            share = 1.0 - calls_per_s * lane.service.mean_s / (lane.drain.per_s() or lane.slots)
            self._shares[priority] = share
        return share

    def late(self, asked: AtDoor, now_us: int) -> Late | None:
        """Why it should be shed now; None when it may come in."""
        lane, left_s, share = self.lane, (asked.deadline_us - now_us) / 1e6, 1.0
        rate = lane.drain.per_s() or lane.slots
        if FAR * (lane.ready.size + self.passed + 1) * lane.service.mean_s < left_s * rate:
            return None
        if asked.priority:
            share = self._left(asked.priority, now_us)
            if share <= SHARE_MIN and lane.free <= 0:
                return self._shed(asked, left_s, inf, inf)
        wait_s = lane.wait_s(asked)
        if self.passed:
            short = sum(self._passed[: asked.priority + 1]) - max(0, lane.free)
            if short > 0:
                wait_s += short * lane.service.mean_s / rate
        if wait_s <= 0.0:
            return None
        wait_s = wait_s / share if share > SHARE_MIN else inf
        needs_s = wait_s + lane.takes_s(asked, wait_s, left_s)
        if needs_s <= left_s:
            needs_s = lane.entitled_s(asked)
        return self._shed(asked, left_s, wait_s, needs_s) if needs_s > left_s else None

    def _shed(self, asked: AtDoor, left_s: float, wait_s: float, needs_s: float) -> Late:
        self.lane.judged(asked, shed=True)
        if needs_s == inf:
            return Late(_INFEASIBLE, {"wait_s": None, "left_s": left_s}, RETRY_AFTER_S_MIN)
        seen: dict[str, object] = {"wait_s": wait_s, "left_s": left_s}
        return Late(_INFEASIBLE, seen, max(needs_s - left_s, RETRY_AFTER_S_MIN))
