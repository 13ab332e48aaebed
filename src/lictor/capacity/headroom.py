"""Capacity that is kept free: work is admitted as if a node were slower than it is. Pure; time is passed in.

A phantom queue (Alizadeh et al., HULL, NSDI 2012) holds what was admitted and drains as if only `1 - headroom` of the
slots were there. What would not get through it before its deadline is shed, also while slots are free. So admitted work
is at most that share of capacity over any stretch that is much longer than a deadline. Of what an outage leaves at most
D (1 - h) C is still wanted and drains at h C: in D (1 - h) / h. The price is the share itself: it is idle.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from lictor.errors import Code
from lictor.records import Plan

from .feasibility import RETRY_AFTER_S_MIN, Late
from .lane import Asked, Lane


class Headroom:
    """The phantom queues of a node's lanes."""

    __slots__ = ("_lanes", "_queues", "share")

    def __init__(self, headroom: float, lanes: Mapping[str, Lane[Any]]) -> None:
        self._lanes = lanes
        #: What may be used.
        self.share = 1.0 - headroom
        #: Seconds of service that wait in the phantom queue, and when that was so, by lane.
        self._queues: dict[str, tuple[float, int]] = {}

    def late(self, asked: Asked, plan: Plan, now_us: int) -> Late | None:
        """Why it should be shed to keep capacity free; None where it may be admitted, which it then counts as."""
        left_s = (asked.deadline_us - now_us) / 1e6
        actions = Counter([action.effector for action in plan.actions])
        queued = {name: self._queued(name, now_us) for name in actions}
        wait_s = max(seconds / self._per_s(self._lanes[name]) for name, seconds in queued.items())
        if wait_s > left_s:
            seen: dict[str, object] = {"headroom": round(1.0 - self.share, 3), "wait_s": round(wait_s, 3)}
            return Late(Code.INFEASIBLE, seen, max(wait_s - left_s, RETRY_AFTER_S_MIN))
        for name, seconds in queued.items():
            self._queues[name] = (seconds + actions[name] * self._lanes[name].service.mean_s, now_us)
        return None

    def _queued(self, name: str, now_us: int) -> float:
        seconds, at_us = self._queues.get(name, (0.0, now_us))
        return max(0.0, seconds - (now_us - at_us) / 1e6 * self._per_s(self._lanes[name]))

    def _per_s(self, lane: Lane[Any]) -> float:
        """Seconds of service that it may do in a second; not as measured, which what is kept free would lower."""
        return self.share * lane.slots
