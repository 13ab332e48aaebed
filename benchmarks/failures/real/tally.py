"""From what the downstream and the clients saw of one stage to its sample. Pure.

On time is what the downstream ended by the deadline, which counts from the intended arrival; a call that the arm has
cut has no end. Goodput counts what ended inside the window; the index counts what arrived inside it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from benchmarks.failures.real.arm import ENDS, EXPIRED, FAILED, OPEN, REFUSED, SUCCEEDED, Clients
from benchmarks.failures.real.calibration import Capacity
from benchmarks.failures.real.cell import Sample, Stage, Workload
from benchmarks.failures.real.downstream import Downstream
from benchmarks.failures.real.generator import Lag
from benchmarks.failures.real.schedule import VALUES, Schedule
from benchmarks.speed.run import percentile
from lictor.monitoring import quality

_NEVER_US = 1 << 62
_RESULTS = {OPEN: None, SUCCEEDED: "succeeded", REFUSED: "shed", EXPIRED: "expired"}
#: Settled: goodput over so many service times has come to this share of its later mean.
SETTLED, SETTLE_SERVICES = 0.9, 5


class Seen(NamedTuple):
    """Everything about one stage."""

    schedule: Schedule
    stage: Stage
    downstream: Downstream
    clients: Clients
    capacity: Capacity
    workload: Workload

    def on_time(self) -> Iterator[tuple[int, int]]:
        """When what was on time ended, and its place."""
        ended, deadlines = self.downstream.ended_us, self.clients.deadlines_us
        return ((ended[p], p) for p in range(len(ended)) if ended[p] <= deadlines[p])


def sample(seen: Seen, lag: Lag) -> Sample:
    """The sample, without what only the process knows of itself."""
    stage, service = seen.stage, seen.workload.service_s
    opens_us, closes_us = int(stage.before_s * 1e6), int((stage.before_s + stage.window_s) * 1e6)
    inside = [place for at_us, place in seen.on_time() if opens_us <= at_us < closes_us]
    drawn, ended, started = seen.schedule.service_s, seen.downstream.ended_us, seen.downstream.started_us
    heard, due, deadlines = seen.clients.heard_us, seen.schedule.due_us, seen.clients.deadlines_us
    places = range(len(due))
    refusals = [1e-6 * (heard[p] - due[p]) / service for p in places if seen.clients.ends[p] == REFUSED]
    took = [(ended[p] - due[p]) / 1e6 / seen.workload.deadline_s for p in inside]
    judged = index(seen, opens_us, closes_us)
    return Sample(
        load=stage.load,
        fresh=stage.fresh,
        received=seen.clients.received,
        ends={name: sum(end == number for end in seen.clients.ends) for number, name in enumerate(ENDS)},
        goodput=len(inside) / stage.window_s / seen.capacity.per_s,
        goodput_work=sum(drawn[p] for p in inside) / stage.window_s / seen.capacity.work_per_s,
        quality=judged.eq,
        value_kept=judged.kept / judged.best if judged.best else 1.0,
        losses=dict(judged.losses),
        stale_starts=sum(deadlines[p] < started[p] < _NEVER_US for p in places),
        started=sum(started[p] < _NEVER_US for p in places),
        late_ends=sum(deadlines[p] < ended[p] < _NEVER_US for p in places),
        ended=sum(ended[p] < _NEVER_US for p in places),
        attempts=sum(seen.downstream.calls) / max(1, seen.clients.asks),
        refusal_p99=percentile(refusals, 0.99) if refusals else None,
        success_p99=percentile(took, 0.99) if took else None,
        settle=settled(seen),
        lag_p99_s=lag.p99_s,
        cpu_us=0.0,
        rss_mb=0.0,
        seconds=0.0,
    )


def index(seen: Seen, opens_us: int, closes_us: int) -> quality.Quality:
    """The index over what arrived in the window, at mean cost: nobody can know how long a call will take."""
    portions = []
    for place, due_us in enumerate(seen.schedule.due_us):
        if not opens_us <= due_us < closes_us:
            continue
        began, ended = seen.downstream.started_us[place], seen.downstream.ended_us[place]
        deadline = seen.clients.deadlines_us[place]
        heard, told = seen.clients.heard_us[place], seen.clients.ends[place]
        # What the downstream did is true whether or not the client has heard of it.
        result = "succeeded" if ended < _NEVER_US else _RESULTS.get(told, "failed")
        if ended == _NEVER_US and told in {EXPIRED, FAILED}:  # cut at its deadline, or given up before
            ended, result = heard, "expired" if heard >= deadline else result
        end = quality.end_of(
            result,
            deadline=deadline,
            started=None if began == _NEVER_US else began,
            ended=None if ended == _NEVER_US else ended,
        )
        if end is None or seen.schedule.service_s[place] > seen.workload.deadline_s:
            continue  # nobody could have kept it
        value = VALUES[seen.schedule.classes[place]]
        harm = value if began < _NEVER_US and began > deadline else 0.0
        portions.append(quality.Portion(value, 1.0, end, harm=harm))
    return quality.index(portions, seen.capacity.per_s * (closes_us - opens_us) / 1e6)


def settled(seen: Seen) -> float | None:
    """Service times until goodput has come to stay where it ends up, from the start or from the end of the outage."""
    stage, service_us = seen.stage, seen.workload.service_s * 1e6
    width_us, step_us = SETTLE_SERVICES * service_us, service_us
    since_us = stage.outage_s[1] * 1e6 if stage.outage_s is not None else 0.0
    ends_us = (stage.before_s + stage.window_s) * 1e6
    steps = int((ends_us - since_us) / step_us)
    if steps <= 2 * SETTLE_SERVICES:
        return None
    counts = [0] * steps
    for at_us, _ in seen.on_time():
        if since_us <= at_us < since_us + steps * step_us:
            counts[int((at_us - since_us) / step_us)] += 1
    wanted = SETTLED * min(1.0, stage.load) * seen.capacity.per_s * width_us / 1e6
    for first in range(steps - SETTLE_SERVICES + 1):
        if sum(counts[first : first + SETTLE_SERVICES]) >= wanted:
            return float(first)
    return None
