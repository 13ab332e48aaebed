"""F3's workloads and measures: who was entitled to how much of a window, and how much they got. Pure.

Fairness is Jain's index over service received by entitlement, where a tenant is entitled to the lesser of its demand
and its max-min share, all by cost; only tenants that were offered work count (`research/overload.md` 3.3).
"""

from __future__ import annotations

import math
import random
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from heapq import merge
from itertools import pairwise
from typing import NamedTuple

from benchmarks.failures.virtual.workload import SIGMA, SLOTS
from benchmarks.failures.virtual.world import Job


class Tenant(NamedTuple):
    """One tenant's offers: decisions a second, mean service, deadline, class."""

    name: str
    per_s: float
    mean_us: float
    patience_us: int
    priority: int = 0
    value: float = 1.0
    from_us: int = 0


def offers(tenants: Sequence[Tenant], until_us: int, seed: int, sigma: float = SIGMA) -> Iterator[Job]:
    """All jobs of all tenants in the order of their arrival: Poisson arrivals, lognormal service."""
    streams = [_stream(tenant, place, until_us, seed, sigma) for place, tenant in enumerate(tenants)]
    for number, (at_us, place, takes_us) in enumerate(merge(*streams)):
        tenant = tenants[place]
        yield Job(number, at_us, at_us + tenant.patience_us, takes_us, tenant.priority, tenant.name, tenant.value)


def _stream(tenant: Tenant, place: int, until_us: int, seed: int, sigma: float) -> Iterator[tuple[int, int, int]]:
    """Arrivals and service times of one tenant."""
    draw = random.Random(f"offers {seed} {tenant.name}")
    mu = math.log(tenant.mean_us) - sigma * sigma / 2.0
    at_us = float(tenant.from_us)
    while True:
        at_us += draw.expovariate(tenant.per_s / 1e6)
        if at_us >= until_us:
            return
        yield int(at_us), place, max(1, round(math.exp(draw.normalvariate(mu, sigma))))


def entitled(demands: Mapping[str, float], capacity: float) -> dict[str, float]:
    """The max-min shares of a capacity: nobody gets more than it wants, and what is left over goes to the others."""
    shares: dict[str, float] = {}
    left, waiting = capacity, sorted(demands.items(), key=lambda item: (item[1], item[0]))
    for place, (name, demand) in enumerate(waiting):
        shares[name] = min(demand, left / (len(waiting) - place))
        left -= shares[name]
    return shares


def jain(ratios: Sequence[float]) -> float:
    """1 where all are alike, 1/n where one has everything."""
    squares = sum(x * x for x in ratios)
    return sum(ratios) ** 2 / (len(ratios) * squares) if squares else 0.0


class Window(NamedTuple):
    """One window of time: service by tenant, and how fairly it was given."""

    jain: float
    used: float
    least: float


def windows(jobs: Sequence[Job], edges_us: Sequence[int], slots: int = SLOTS) -> list[Window]:
    """Judge each window between two edges by the slot time that tenants got in it."""
    spans = list(pairwise(edges_us))
    got: list[dict[str, float]] = [{} for _ in spans]
    wanted: list[dict[str, float]] = [{} for _ in spans]
    for job in jobs:
        place = bisect_right(edges_us, job.at_us) - 1
        if 0 <= place < len(spans):
            demand = min(job.service_us, job.deadline_us - job.at_us)
            wanted[place][job.owner] = wanted[place].get(job.owner, 0.0) + demand
        for place, inside in _inside(job, edges_us):
            got[place][job.owner] = got[place].get(job.owner, 0.0) + inside
    found = []
    for (from_us, until_us), service, demand in zip(spans, got, wanted, strict=True):
        capacity = float(slots * (until_us - from_us))
        shares = entitled(demand, min(capacity, sum(service.values())))
        ratios = [service.get(name, 0.0) / share for name, share in shares.items() if share > 0]
        found.append(Window(jain(ratios), sum(service.values()) / capacity, min(ratios)))
    return found


def _inside(job: Job, edges_us: Sequence[int]) -> Iterator[tuple[int, int]]:
    """In which windows a job ran, and for how long."""
    if job.started_us is None:
        return
    until_us = job.started_us + job.used_us
    place = max(0, bisect_right(edges_us, job.started_us) - 1)
    while place + 1 < len(edges_us) and edges_us[place] < until_us:
        inside = min(until_us, edges_us[place + 1]) - max(job.started_us, edges_us[place])
        if inside > 0:
            yield place, inside
        place += 1


def lag(jobs: Sequence[Job], from_us: int, until_us: int, step_us: int, slots: int = SLOTS) -> float:
    """The most that any tenant was ever behind its equal share since `from_us`, in slot time of the dearest call.

    For tenants that always have work waiting.
    """
    names = sorted({job.owner for job in jobs})
    edges_us = range(from_us, until_us, step_us)
    got = {name: [0.0] * (len(edges_us) - 1) for name in names}
    dearest = max(job.used_us for job in jobs)
    for job in jobs:
        for place, inside in _inside(job, edges_us):
            got[job.owner][place] += inside
    worst = 0.0
    totals = dict.fromkeys(names, 0.0)
    for place in range(len(edges_us) - 1):
        share = sum(got[name][place] for name in names) / len(names)
        for name in names:
            totals[name] += share - got[name][place]
        worst = max(worst, *totals.values())
    return worst / dearest
