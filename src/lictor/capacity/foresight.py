"""Would a decision come too late, asked before anything but its envelope is known? Pure; time is passed in.

The same prediction as `feasibility.late`, for whoever asks at the door. It says nothing while nothing waits, and notes
only what it sheds: what passes is asked again when its plan is known.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from lictor.errors import Code

from .feasibility import RETRY_AFTER_S_MIN, Late
from .lane import Lane


class AtDoor(NamedTuple):
    """What is known of a decision at the door."""

    priority: int
    tenant: str
    deadline_us: int
    depth: int = 0


def foreseen(asked: AtDoor, lanes: Sequence[Lane[Any]], now_us: int) -> Late | None:
    """Why it should be shed now; None when it may come in."""
    left_s = (asked.deadline_us - now_us) / 1e6
    longest_s = needs_s = 0.0
    for lane in lanes:
        if not lane.ready.size:
            continue
        wait_s = lane.wait_s(asked)
        needs_s = max(needs_s, wait_s + lane.takes_s(asked, wait_s, left_s))
        longest_s = max(longest_s, wait_s, lane.entitled_s(asked))
    more_s = max(needs_s, longest_s) - left_s
    if not longest_s or more_s <= 0:
        return None
    for lane in lanes:
        lane.judged(asked, shed=True)
    seen: dict[str, object] = {"wait_s": longest_s, "left_s": left_s}
    return Late(Code.INFEASIBLE, seen, max(more_s, RETRY_AFTER_S_MIN))
