"""Slots for a downstream whose capacity nobody knows: how many calls run at once is found by trying, within bounds."""

from __future__ import annotations

from dataclasses import dataclass

from lictor.errors import DeclarationError


@dataclass(frozen=True, slots=True)
class Adaptive:
    """Give it as an effector's `slots`: at least `low` calls at once, at most `high`, and `start` to begin with.

    Begin low: from there it doubles while that brings more answers, and what a call takes without a queue is known.

    Raises:
        DeclarationError: not 1 <= low <= start <= high.
    """

    low: int = 1
    high: int = 256
    start: int = 4

    def __post_init__(self) -> None:
        if not 1 <= self.low <= self.start <= self.high:
            raise DeclarationError(
                f"Adaptive(low={self.low}, high={self.high}, start={self.start})", hint="1 <= low <= start <= high"
            )
