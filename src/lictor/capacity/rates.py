"""Token buckets. Pure: the time is passed in, in seconds of a monotonic clock."""

from __future__ import annotations

#: Tokens; less than this is a rounding error.
_ROUNDING = 1e-9


class TokenBucket:
    """Tokens that flow in at `per_s` up to `burst`.

    After a restart it starts empty, so a crash loop cannot multiply a rate.
    """

    __slots__ = ("_at", "_tokens", "burst", "per_s")

    def __init__(self, per_s: float, burst: float, now: float, *, full: bool) -> None:
        self.per_s = per_s
        self.burst = burst
        self._tokens = burst if full else 0.0
        self._at = now

    def _flow(self, now: float) -> None:
        if now > self._at:
            self._tokens = min(self.burst, self._tokens + (now - self._at) * self.per_s)
            self._at = now

    def wait_s(self, count: float, now: float) -> float:
        """How long until that many tokens are there; 0 when they are."""
        self._flow(now)
        short = count - self._tokens
        return 0.0 if short <= _ROUNDING else short / self.per_s

    def take(self, count: float, now: float) -> None:
        """Take tokens that `wait_s` found there."""
        self._flow(now)
        self._tokens -= count

    def give_back(self, count: float) -> None:
        """What was taken was not used after all."""
        self._tokens = min(self.burst, self._tokens + count)
