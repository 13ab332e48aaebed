"""How fast work drains, measured; what admission predicts waiting times from. Pure; time is passed in."""

from __future__ import annotations

from math import inf

#: Notes that are remembered for at least a half-life, however long they take.
NOTES_MIN = 32
#: Seconds of busy time, or a sum of notes, from which on the rate is known.
KNOWN_S = 0.25


class DrainRate:
    """Work done a second over a sliding half-life, while there was work to drain."""

    __slots__ = ("_at", "_done", "_notes", "_seconds", "half_life_s")

    def __init__(self, half_life_s: float = 2.0) -> None:
        self.half_life_s = half_life_s
        self._done = 0.0
        self._notes = 0.0
        self._seconds = 0.0
        self._at: float | None = None

    def note(self, done: float, now: float, *, busy: bool, within_s: float = inf) -> None:
        """What was done since the last call: completions, or seconds of service.

        `busy` when work was waiting, so that the rate is capacity and not demand. `within_s` is how long the work took
        that was done last: while all slots are taken no time between two ends is longer, and what is was idle.
        """
        if self._at is not None and busy:
            elapsed = min(max(0.0, now - self._at), within_s)
            keep = 0.5 ** min(elapsed / self.half_life_s, 1.0 / NOTES_MIN)
            self._done = self._done * keep + done
            self._notes = self._notes * keep + 1.0
            self._seconds = self._seconds * keep + elapsed
        self._at = now

    def per_s(self) -> float | None:
        """None until a quarter of a second of busy time, or enough of it, has been seen."""
        if self._seconds <= 0.0 or (self._seconds <= KNOWN_S and self._notes < NOTES_MIN / 2):
            return None
        return self._done / self._seconds if self._done > 0 else None
