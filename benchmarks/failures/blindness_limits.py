"""What each limiter sees of a downstream that slows, hangs or changes its size, in virtual time. Pure for a seed.

The demand is endless, so that the limit is what limits. Times are in mean service times (lognormal, variation 1); for
windows in seconds, one is 20 ms. `lictor` is `capacity/concurrency.py` itself, `gradient2` the published rules, `fixed`
a semaphore.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

from tests.capacity.downstream import Downstream

from benchmarks.failures.virtual.arms.limits import Gradient2, Windowed
from lictor.capacity.concurrency import AdaptiveSlots

SERVICE_US = 20_000
#: Calls are given up after so long: one second.
TIMEOUT = 50.0
#: How long everything has been usual before something happens; at least.
WARM_UP = 600.0


class Limiter(Protocol):
    """One arm."""

    @property
    def level(self) -> int:
        """Calls that may be in flight now."""
        ...

    @property
    def limit(self) -> float:
        """The estimate that it is of."""
        ...

    @property
    def windows(self) -> int:
        """How often it has decided on its limit."""
        ...

    def began(self, call: int, now: float) -> None: ...

    def returned(self, call: int, now: float, *, answered: bool) -> str | None:
        """A call is over; what it says of that: slow, hanging, usual."""
        ...

    def check(self, now: float) -> str | None: ...

    def every(self) -> float:
        """How long until the next check."""
        ...


class Ours:
    """The engine's own."""

    def __init__(self, low: int, high: int, start: int) -> None:
        self.slots = AdaptiveSlots(low, high, start)

    @property
    def level(self) -> int:
        return self.slots.level

    @property
    def limit(self) -> float:
        return self.slots.limit

    @property
    def windows(self) -> int:
        return self.slots.windows

    def began(self, call: int, now: float) -> None:
        self.slots.began(call, now)

    def returned(self, call: int, now: float, *, answered: bool) -> str | None:
        return self.slots.returned(call, now, answered=answered)

    def check(self, now: float) -> str | None:
        return self.slots.check(now)

    def every(self) -> float:
        return self.slots.pace.every_s()


class Published:
    """Gradient2 in windows of a second. It says nothing; what can be seen of it is that its limit falls by a tenth."""

    def __init__(self, low: int, high: int, start: int) -> None:
        self.inner = Gradient2(0)
        self.inner.limit = float(max(20, start))
        self.windowed = Windowed(self.inner)
        self.windows = 0
        self._began: dict[int, float] = {}
        self._usual = self.inner.limit
        self.said = False

    @property
    def level(self) -> int:
        return self.windowed.limit

    @property
    def limit(self) -> float:
        return self.inner.limit

    def began(self, call: int, now: float) -> None:
        self._began[call] = now

    def returned(self, call: int, now: float, *, answered: bool) -> str | None:
        inflight, before = len(self._began), self.inner.limit
        rtt = (now - self._began.pop(call)) * SERVICE_US
        self.windowed.sample(int(rtt), int(now * SERVICE_US), inflight, dropped=not answered)
        self.windows += self.inner.limit != before
        self._usual = max(self._usual, self.inner.limit)
        return "slow" if self.inner.limit <= 0.9 * self._usual else None

    def check(self, now: float) -> str | None:
        return None

    def every(self) -> float:
        return math.inf


class Fixed:
    """A semaphore."""

    windows = 0

    def __init__(self, low: int, high: int, start: int) -> None:
        self.level = start
        self.limit = float(start)

    def began(self, call: int, now: float) -> None:
        """Nothing is learned."""

    def returned(self, call: int, now: float, *, answered: bool) -> str | None:
        return None

    def check(self, now: float) -> str | None:
        return None

    def every(self) -> float:
        return math.inf


ARMS: dict[str, Callable[[int, int, int], Any]] = {"lictor": Ours, "gradient2": Published, "fixed": Fixed}


class Drive:
    """Keeps as many calls in flight as the limiter lets."""

    def __init__(self, limiter: Limiter, down: Downstream) -> None:
        self.limiter = limiter
        self.down = down
        self.answers = 0
        self.in_flight: dict[int, float] = {}
        self._order: deque[int] = deque()
        self._next = 0
        self._check_at = 0.0
        self._fill()

    def _fill(self) -> None:
        while len(self.in_flight) < self.limiter.level:
            call, now = self._next, self.down.now
            self._next += 1
            self.in_flight[call] = now
            self._order.append(call)
            self.limiter.began(call, now)
            self.down.begin(call)

    def step(self) -> str | None:
        """Until the next thing happens; what the limiter says of it."""
        down, limiter = self.down, self.limiter
        while self._order and self._order[0] not in self.in_flight:
            self._order.popleft()
        answer_at = down.next_at()
        timeout_at = self.in_flight[self._order[0]] + TIMEOUT if self._order else math.inf
        at = min(answer_at, timeout_at, self._check_at)
        event = None
        if at == answer_at:
            call = down.next()
            if self.in_flight.pop(call, None) is not None:  # else nobody waits for it any more
                self.answers += 1
                event = limiter.returned(call, down.now, answered=True)
        elif at == timeout_at:
            down.now = max(down.now, at)
            call = self._order.popleft()
            del self.in_flight[call]
            event = limiter.returned(call, down.now, answered=False)
        else:
            down.now = max(down.now, at)
            event = limiter.check(down.now)
            self._check_at = down.now + limiter.every()
        self._fill()
        return event

    def until(self, time: float, *, answers: int | None = None) -> str | None:
        """Go on until a time, a number of answers more, or until the limiter says slow or hanging."""
        most = math.inf if answers is None else self.answers + answers
        while self.down.now < time and self.answers < most:
            event = self.step()
            if event in {"slow", "hanging"}:
                return event
        return None


def warmed(arm: str, seed: int, servers: int, bounds: tuple[int, int, int]) -> Drive:
    """Everything has been usual for a while, and nothing is said of it."""
    drive = Drive(ARMS[arm](*bounds), Downstream(servers, seed=seed))
    end = WARM_UP + drive.down.random.uniform(0.0, 50.0)
    while drive.down.now < end:
        drive.step()
    return drive


def slowed(arm: str, seed: int) -> int | None:
    """(a) Answers after which a slow-down of ten times is seen; None when it is not within 1,000."""
    drive = warmed(arm, seed, 16, (1, 256, 16))
    before = drive.answers
    drive.down.change(factor=10.0)
    return drive.answers - before if drive.until(math.inf, answers=1_000) else None


def hung(arm: str, seed: int, in_flight: int) -> float | None:
    """(b) How long until a hang is seen, in 99th percentiles of the service time; None when not within 100 of them."""
    drive = warmed(arm, seed, in_flight, (in_flight, in_flight, in_flight))
    began, p99 = drive.down.now, drive.down.p99
    drive.down.change(hangs=True)
    seen = drive.until(began + 100.0 * p99)
    return (drive.down.now - began) / p99 if seen else None


def tracked(
    arm: str, seed: int, many: int, few: int, *, answers: float = 30_000.0
) -> tuple[list[int | None], list[float | None], float]:
    """The servers become few, then many again; each way for about so many answers.

    Returns:
        Windows, and mean service times, until the limit is within 10 % of the servers, for both ways; and by how much
        it is off on average once it is there.
    """
    drive = warmed(arm, seed, many, (1, 256, many))
    windows: list[int | None] = []
    times: list[float | None] = []
    off: list[float] = []
    for servers in (few, many):
        drive.down.change(servers=servers)
        first, began = drive.limiter.windows, drive.down.now
        found: int | None = None
        while drive.down.now < began + answers / servers + answers / 15.0:
            drive.step()
            error = abs(drive.limiter.limit - servers) / servers
            if found is None and error <= 0.1:
                found = drive.limiter.windows - first
                times.append(drive.down.now - began)
            elif found is not None:
                off.append(error)
        windows.append(found)
        if found is None:
            times.append(None)
    return windows, times, sum(off) / len(off) if off else 1.0


def recovered(arm: str, seed: int, hangs: float = 100.0) -> tuple[int | None, float | None]:
    """(f) A hang of so many service times is over: windows, and time, until as many may run as there are servers.

    Ten percent short of that counts; None when it takes longer than 10,000 service times.
    """
    servers = 16
    drive = warmed(arm, seed, servers, (1, 256, servers))
    drive.down.change(hangs=True)
    end = drive.down.now + hangs
    while drive.down.now < end:
        drive.step()
    drive.down.change(hangs=False)
    first, began = drive.limiter.windows, drive.down.now
    while drive.down.now < began + 10_000.0:
        if drive.limiter.limit >= 0.9 * servers:
            return drive.limiter.windows - first, drive.down.now - began
        drive.step()
    return None, None


#: Calls in flight at least, at most and to begin with: what the limiter finds out, and fewer than there are servers.
TRYING, BELOW = (1, 256, 16), (8, 8, 8)


def alarms(seed: int, answers: int, bounds: tuple[int, int, int]) -> int:
    """What is said of so many usual answers of 16 servers."""
    drive = warmed("lictor", seed, 16, bounds)
    count, end = 0, drive.answers + answers
    while drive.answers < end:
        count += drive.step() in {"slow", "hanging"}
    return count
