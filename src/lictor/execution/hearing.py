"""Reports that the world or a person brings unasked: taken up in the next turn, answered when that is durable.

The world may be faster than the call that asks it: a report under a name that no effector has told yet is kept while
calls are in flight, bounded, and given to the action that turns out to have that name.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import NamedTuple

from lictor.records import Report

#: Reports kept for names that nobody has told yet; the oldest are forgotten first (I17).
EARLY_MAX = 1_024


class Heard(NamedTuple):
    """One report, who brought it, and who waits to learn whether it changed something."""

    #: The world's name of the action, or the decision's id.
    where: str | int
    ordinal: int
    report: Report
    by: str
    told: asyncio.Future[bool]


class Hearing:
    """What was brought since the last turn, and what has come too early."""

    def __init__(self) -> None:
        self._heard: list[Heard] = []
        self._durable: list[tuple[asyncio.Future[bool], bool]] = []
        self._early: dict[str, list[Report]] = {}
        self._order: deque[str] = deque()

    def hear(self, where: str | int, ordinal: int, report: Report, by: str) -> asyncio.Future[bool]:
        """Bring a report; the answer is whether it changed something, once that is durable."""
        told: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._heard.append(Heard(where, ordinal, report, by, told))
        return told

    def take(self) -> list[Heard]:
        """What was brought since the last turn."""
        heard, self._heard = self._heard, []
        return heard

    def changed(self, heard: Heard, *, changed: bool) -> None:
        """It is part of this turn; who brought it is told after the commit."""
        self._durable.append((heard.told, changed))

    def committed(self) -> None:
        """The turn is durable."""
        durable, self._durable = self._durable, []
        for told, changed in durable:
            if not told.done():
                told.set_result(changed)

    def keep(self, ref: str, report: Report) -> None:
        """Keep one until its action is known by this name."""
        self._early.setdefault(ref, []).append(report)
        self._order.append(ref)
        while len(self._order) > EARLY_MAX:
            oldest = self._order.popleft()
            waiting = self._early.get(oldest)
            if waiting:
                del waiting[0]
                if not waiting:
                    del self._early[oldest]

    def early(self, ref: str) -> list[Report]:
        """Those of an action whose name has just been told, in the order of their arrival."""
        return self._early.pop(ref, [])
