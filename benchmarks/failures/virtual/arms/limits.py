"""Published adaptive limits of concurrency: Netflix Gradient2 and Vegas, windowed as their library does it. Pure.

Sources: Netflix/concurrency-limits, `Gradient2Limit`, `VegasLimit`, `WindowedLimit`; constants are their defaults
(`research/overload.md` 1.1).
"""

from __future__ import annotations

import math
import random

_WINDOW_US = 1_000_000
_SAMPLES_MIN = 10
_RTT_US_MIN = 100


class Gradient2:
    """The gradient between a long and a short average of the round-trip time moves the limit."""

    def __init__(self, seed: int) -> None:
        self.limit = 20.0
        self._long_rtt = 0.0
        self._seen, self._sum = 0, 0.0

    def update(self, rtt: float, inflight: int, *, dropped: bool) -> None:
        """A window is over."""
        long_rtt = self._add(rtt)
        if long_rtt / rtt > 2.0:
            self._long_rtt *= 0.95
        if inflight < self.limit / 2:
            return
        gradient = max(0.5, min(1.0, 1.5 * long_rtt / rtt))
        self.limit = max(20.0, min(200.0, 0.8 * self.limit + 0.2 * (self.limit * gradient + 4.0)))

    def _add(self, rtt: float) -> float:
        if self._seen < 10:
            self._seen += 1
            self._sum += rtt
            self._long_rtt = self._sum / self._seen
        else:
            factor = 2.0 / (600 + 1)
            self._long_rtt = self._long_rtt * (1.0 - factor) + rtt * factor
        return self._long_rtt


class Vegas:
    """The estimated queue, from the round-trip time without load, moves the limit by logarithmic steps."""

    def __init__(self, seed: int) -> None:
        self.limit = 20.0
        self._draw = random.Random(f"vegas {seed}")
        self._rtt_noload = 0.0
        self._probes, self._jitter = 0, self._draw.uniform(0.5, 1.0)

    def update(self, rtt: float, inflight: int, *, dropped: bool) -> None:
        """A window is over."""
        self._probes += 1
        if self._jitter * 30 * self.limit <= self._probes:
            self._jitter, self._probes = self._draw.uniform(0.5, 1.0), 0
            self._rtt_noload = rtt
            return
        if self._rtt_noload == 0.0 or rtt < self._rtt_noload:
            self._rtt_noload = rtt
            return
        step = max(1, int(math.log10(self.limit)))
        queue = math.ceil(self.limit * (1.0 - self._rtt_noload / rtt))
        if dropped:
            change = -step
        elif inflight * 2 < self.limit:
            return
        elif queue <= step:
            change = 6 * step
        elif queue < 3 * step:
            change = step
        elif queue > 6 * step:
            change = -step
        else:
            return
        self.limit = max(1.0, min(1000.0, self.limit + change))


class Windowed:
    """Gathers samples and tells a limit their average once a second, when there are ten of them."""

    def __init__(self, inner: Gradient2 | Vegas) -> None:
        self.inner = inner
        self._next_us = 0
        self._count, self._sum_us, self._inflight, self._dropped = 0, 0, 0, False

    @property
    def limit(self) -> int:
        """How many may be in flight."""
        return int(self.inner.limit)

    def sample(self, rtt_us: int, now_us: int, inflight: int, *, dropped: bool = False) -> None:
        """A call has returned, or was given up."""
        if rtt_us < _RTT_US_MIN:
            return
        self._count += 1
        self._sum_us += rtt_us
        self._inflight = max(self._inflight, inflight)
        self._dropped = self._dropped or dropped
        if now_us > self._next_us and self._count >= _SAMPLES_MIN:
            self._next_us = now_us + _WINDOW_US
            self.inner.update(self._sum_us / self._count, self._inflight, dropped=self._dropped)
            self._count, self._sum_us, self._inflight, self._dropped = 0, 0, 0, False
