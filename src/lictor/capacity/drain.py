"""How fast work drains, measured; what admission predicts waiting times from. Pure; time is passed in."""

from __future__ import annotations


class DrainRate:
    """Completions a second over a sliding half-life, while there was work to drain."""

    __slots__ = ("_at", "_count", "_seconds", "half_life_s")

    def __init__(self, half_life_s: float = 2.0) -> None:
        self.half_life_s = half_life_s
        self._count = 0.0
        self._seconds = 0.0
        self._at: float | None = None

    def note(self, completed: int, now: float, *, busy: bool) -> None:
        """Completions since the last call.

        `busy` when work was waiting, so that the rate is capacity and not demand.
        """
        if self._at is not None and busy:
            elapsed = max(0.0, now - self._at)
            keep = 0.5 ** (elapsed / self.half_life_s)
            self._count = self._count * keep + completed
            self._seconds = self._seconds * keep + elapsed
        self._at = now

    def per_s(self) -> float | None:
        """None until a quarter of a second of busy time has been seen."""
        return self._count / self._seconds if self._seconds > 0.25 and self._count > 0 else None  # noqa: PLR2004
