"""Randomness, as a thing that is passed in: jitter, sampling and salts draw from here and nowhere else."""

from __future__ import annotations

import os
import random


class Randomness:
    """With a seed everything repeats; without one, salts come from the operating system."""

    __slots__ = ("_random", "_seeded")

    def __init__(self, seed: int | str | None = None) -> None:
        self._seeded = seed is not None
        self._random = random.Random(seed)

    def uniform(self, low: float, high: float) -> float:
        """A float between the two."""
        return self._random.uniform(low, high)

    def bytes(self, count: int) -> bytes:
        """Unguessable bytes, unless seeded."""
        return self._random.randbytes(count) if self._seeded else os.urandom(count)
