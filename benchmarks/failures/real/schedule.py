"""What arrives when, and how long acting on it takes: drawn from a seed before the clock starts. Pure."""

from __future__ import annotations

import math
import random
from array import array

import msgspec

from benchmarks.failures.real.cell import Workload

TENANTS = 10
#: What a decision of each class is worth; classes arrive alike often.
VALUES = (4.0, 3.0, 2.0, 1.0)


class Arrival(msgspec.Struct, array_like=True, gc=False):
    """One decision on its way from the generator to an arm."""

    number: int
    #: When it was to arrive, microseconds from the start of its stage.
    due_us: int
    tenant: str
    priority: int
    key: str
    payload: bytes


class Draw(msgspec.Struct, frozen=True, kw_only=True):
    """What to draw: numbers count from `first`, so that no key of a cell comes twice."""

    seed: int
    first: int
    rate_per_s: float
    seconds: float


class Schedule:
    """Poisson arrivals of one stage: when each is due, its class, and the time that its call takes."""

    def __init__(self, draw: Draw, workload: Workload) -> None:
        source = random.Random(f"{draw.seed} {draw.first}")
        due, service, classes = array("q"), array("d"), array("b")
        gap, at_s = source.expovariate, 0.0
        while (at_s := at_s + gap(draw.rate_per_s)) < draw.seconds:
            due.append(int(at_s * 1e6))
            service.append(service_s(source, workload))
            classes.append(source.randrange(len(VALUES)))
        self.first = draw.first
        self.due_us, self.service_s, self.classes = due, service, classes

    def __len__(self) -> int:
        return len(self.due_us)

    def arrivals(self, seed: int) -> list[Arrival]:
        """What is sent: its content is checked by gates and means nothing."""
        source = random.Random(seed ^ 0x5EED ^ self.first)
        made = []
        for place, due_us in enumerate(self.due_us):
            number = self.first + place
            body = (
                b'{"account":"a-%d","amount":%d,"currency":"EUR","number":%d,"memo":"invoice %d, to be paid at once"}'
            )
            payload = body % (number % 1000, 1 + number % 250, number, number)
            key = f"{source.getrandbits(64):016x}"
            tenant = f"t-{source.randrange(TENANTS)}"
            made.append(Arrival(number, due_us, tenant, self.classes[place], key, payload))
        return made


def service_s(source: random.Random, workload: Workload) -> float:
    """How long one call takes."""
    if not workload.cv:
        return workload.service_s
    variance = math.log(1.0 + workload.cv**2)
    return source.lognormvariate(math.log(workload.service_s) - variance / 2, math.sqrt(variance))
