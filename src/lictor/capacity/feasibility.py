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


def late(
    asked: Asked, lanes: Sequence[Lane[Any]], now_us: int, *, tokens_s: float = 0.0, draw: float = 0.0
) -> Late | None:
    """Why it should be shed; None when it would be in time.

    `tokens_s` is how long it would wait for the tokens that it takes. `draw`, uniform in 0 to 1, spreads the return of
    those that are shed together over at least one deadline.
    """
    left_s = (asked.deadline_us - now_us) / 1e6
    longest_s = needs_s = 0.0
    for lane in lanes:
        wait_s = max(lane.wait_s(asked), tokens_s, (lane.held_until_us - now_us) / 1e6)
        needs_s = max(needs_s, wait_s + lane.takes_s(asked, wait_s, left_s))
        longest_s = max(longest_s, wait_s, lane.entitled_s(asked))
    more_s = max(needs_s, longest_s) - left_s
    for lane in lanes:
        lane.judged(asked, shed=more_s > 0)
    if more_s <= 0:
        return None
    seen: dict[str, object] = {"wait_s": round(longest_s, 3), "left_s": round(left_s, 3)}
    return Late(Code.INFEASIBLE, seen, max(more_s, RETRY_AFTER_S_MIN) + draw * max(more_s, left_s))
