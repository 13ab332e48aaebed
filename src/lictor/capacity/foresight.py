"""Would a decision come too late, asked before anything but its envelope is known? Pure; time is passed in.

The same prediction as `feasibility.late`, for whoever asks at the door, where others may have passed since the lanes
last heard of them. It notes only what it sheds: what passes is asked again when its plan is known.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from lictor.errors import Code

from .feasibility import RETRY_AFTER_S_MIN, Late
from .lane import Lane

_INFEASIBLE = Code.INFEASIBLE


class AtDoor(NamedTuple):
    """What is known of a decision at the door."""

    priority: int
    tenant: str
    deadline_us: int
    depth: int = 0


def foreseen(asked: AtDoor, lanes: Sequence[Lane[Any]], passed: int, now_us: int) -> Late | None:
    """Why it should be shed now; None when it may come in.

    `passed` is how many of the same and higher classes have come in that the lanes do not know of yet.
    """
    left_s = (asked.deadline_us - now_us) / 1e6
    longest_s = needs_s = 0.0
    for lane in lanes:
        wait_s = lane.wait_s(asked)
        if passed and (short := passed - max(0, lane.free)) > 0:
            wait_s += short * lane.service.mean_s / (lane.drain.per_s() or lane.slots)
        needs_s = max(needs_s, wait_s + lane.takes_s(asked, wait_s, left_s))
        longest_s = max(longest_s, wait_s, lane.entitled_s(asked))
    more_s = max(needs_s, longest_s) - left_s
    if not longest_s or more_s <= 0:
        return None
    for lane in lanes:
        lane.judged(asked, shed=True)
    seen: dict[str, object] = {"wait_s": longest_s, "left_s": left_s}
    return Late(_INFEASIBLE, seen, max(more_s, RETRY_AFTER_S_MIN))
