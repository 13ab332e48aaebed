"""The execution-quality index of a node as it is shown: now, and as a curve of quality against load."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import Any, NamedTuple

from .quality import GOOD, Quality
from .quality_alert import COUNT_MIN, Evidence


class Row(NamedTuple):
    """One band of the curve: quality while the load, in multiples of capacity, was in it."""

    load_from: float
    load_to: float
    #: Decisions that it is known by, of those for which there was capacity; older ones count less.
    decisions: float
    quality: Quality


@dataclass(frozen=True, slots=True)
class LiveQuality:
    """What a node says of the quality of its execution."""

    #: Offered work as a multiple of capacity, over the last seconds; None while capacity is not known.
    load: float | None
    #: Actions a second, the most that was sustained within the hour; None while too little was seen.
    capacity_per_s: float | None
    #: Over about the last minute.
    now: Quality
    curve: tuple[Row, ...]
    alert: Evidence | None

    @property
    def knee(self) -> float | None:
        """Where quality first falls below `GOOD`: the lower end of that band; None where it does not."""
        bad = (row for row in self.curve if row.quality.eq < GOOD and row.decisions >= COUNT_MIN)
        return next((row.load_from for row in bad), None)

    def data(self) -> dict[str, Any]:
        """As plain data for JSON."""
        return {
            "quality": self.now.eq,
            "load": self.load,
            "capacity_per_s": self.capacity_per_s,
            "losses": dict(self.now.losses),
            "knee": self.knee,
            "alert": None if self.alert is None else self.alert.data(),
            "curve": [
                {
                    "load_from": row.load_from,
                    "load_to": row.load_to if isfinite(row.load_to) else None,
                    "decisions": round(row.decisions, 1),
                    "quality": row.quality.eq,
                    "losses": dict(row.quality.losses),
                }
                for row in self.curve
            ],
        }
