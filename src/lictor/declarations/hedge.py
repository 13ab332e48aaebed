"""Hedging: a second call of the same attempt where the first one takes longer than nearly all do."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite

from lictor.errors import DeclarationError

#: Percentiles that may be named.
PERCENTILES = {"p50": 0.5, "p75": 0.75, "p90": 0.9, "p95": 0.95, "p99": 0.99}


@dataclass(frozen=True, slots=True)
class Hedge:
    """Call a second time when no answer has come `after` so many seconds, or a percentile of this effector's calls.

    Only for idempotent effectors, under the same key, paid from the budget of extra work, and only in a slot that is
    free. The first certain answer counts.

    Raises:
        DeclarationError: `after` is neither.
    """

    after: str | float = "p95"

    def __post_init__(self) -> None:
        after = self.after
        good = after in PERCENTILES if isinstance(after, str) else isfinite(after) and after > 0
        if not good:
            raise DeclarationError(f"Hedge(after={after!r})", hint=f"seconds, or one of {', '.join(PERCENTILES)}")

    @property
    def percentile(self) -> float | None:
        """The share of calls that are not hedged; None where it is after a fixed time."""
        return PERCENTILES[self.after] if isinstance(self.after, str) else None
