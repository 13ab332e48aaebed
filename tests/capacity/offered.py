"""Work that is offered to a `Lane` in virtual time: a driver as small as one can be, for tests of the policy alone."""

import random
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import count
from math import log, sqrt

from lictor.capacity.feasibility import late
from lictor.capacity.lane import Lane


@dataclass(eq=False)
class Offer:
    """One piece of work that somebody wants done."""

    tenant: str
    deadline_us: int
    seconds: float
    priority: int = 2
    depth: int = 0
    urgency: int = 0
    concluded: bool = False
    arrived: float = 0.0


@dataclass
class Load:
    """What is offered: `factor` times what `slots` can do, with calls of one second on average."""

    factor: float
    until: float = 200.0
    slots: int = 16
    deadline: float = 5.0
    variation: float = 1.0
    #: Tenant -> share of the arrivals.
    tenants: dict = field(default_factory=lambda: {"a": 1.0})
    weights: dict = field(default_factory=dict)
    classes: dict = field(default_factory=lambda: {2: 1.0})
    #: Tenant -> mean seconds of its calls.
    means: dict = field(default_factory=dict)
    cut: bool = True
    seed: int = 1
    #: Measured from here on.
    since: float = 20.0


class Result:
    """What came of it, from `since` on."""

    def __init__(self, load):
        self.load = load
        self.what = Counter()
        self.served = defaultdict(float)
        self.by_class = Counter()
        self.starts = self.inversions = self.stale = self.infeasible = 0
        #: Seconds of slots; and completions in time, each at the mean cost of its tenant's calls.
        self.busy = self.good_work = 0.0
        self.windows = defaultdict(lambda: defaultdict(float))
        self.waited = []
        self.queue_max = 0

    @property
    def capacity(self):
        return self.load.slots * (self.load.until - self.load.since)

    @property
    def goodput(self):
        """In-time completions as a share of what the slots could do at the mean cost."""
        return self.what["good"] / self.capacity

    @property
    def late(self):
        done = self.what["good"] + self.what["late"]
        return self.what["late"] / done if done else 0.0


def arrivals(load):
    """(time, offer) without end."""
    draw = random.Random(load.seed)
    spread = sqrt(log(1 + load.variation**2))
    mean = sum(share * load.means.get(t, 1.0) for t, share in load.tenants.items()) / sum(load.tenants.values())
    rate = load.factor * load.slots / mean
    tenants, shares = list(load.tenants), list(load.tenants.values())
    classes, of_class = list(load.classes), list(load.classes.values())
    now = 0.0
    while True:
        now += draw.expovariate(rate)
        tenant = draw.choices(tenants, shares)[0]
        seconds = load.means.get(tenant, 1.0) * draw.lognormvariate(-(spread**2) / 2, spread)
        priority = draw.choices(classes, of_class)[0]
        yield now, Offer(tenant, int((now + load.deadline) * 1e6), seconds, priority, urgency=priority, arrived=now)


def run(load, lane=None, window=None, judge=late):
    """Drive the lane with the load until its end."""
    lane = lane or Lane(load.slots, load.weights)
    result, events, ticket = Result(load), [], count()
    source = arrivals(load)
    upcoming = next(source)
    while True:
        if events and events[0][0] <= upcoming[0]:
            now, _, offer, began = heappop(events)
            if now > load.until:
                return result
            ended(load, lane, result, offer, began, now, window)
        else:
            now, offer = upcoming
            if now > load.until:
                return result
            upcoming = next(source)
            if judge(offer, [lane], int(now * 1e6)) is not None:
                if now >= load.since:
                    result.what["shed"] += 1
                continue
            lane.push(offer)
            result.queue_max = max(result.queue_max, lane.ready.size)
        start(load, lane, result, now, events, ticket)


def start(load, lane, result, now, events, ticket):
    while (offer := lane.pop(int(now * 1e6))) is not None:
        lane.take(offer.depth)
        left = offer.deadline_us / 1e6 - now
        if now >= load.since:
            result.starts += 1
            result.stale += left <= 0
            result.infeasible += lane.ready.size > 0 and left < lane.service.typical * lane.ready.taken
            result.waited.append(now - offer.arrived)
            result.inversions += not lane.ready.aged and lane.ready.waiting(offer.urgency - 1) > 0
        takes = min(offer.seconds, left) if load.cut else offer.seconds
        heappush(events, (now + takes, next(ticket), offer, now))
    for _ in lane.take_displaced():
        result.what["displaced"] += now >= load.since


def ended(load, lane, result, offer, began, now, window):
    over = now * 1e6 >= offer.deadline_us
    lane.note(offer, now - began, now, late=over, waited=(began - offer.arrived) / load.deadline)
    if now < load.since:
        return
    cut = load.cut and now - began < offer.seconds - 1e-9
    result.what["cut" if cut else "late" if over else "good"] += 1
    if not over:
        result.by_class[offer.priority] += 1
        result.good_work += load.means.get(offer.tenant, 1.0)
    result.busy += now - began
    result.served[offer.tenant] += now - began
    if window:
        result.windows[int(now / window)][offer.tenant] += now - began
