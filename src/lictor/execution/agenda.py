"""What is due when: deadlines of waiting work, retries, polls, deferrals, approvals' time-outs.

One heap; entries that no longer matter are skipped when they come up.
"""

from __future__ import annotations

from collections.abc import Container
from heapq import heapify, heappop, heappush
from typing import Literal

What = Literal["expire", "displaced", "cut", "retry", "ask", "undo"]


#: Entries from which on those of decisions that have ended are looked for.
_TRIM_MIN = 1_024


class Agenda:
    """Times in microseconds of the node's wall clock."""

    def __init__(self) -> None:
        self._trim_at = _TRIM_MIN
        self._heap: list[tuple[int, int, What, int, int]] = []
        self._ticket = 0

    def add(self, at_us: int, what: What, decision: int, ordinal: int = 0) -> None:
        """Come back to a decision, or one of its actions, at a time; below 0 it is a queue of the window."""
        self._ticket += 1
        heappush(self._heap, (at_us, self._ticket, what, decision, ordinal))

    def trim(self, known: Container[int]) -> None:
        """Drop what is about decisions that have ended, each time when they may be half of it (I17)."""
        if len(self._heap) >= self._trim_at:
            self._heap = [entry for entry in self._heap if entry[3] < 0 or entry[3] in known]
            heapify(self._heap)
            self._trim_at = max(_TRIM_MIN, 2 * len(self._heap))

    def __len__(self) -> int:
        return len(self._heap)

    def next_us(self) -> int | None:
        """When the next entry is due."""
        return self._heap[0][0] if self._heap else None

    def due(self, now_us: int) -> list[tuple[What, int, int]]:
        """Entries whose time has come, in order."""
        found = []
        heap = self._heap
        while heap and heap[0][0] <= now_us:
            _, _, what, decision, ordinal = heappop(heap)
            found.append((what, decision, ordinal))
        return found
