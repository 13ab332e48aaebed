"""Independent random streams from one seed, one for each purpose: a draw for one never reshuffles another."""

from __future__ import annotations

from random import Random


class Streams:
    """All randomness of one simulated run. Purposes in use: scheduler, faults/..., workload, world."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._made: dict[str, Random] = {}

    def of(self, purpose: str) -> Random:
        """The stream of that purpose, the same object each time."""
        stream = self._made.get(purpose)
        if stream is None:
            # A string seed is hashed by SHA-512, so hash randomisation has no part in it.
            stream = self._made[purpose] = Random(f"{self.seed}/{purpose}")
        return stream
