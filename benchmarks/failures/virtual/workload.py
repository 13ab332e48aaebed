"""What is offered: arrivals, service times, classes and tenants, the same for every arm of a seed. Pure.

Poisson arrivals, or bursts (ON at five times the mean rate, OFF at none); lognormal service of mean S and coefficient
of variation 1; classes of equal frequency and value 4:3:2:1; ten tenants (`research/overload.md` 3.0).
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from benchmarks.failures.virtual.world import Job

S_US = 20_000
SLOTS = 16
D_US = 5 * S_US
#: Capacity, decisions a second.
C_PER_S = SLOTS / (S_US / 1e6)
VALUES = (4.0, 3.0, 2.0, 1.0)
TENANTS = 10

#: Of the logarithm of service times: cv 1 is sigma^2 = ln 2, and the mean is S.
SIGMA = math.sqrt(math.log(2.0))
MU = math.log(S_US) - SIGMA * SIGMA / 2.0

#: Bursts: so much of each period is ON, at 1 / share times the mean rate.
BURST_SHARE = 0.2
BURST_PERIOD_US = 1_000_000


class Stretch(NamedTuple):
    """A time of steady offered load, in multiples of capacity."""

    load: float
    from_us: int
    until_us: int


def stretches(loads: Sequence[float], seconds: Sequence[float]) -> list[Stretch]:
    """Loads one after another, each for so many seconds."""
    found, at_us = [], 0
    for load, long_s in zip(loads, seconds, strict=True):
        until_us = at_us + round(long_s * 1e6)
        found.append(Stretch(load, at_us, until_us))
        at_us = until_us
    return found


def service_us(draw: random.Random) -> int:
    """One service time."""
    return max(1, round(math.exp(draw.normalvariate(MU, SIGMA))))


class Workload(NamedTuple):
    """Columns of everything that arrives; jobs are made afresh for each arm."""

    at_us: list[int]
    service_us: list[int]
    priority: list[int]
    tenant: list[int]
    deadline_us: int = D_US

    def jobs(self) -> Iterator[Job]:
        """All jobs in the order of their arrival."""
        names = [f"t{number}" for number in range(max(self.tenant, default=0) + 1)]
        within_us = self.deadline_us
        rows = zip(self.at_us, self.service_us, self.priority, self.tenant, strict=True)
        for number, (at_us, takes_us, priority, tenant) in enumerate(rows):
            yield Job(number, at_us, at_us + within_us, takes_us, priority, names[tenant], VALUES[priority])


def workload(seed: int, offered: Sequence[Stretch], *, bursts: bool = False, deadline_us: int = D_US) -> Workload:
    """Draw all arrivals of these stretches; stretches of the same load are offered the same, in the same order."""
    made = Workload([], [], [], [], deadline_us)
    for load, from_us, until_us in offered:
        gaps = random.Random(f"arrivals {seed} {load}").expovariate
        takes, kinds = random.Random(f"service {seed} {load}"), random.Random(f"classes {seed} {load}")
        per_us = load * C_PER_S / 1e6
        clock_us = float(from_us)
        while True:
            if bursts:
                clock_us = _on(clock_us, gaps(per_us / BURST_SHARE))
            else:
                clock_us += gaps(per_us)
            if clock_us >= until_us:
                break
            made.at_us.append(int(clock_us))
            made.service_us.append(service_us(takes))
            both = kinds.randrange(len(VALUES) * TENANTS)
            made.priority.append(both % len(VALUES))
            made.tenant.append(both // len(VALUES))
    return made


def _on(at_us: float, more_us: float) -> float:
    """The time when so much of ON time has passed."""
    on_us = BURST_SHARE * BURST_PERIOD_US
    period, within_us = divmod(at_us, BURST_PERIOD_US)
    periods, rest_us = divmod(min(within_us, on_us) + more_us, on_us)
    return (period + periods) * BURST_PERIOD_US + rest_us
