"""Judges a run: goodput, quality against V*, losses by cause, and what went wrong on the way. The same for every arm.

A stretch of time is judged by what ran in it: what was kept counts by the share of its service inside, so nothing that
is kept inside needs capacity from outside, and the knapsack over the stretch's capacity is a true upper bound, edges
included.

Two bounds. `V*` packs decisions at their mean cost, which is the most that anyone can know before serving them, and
leaves out those whose service alone takes longer than their deadline, which nobody can keep. The clairvoyant packs true
service times, which no engine knows: at high load it picks short work and keeps what nobody can who has to serve work
to learn how long it takes. Both are reported; `kept <= clairvoyant` is asserted for every arm.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate

from benchmarks.failures.virtual.workload import D_US, S_US, SLOTS, Stretch
from benchmarks.failures.virtual.world import NEVER, Job
from benchmarks.speed.run import percentile
from lictor.monitoring.quality import Portion, Quality, best_value, index

#: How far the sum of the losses may be from what is lost: rounding.
_ROUNDING = 1e-6


@dataclass(slots=True)
class Level:
    """What came of one stretch of offered load. Goodput is in multiples of capacity."""

    load: float
    quality: Quality
    #: On-time completions: each counts as one mean service; and by true service time.
    goodput: float
    goodput_work: float
    #: Share of the slot time that was in use, and what of it came to nothing.
    utilisation: float
    wasted: float
    #: Value kept, of V* (above 1 where many short ones were kept) and of the clairvoyant's.
    kept_of_best: float
    kept_of_clairvoyant: float
    offered: int
    #: Decisions that started after their deadline; completions after it, as a share of all completions.
    stale_starts: int
    late: float
    #: p99 from the intended arrival to success, in deadlines; to refusal, in service times.
    success_p99: float
    reject_p99: float
    #: Admitted, and never started: a share of what was offered.
    displaced: float
    #: The longest queue, in what capacity does within a deadline.
    queue: float


@dataclass(slots=True)
class _Window:
    stretch: Stretch
    sums: dict[tuple[float, str], list[float]] = field(default_factory=dict)
    facing: list[Portion] = field(default_factory=list)
    done: float = 0.0
    done_us: float = 0.0
    busy_us: float = 0.0
    dead_us: float = 0.0
    offered: int = 0
    stale: int = 0
    completions: int = 0
    late: int = 0
    displaced: int = 0
    waits: list[float] = field(default_factory=list)
    rejects: list[float] = field(default_factory=list)
    moves: list[tuple[int, int]] = field(default_factory=list)

    def add(self, value: float, end: str, cost: float, used_us: float, harm: float = 0.0) -> None:
        """More decisions that ended so."""
        row = self.sums.setdefault((value if cost else 0.0, end), [0.0, 0.0, 0.0, 0.0])
        row[0] += value if cost else 0.0
        row[1] += cost
        row[2] += used_us
        row[3] += harm


class Judge:
    """Judges the stretches of one run; each must begin where or after the one before it ends."""

    def __init__(self, stretches: Sequence[Stretch], slots: int = SLOTS) -> None:
        self._windows = [_Window(stretch) for stretch in stretches]
        self._from = [stretch.from_us for stretch in stretches]
        self._slots = slots

    def levels(self, jobs: Iterable[Job]) -> list[Level]:
        """What came of each stretch."""
        for job in jobs:
            self._take(job)
        return [self._level(window) for window in self._windows]

    def _at(self, at_us: int) -> _Window | None:
        place = bisect_right(self._from, at_us) - 1
        if place < 0:
            return None
        window = self._windows[place]
        return window if at_us < window.stretch.until_us else None

    def _take(self, job: Job) -> None:
        end = job.end or "turned_away"
        patience_us = job.deadline_us - job.at_us
        keepable = job.service_us <= patience_us
        home = self._at(job.at_us)
        if home is not None:
            self._arrived(home, job, end, patience_us)
        if keepable:
            for window in self._alive(job.at_us, job.deadline_us):
                window.facing.append(Portion(job.value, float(job.service_us), end))
        if job.started_us is None:
            if keepable and home is not None:
                home.add(job.value, end, S_US, 0.0)
            return
        for window, share in self._overlaps(job):
            used_us = job.used_us * share
            window.busy_us += used_us
            if end == "kept":
                window.add(job.value * share, end, S_US * share, used_us)
                window.done += share
                window.done_us += job.service_us * share
                window.dead_us += used_us - job.service_us * share
            else:
                window.dead_us += used_us
                if window is not home or not keepable:
                    window.add(0.0, "late" if not keepable else end, 0.0, used_us)
                else:
                    window.add(job.value, end, S_US, used_us, job.value if end == "stale" else 0.0)
        if end != "kept" and keepable and home is not None and not self._touches(job, home):
            home.add(job.value, end, S_US, 0.0, job.value if end == "stale" else 0.0)

    def _alive(self, from_us: int, until_us: int) -> Iterator[_Window]:
        """The windows that share some time with a span."""
        place = max(0, bisect_right(self._from, from_us) - 1)
        while place < len(self._windows) and self._from[place] < until_us:
            if self._windows[place].stretch.until_us > from_us:
                yield self._windows[place]
            place += 1

    def _arrived(self, home: _Window, job: Job, end: str, patience_us: int) -> None:
        home.offered += 1
        home.stale += job.started_us is not None and job.started_us >= job.deadline_us
        if job.ended_us is not None:
            home.completions += 1
            if end == "kept":
                home.waits.append((job.ended_us - job.at_us) / patience_us)
            else:
                home.late += job.ended_us > job.deadline_us
        elif job.shed_us is not None:
            home.rejects.append((job.shed_us - job.at_us) / S_US)
        elif job.started_us is None:
            home.displaced += 1
        left_us = min(job.deadline_us, NEVER if job.shed_us is None else job.shed_us)
        left_us = left_us if job.started_us is None else job.started_us
        if left_us > job.at_us:
            home.moves += [(job.at_us, 1), (left_us, -1)]

    @staticmethod
    def _ran(job: Job) -> tuple[int, int]:
        began_us = job.started_us or 0
        ended_us = job.ended_us if job.ended_us is not None else began_us + job.used_us
        return began_us, max(began_us + 1, ended_us)

    def _touches(self, job: Job, home: _Window) -> bool:
        began_us, ended_us = self._ran(job)
        return ended_us > home.stretch.from_us and began_us < home.stretch.until_us

    def _overlaps(self, job: Job) -> Iterator[tuple[_Window, float]]:
        """The windows in which it ran, and which share of it."""
        began_us, ended_us = self._ran(job)
        for window in self._alive(began_us, ended_us):
            inside_us = min(ended_us, window.stretch.until_us) - max(began_us, window.stretch.from_us)
            yield window, inside_us / (ended_us - began_us)

    def _level(self, window: _Window) -> Level:
        stretch = window.stretch
        capacity_us = float(self._slots * (stretch.until_us - stretch.from_us))
        portions = [Portion(v, c, end, used, harm) for (_, end), (v, c, used, harm) in sorted(window.sums.items())]
        quality = index(portions, capacity_us)
        best, clairvoyant = best_value(portions, capacity_us), best_value(window.facing, capacity_us)
        assert quality.kept <= clairvoyant * (1 + 1e-9), "more was kept than a clairvoyant can"
        assert abs(sum(quality.losses.values()) - (1.0 - quality.eq)) < _ROUNDING, "losses do not add up"
        return Level(
            load=stretch.load,
            quality=quality,
            goodput=window.done * S_US / capacity_us,
            goodput_work=window.done_us / capacity_us,
            utilisation=window.busy_us / capacity_us,
            wasted=window.dead_us / window.busy_us if window.busy_us else 0.0,
            kept_of_best=quality.kept / best if best else 1.0,
            kept_of_clairvoyant=quality.kept / clairvoyant if clairvoyant else 1.0,
            offered=window.offered,
            stale_starts=window.stale,
            late=window.late / window.completions if window.completions else 0.0,
            success_p99=percentile(window.waits, 0.99) if window.waits else 0.0,
            reject_p99=percentile(window.rejects, 0.99) if window.rejects else 0.0,
            displaced=window.displaced / window.offered if window.offered else 0.0,
            queue=max(accumulate((step for _, step in sorted(window.moves)), initial=0)) / (self._slots * D_US / S_US),
        )
