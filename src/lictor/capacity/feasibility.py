"""Would work come too late? Predicted before it is admitted, from what is ahead of it. Pure; time is passed in.

It predicts in the scheduler's own order: work of the same and of higher classes, over the measured drain rate, plus the
time that a call takes. What would pass its deadline is shed at once, not queued to rot.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from lictor.errors import Code

from .lane import Asked, Lane

#: Seconds; the least that a shed source is asked to wait.
RETRY_AFTER_S_MIN = 0.01
RETRY_AFTER_S_FULL = 0.1


class Late(NamedTuple):
    """Why a decision would come too late, or be one too many."""

    code: Code
    seen: dict[str, object]
    retry_after_s: float


def late(asked: Asked, lanes: Sequence[Lane[Any]], now_us: int) -> Late | None:
    """Why it should be shed; None when it would be in time."""
    wait_s = max(lane.wait_s(asked) for lane in lanes)
    left_s = (asked.deadline_us - now_us) / 1e6
    needs_s = wait_s + max(lane.seconds for lane in lanes)
    if needs_s > left_s:
        seen: dict[str, object] = {"wait_s": round(wait_s, 3), "left_s": round(left_s, 3)}
        return Late(Code.INFEASIBLE, seen, max(needs_s - left_s, RETRY_AFTER_S_MIN))
    return None
