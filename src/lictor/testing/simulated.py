"""What one simulated seed did: enough to add up a campaign, and to see that a replay was one."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any


@dataclass(slots=True)
class Simulated:
    """What one seed did."""

    seed: int
    digest: str
    steps: int
    time_s: float
    crashes: int
    decisions: int
    facts: int
    arrivals: int
    ends: Counter[str]
    asked: Counter[tuple[str, str]]
    struck: Counter[tuple[str, str]]
    drawn: dict[str, Any] = field(default_factory=dict)
