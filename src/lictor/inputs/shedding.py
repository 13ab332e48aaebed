"""Durable counts of what was shed: by second, source, kind and code, with one sample.

Shedding costs microseconds and no row of its own.
"""

from __future__ import annotations

from typing import Any

from lictor.journal.port import Shed
from lictor.records import ShedCount, Signal

#: Distinct counters between two writes; beyond it everything is counted under the source `*`.
COUNTERS_MAX = 1_000


class Shedding:
    """Counts since the last write."""

    def __init__(self, every_s: float) -> None:
        self._every_us = int(every_s * 1e6)
        #: Count, sample and value by second, source, kind and code.
        self._counts: dict[tuple[int, str, str, str], list[Any]] = {}
        self._written_us = 0
        self.total = 0

    def count(self, signal: Signal, code: str, at_us: int, worth: float) -> None:
        """One more, and what it was worth."""
        self.total += 1
        source = signal.source if len(self._counts) < COUNTERS_MAX else "*"
        counter = (at_us // 1_000_000, source, signal.kind, str(code))
        found = self._counts.get(counter)
        if found is None:
            self._counts[counter] = [1, signal.key or signal.position or "", worth]
        else:
            found[0] += 1
            found[2] += worth

    def verb(self, at_us: int, *, now: bool = False) -> Shed | None:
        """What to write, when it is time."""
        if not self._counts or (at_us - self._written_us < self._every_us and not now):
            return None
        counts = tuple(ShedCount(*counter, *counted) for counter, counted in self._counts.items())
        self._counts = {}
        self._written_us = at_us
        return Shed(counts, at_us)

    @property
    def due(self) -> bool:
        """Something waits to be written."""
        return bool(self._counts)
