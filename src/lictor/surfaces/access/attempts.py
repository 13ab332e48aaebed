"""How often a log-in may fail: from one address, and from all of them together. Bounded in memory.

Nobody guesses 256 bits; the limit keeps whoever tries from using the node up.
"""

from __future__ import annotations

from lictor.runtime.clock import Clock

WINDOW_S = 60.0
PER_ADDRESS_MAX = 10
ALL_MAX = 200
ADDRESSES_MAX = 1_000


class Attempts:
    """Failures of the running minute."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._began = clock.monotonic()
        self._failed: dict[str, int] = {}
        self._all = 0

    def wait_s(self, address: str) -> float | None:
        """How long this address must wait; None where it may try."""
        now = self._clock.monotonic()
        if now - self._began >= WINDOW_S:
            self._began, self._all = now, 0
            self._failed.clear()
        if self._failed.get(address, 0) < PER_ADDRESS_MAX and self._all < ALL_MAX:
            return None
        return max(1.0, WINDOW_S - (now - self._began))

    def failed(self, address: str) -> None:
        """One more failure."""
        self._all += 1
        if address in self._failed or len(self._failed) < ADDRESSES_MAX:
            self._failed[address] = self._failed.get(address, 0) + 1
