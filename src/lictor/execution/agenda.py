"""What is due when: deadlines of waiting work, retries, polls, deferrals, approvals' time-outs.

One heap; entries that no longer matter are skipped when they come up.
"""

from __future__ import annotations

from heapq import heappop, heappush
from typing import Literal

What = Literal["expire", "retry", "ask", "undo"]


class Agenda:
    """Times in microseconds of the node's wall clock."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, What, int, int]] = []
        self._ticket = 0

    def add(self, at_us: int, what: What, decision: int, ordinal: int = 0) -> None:
        """Come back to a decision, or one of its actions, at a time."""
        self._ticket += 1
        heappush(self._heap, (at_us, self._ticket, what, decision, ordinal))

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
