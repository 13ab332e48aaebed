"""F5, retry storms and metastability: triggers of several lengths at several loads, through one, three and five layers.

A decision has thirty service times, a try of it five. A trigger takes all capacity away, leaves a fifth of it, or
triples the load. Attempts are counted where they reach the server, for each decision that reached it at all.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from statistics import fmean, median
from typing import NamedTuple

from benchmarks.failures.intervals import median_interval
from benchmarks.failures.part import Findings, Settings, Table, findings
from benchmarks.failures.virtual.arms.layered import BestKnownLayers, NaiveLayers
from benchmarks.failures.virtual.arms.lictor_tree import LictorTree
from benchmarks.failures.virtual.storm import PATIENCE_US, Played, Storm, Trigger, storm
from benchmarks.failures.virtual.workload import C_PER_S, S_US
from benchmarks.failures.virtual.world import Job
from benchmarks.speed.run import percentile

RHOS = (0.5, 0.7, 0.8, 0.9, 0.95)
KINDS = ("outage", "slow", "load")
LENGTHS_S = (1.0, 3.0, 10.0)
LAYERS = (1, 3, 5)
#: How far the share of decisions that succeed may be below what it was before, to count as recovered.
RECOVERED = 0.02
_BIN_US = 100_000
_MAP_SEEDS = 2
_BENIGN_RHO = 0.7

Make = Callable[[Storm, int, int], object]


class Came(NamedTuple):
    """What came of one storm."""

    attempts: float
    attempts_hit: float
    recovered: bool
    drain_us: int | None
    peak: float


def limit_us(rho: float) -> float:
    """The derived limit of draining: the fresh part of what came during an outage, at the capacity that is left."""
    return PATIENCE_US * rho / (1.0 - rho)


def came(played: Played) -> Came:
    """Measure one storm."""
    hit, after = played.trigger, played.after
    before = [j for j in played.jobs if 500_000 <= j.at_us < hit.from_us - PATIENCE_US]
    last = [j for j in played.jobs if after.until_us - 1_500_000 <= j.at_us < after.until_us]
    during = [j for j in played.jobs if hit.from_us <= j.at_us < hit.until_us]
    return Came(
        attempts(played, played.jobs),
        attempts(played, during),
        _kept(last) >= _kept(before) - RECOVERED,
        _drain_us(played),
        _peak(played),
    )


def attempts(played: Played, jobs: Iterable[Job]) -> float:
    """Calls to the server for each decision that reached it."""
    calls = played.storm.calls
    counts = [calls[job.number] for job in jobs if job.number in calls]
    return fmean(counts) if counts else 1.0


def _kept(jobs: Sequence[Job]) -> float:
    return sum(job.end == "kept" for job in jobs) / max(1, len(jobs))


def _drain_us(played: Played) -> int | None:
    """From the trigger's end until a tenth of a second's mean delay is what p99 of them was before; None: never."""
    hit, after = played.trigger, played.after
    starts = sorted((j.started_us, j.started_us - j.at_us) for j in played.jobs if j.started_us is not None)
    before = _bins([s for s in starts if s[0] < hit.from_us], 500_000, hit.from_us)
    usual_us = percentile([delay for delay in before if delay is not None], 0.99)
    for place, delay in enumerate(_bins(starts, hit.until_us, after.until_us)):
        if delay is not None and delay <= max(usual_us, S_US / 20):
            return place * _BIN_US
    return None


def _bins(starts: Sequence[tuple[int, int]], from_us: int, until_us: int) -> list[float | None]:
    found: list[list[int]] = [[] for _ in range((until_us - from_us) // _BIN_US)]
    for at_us, delay_us in starts:
        place = (at_us - from_us) // _BIN_US
        if 0 <= place < len(found):
            found[place].append(delay_us)
    return [fmean(delays) if delays else None for delays in found]


def _peak(played: Played) -> float:
    """Calls in the fullest tenth of a second of the two after the trigger, in multiples of what capacity does in it."""
    sent, from_us = played.storm.sent_us, played.after.from_us
    edges = [bisect_left(sent, from_us + place * _BIN_US) for place in range(21)]
    return max(b - a for a, b in pairwise(edges)) / (C_PER_S * _BIN_US / 1e6)


def play(make: Make, kind: str, rho: float, long_s: float, layers: int, seed: int) -> Played:
    """One storm, observed for longer than it may take to drain."""
    after_s = max(4.0, 1.2 * limit_us(rho) / 1e6 + 2.0)
    return storm(make, rho=rho, trigger=Trigger(kind, long_s), layers=layers, seed=seed, after_s=after_s)


def run(settings: Settings) -> Findings:
    """All of F5 in virtual time."""
    found = findings("virtual_f5", "virtual", settings)
    _outage(found, settings)
    settings.tell("  F5 outage")
    _map(found, settings)
    settings.tell("  F5 map")
    _benign(found, settings)
    settings.tell("  F5 benign")
    _others(found, settings)
    settings.tell("  F5 others")
    return found


def _outage(found: Findings, settings: Settings) -> None:
    """Lictor through ten seconds without any capacity."""
    long_s = 3.0 if settings.quick else 10.0
    hit: dict[int, list[float]] = {layers: [] for layers in LAYERS}
    ratios, peaks, rows = [], [], []
    for rho in RHOS:
        storms = [play(LictorTree, "outage", rho, long_s, 1, seed) for seed in settings.every_seed()]
        runs = [came(played) for played in storms]
        hit[1] += [one.attempts_hit for one in runs]
        drains = [one.drain_us if one.drain_us is not None else 10 * limit_us(rho) for one in runs]
        ratios += [drain / limit_us(rho) for drain in drains]
        peaks += [one.peak for one in runs]
        rows.append([f"{rho:g}", round(median(one.attempts_hit for one in runs), 4), goodput_back(storms),
                     round(median(drains) / 1e6, 2), round(limit_us(rho) / 1e6, 2)])  # fmt: skip
    for layers in LAYERS[1:]:
        for seed in settings.every_seed()[:3]:
            hit[layers].append(came(play(LictorTree, "outage", 0.8, long_s, layers, seed)).attempts_hit)
    worst = max(median(values) for values in hit.values())
    found.show("F5 attempts per decision in a total outage", round(worst, 5), "attempts", 1.02, at_most=True)
    drain, interval = median_interval(ratios)
    found.show("F5 drain, of the derived limit", round(drain, 4), "ratio", 1.1, at_most=True, interval=interval)
    slowest = max((row[2] for row in rows if row[2] is not None), default=None)
    slowest = None if any(row[2] is None for row in rows) else slowest
    found.show("F5 goodput is back after an outage", slowest, "service times", 10.0, at_most=True)
    found.show("F5 peak of calls after an outage, of capacity", round(median(peaks), 3), "ratio", 1.5, at_most=True)
    found.tables.append(Table(
        heading=f"Virtual time, F5: Lictor after {long_s:g} s without capacity",
        columns=["load", "attempts a decision", "goodput back (service times)", "drained (s)", "derived limit (s)"],
        rows=rows,
    ))  # fmt: skip


def goodput_back(storms: Sequence[Played]) -> float | None:
    """Service times after the trigger until a second's on-time completions are 0.99 of its arrivals, over all runs."""
    for place in range(60):
        done = came_in = 0
        for played in storms:
            from_us = played.after.from_us + place * S_US
            done += sum(j.end == "kept" and from_us <= j.ended_us < from_us + 1_000_000 for j in played.jobs)
            came_in += sum(from_us <= j.at_us < from_us + 1_000_000 for j in played.jobs)
        if done >= 0.99 * came_in:
            return float(place)
    return None


def _map(found: Findings, settings: Settings) -> None:
    """Lictor over load, trigger, its length, and layers."""
    lengths = LENGTHS_S[:1] if settings.quick else LENGTHS_S
    seeds = settings.every_seed()[: 1 if settings.quick else _MAP_SEEDS]
    cells, recovered, worst = 0, 0, dict.fromkeys(LAYERS, 0.0)
    rows = []
    for kind in KINDS:
        for long_s in lengths:
            row: list[str | float] = [kind, long_s]
            for rho in RHOS:
                ends = []
                for layers in LAYERS:
                    for seed in seeds:
                        one = came(play(LictorTree, kind, rho, long_s, layers, seed))
                        worst[layers] = max(worst[layers], one.attempts)
                        ends.append(one.recovered)
                cells, recovered = cells + len(ends), recovered + sum(ends)
                row.append("all" if all(ends) else f"{sum(ends)} of {len(ends)}")
            rows.append(row)
    found.show("F5 recovered, share of the map", round(recovered / cells, 5), "share", 1.0)
    for layers, value in worst.items():
        name = f"F5 attempts per decision end to end, {layers} layer{'s' if layers > 1 else ''}, worst of the map"
        found.show(name, round(value, 5), "attempts", 1.05, at_most=True)
    found.facts["map_cells"] = cells
    found.tables.append(Table(
        heading="Virtual time, F5: where Lictor recovers",
        columns=["trigger", "seconds", *(f"load {rho:g}" for rho in RHOS)],
        rows=rows,
        text="Through one, three and five layers. Recovered: in the end as many decisions succeed as before.",
    ))  # fmt: skip


def _benign(found: Findings, settings: Settings) -> None:
    """Failures at random, for ever; no time-out but the deadline."""
    seconds = 10.0 if settings.quick else 40.0
    for share in (0.01, 0.05):
        runs = [
            storm(LictorTree, rho=_BENIGN_RHO, trigger=None, layers=1, seed=seed, before_s=seconds, after_s=1.0,
                  failing=share, timeout_us=PATIENCE_US)
            for seed in settings.every_seed()
        ]  # fmt: skip
        jobs = [job for played in runs for job in played.jobs if job.at_us >= 1_000_000]
        name = f"F5 at {share:.0%} random failures"
        target = 0.9999 if share == 0.01 else None
        found.show(f"{name}: eventual success", round(_kept(jobs), 6), "share", target)
        made = fmean(attempts(played, played.jobs) for played in runs)
        found.show(f"{name}: attempts per decision", round(made, 5), "attempts", 1 + 1.1 * share, at_most=True)
        found.facts[f"decisions at {share:.0%}"] = len(jobs)


def _others(found: Findings, settings: Settings) -> None:
    """What people do today, beside: an outage of one second, layers as far as they can be counted."""
    rows = []
    for name, make, layered in (
        ("naive", NaiveLayers, (1, 3, 5)),
        ("best-known (Gradient2)", BestKnownLayers, LAYERS),
        ("lictor", LictorTree, LAYERS),
    ):
        for layers in layered:
            long_s = 0.2 if name == "naive" and layers > 1 else 1.0
            rhos = (0.5,) if long_s < 1.0 else RHOS
            runs = [came(play(make, "outage", rho, long_s, layers, settings.seed)) for rho in rhos]
            rows.append([name, layers, round(max(one.attempts_hit for one in runs), 3),
                         f"{sum(one.recovered for one in runs)} of {len(runs)}",
                         round(max(one.peak for one in runs), 2)])  # fmt: skip
    found.tables.append(Table(
        heading="Virtual time, F5: every arm after an outage of a second",
        columns=["arm", "layers", "attempts a decision meanwhile, worst", "recovered at loads", "peak after it"],
        rows=rows,
        text="Naive layers multiply: with three tries each they are counted at load 0.5 after 0.2 s only.",
    ))  # fmt: skip
