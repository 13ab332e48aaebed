"""F2, queue explosion: offered load from half of capacity to twenty times, up and down again, and steps.

Figures are medians over seeds. Each load is offered with the same arrivals on the way up and on the way down, so that
what differs is what the arm still carries with it (hysteresis).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist, fmean, median, pstdev

from benchmarks.failures.intervals import median_interval
from benchmarks.failures.part import Curve, Findings, Point, Settings, Table, findings
from benchmarks.failures.virtual.arms import ARMS, Factory
from benchmarks.failures.virtual.judge import Judge, Level
from benchmarks.failures.virtual.play import play
from benchmarks.failures.virtual.workload import D_US, MU, S_US, SIGMA, SLOTS, Stretch, stretches, workload
from lictor.monitoring.quality import CAUSES, hysteresis, knee, overall
from lictor.surfaces.evidence import Figure

LOADS = (0.5, 0.8, 0.95, 1.0, 1.2, 1.5, 2.0, 5.0, 10.0, 20.0)
#: Seconds at each of them: less where much is offered, so that all weigh alike.
SECONDS = (30.0, 30.0, 30.0, 30.0, 25.0, 20.0, 15.0, 6.0, 5.0, 4.0)
_WARM_US = 500_000

#: The most of slot time that can go into what is kept, by true cost, for those who learn how long a call takes by
#: serving it, start it as it arrives and cut it at its deadline: E[X; X <= D] / E[min(X, D)], X lognormal of cv 1.
_Z = (math.log(D_US) - MU) / SIGMA
_KEPT_WORK = NormalDist().cdf(_Z - SIGMA)
WORK_LIMIT = _KEPT_WORK / (_KEPT_WORK + (D_US / S_US) * (1.0 - NormalDist().cdf(_Z)))
_QUICK = 0.1

STEPS = ((0.8, 10.0), (0.8, 1.4))
_STEP_BEFORE_S, _STEP_AFTER_S = 0.8, 0.5
_STEP_REPEATS = 240

BURSTS = (0.5, 0.8, 1.2, 2.0)


def windows(offered: Sequence[Stretch]) -> list[Stretch]:
    """The stretches without their first part, in which the arm still has work of the one before."""
    return [Stretch(s.load, s.from_us + min(_WARM_US, (s.until_us - s.from_us) // 3), s.until_us) for s in offered]


def sweep(
    factory: Factory, seed: int, loads: Sequence[float], seconds: Sequence[float], *, bursts: bool = False
) -> list[Level]:
    """Offer these loads one after another."""
    offered = stretches(loads, seconds)
    jobs = play(factory, workload(seed, offered, bursts=bursts).jobs(), seed)
    return Judge(windows(offered)).levels(jobs)


def run(settings: Settings) -> Findings:
    """All of F2 in virtual time."""
    found = findings("virtual_f2", "virtual", settings)
    scale = _QUICK if settings.quick else 1.0
    runs: dict[str, list[list[Level]]] = {}
    for name, factory in ARMS.items():
        runs[name] = _up_and_down(factory, settings, scale)
        settings.tell(f"  F2 {name}")
    for name, levels in runs.items():
        found.curves += [_curve(name, levels, "up"), _curve(name, levels, "down")]
    _headline(found, settings, scale)
    _quality(found, runs)
    _settling(found, settings, scale)
    found.tables += [_table(runs), _losses(runs["lictor"]), _bursts(settings, scale)]
    return found


def _up_and_down(factory: Factory, settings: Settings, scale: float) -> list[list[Level]]:
    loads, seconds = [*LOADS, *LOADS[::-1]], [max(1.0, s * scale) for s in (*SECONDS, *SECONDS[::-1])]
    return [sweep(factory, seed, loads, seconds) for seed in settings.every_seed()]


def _way(levels: list[list[Level]], direction: str) -> list[list[Level]]:
    """By load, ascending: the levels of all seeds."""
    half = len(LOADS)
    chosen = [run[:half] if direction == "up" else run[half:][::-1] for run in levels]
    return [list(column) for column in zip(*chosen, strict=True)]


def _curve(name: str, levels: list[list[Level]], direction: str) -> Curve:
    points = []
    for column in _way(levels, direction):
        goodput, goodput_interval = median_interval([level.goodput for level in column])
        quality, quality_interval = median_interval([level.quality.eq for level in column])
        points.append(
            Point(
                load=column[0].load,
                goodput=round(goodput, 5),
                goodput_work=round(median(level.goodput_work for level in column), 5),
                quality=round(quality, 5),
                goodput_interval=goodput_interval,
                quality_interval=quality_interval,
            )
        )
    return Curve(arm=name, rig="virtual", points=points, direction=direction)


def _headline(found: Findings, settings: Settings, scale: float) -> None:
    """Lictor at 10x and 20x, each for the whole thirty seconds: hundreds of thousands of decisions a seed."""
    levels = {
        load: [sweep(ARMS["lictor"], seed, [load], [max(1.0, 30 * scale)])[0] for seed in settings.every_seed()]
        for load in (10.0, 20.0)
    }
    settings.tell("  F2 headline")
    ten, twenty = levels[10.0], levels[20.0]
    _median(found, "F2 goodput 10x, in count", [x.goodput for x in ten], 0.99)
    _median(found, "F2 goodput 10x, in work at mean cost", [x.goodput for x in ten], 0.99)
    _median(found, "F2 goodput 10x, of V*", [x.kept_of_best for x in ten], 0.999)
    _median(found, "F2 goodput 20x", [x.goodput for x in twenty], 0.98)
    _median(found, "F2 goodput 10x, in work at true cost, of its limit", [x.goodput_work / WORK_LIMIT for x in ten])
    _median(found, "F2 value kept 10x, of V*", [x.kept_of_best for x in ten], 0.99)
    _median(found, "F2 value kept 10x, of a clairvoyant who knows service times", [x.kept_of_clairvoyant for x in ten])
    both = ten + twenty
    found.show("F2 stale starts at 10x and 20x", sum(x.stale_starts for x in both), "decisions", 0, at_most=True)
    found.show("F2 completes late at 10x and 20x", max(x.late for x in both), "share", 0.001, at_most=True)
    _median(found, "F2 success p99 10x", [x.success_p99 for x in ten], 1.0, "deadlines", at_most=True)
    _median(found, "F2 rejection p99 10x", [x.reject_p99 for x in ten], 0.05, "service times", at_most=True)
    _median(found, "F2 longest queue 10x, of what is done in a deadline", [x.queue for x in ten], 1.0, at_most=True)
    _median(found, "F2 admitted and displaced 10x, of what was offered", [x.displaced for x in ten], unit="share")
    found.facts["decisions_10x"] = sum(x.offered for x in ten)


def _median(
    found: Findings,
    name: str,
    values: list[float],
    target: float | None = None,
    unit: str = "ratio",
    *,
    at_most: bool = False,
) -> None:
    middle, interval = median_interval(values)
    found.show(name, round(middle, 5), unit, target, at_most=at_most, interval=interval)


def _quality(found: Findings, runs: dict[str, list[list[Level]]]) -> None:
    """EQ(1), EQ(10), knee, hysteresis and the one number, from the median curves of every arm."""
    for name, levels in runs.items():
        up, down = ([(c[0].load, median(x.quality.eq for x in c)) for c in _way(levels, w)] for w in ("up", "down"))
        lag, bend, at = hysteresis(up, down), knee(up), dict(up)
        found.facts[f"quality {name}"] = {
            "EQ(1)": at[1.0],
            "EQ(10)": at[10.0],
            "knee": bend,
            "hysteresis": lag,
            "EQI": overall(up),
        }
        if name == "lictor":
            found.show("F2 EQ(1)", round(at[1.0], 5), "ratio", interval=median_interval(_eq(levels, 1.0))[1])
            found.show("F2 EQ(10)", round(at[10.0], 5), "ratio", interval=median_interval(_eq(levels, 10.0))[1])
            held = max((load for load, _ in up if bend is None or load < bend), default=0.0)
            found.show("F2 knee: EQ stays at 0.97 or above up to", held, "x", LOADS[-1])
            found.show("F2 hysteresis", round(lag, 5), "ratio", 0.01, at_most=True)
            kept = [median(x.kept_of_best for x in column) for column in _way(levels, "up")]
            found.show("F2 value kept, of V*, least of all loads", round(min(kept), 5), "ratio", 0.99)
            starts = sum(x.stale_starts for run in levels for x in run)
            found.show("F2 stale starts, up and down", starts, "decisions", 0, at_most=True)


def _eq(levels: list[list[Level]], load: float) -> list[float]:
    return [x.quality.eq for column in _way(levels, "up") for x in column if x.load == load]


# -- steps ------------------------------------------------------------------------------------------------------------


def settle(factory: Factory, step: tuple[float, float], seed: int, repeats: int) -> float | None:
    """Service times from a step of load until goodput in work has come to where it stays, on average over repeats.

    Goodput is the share of slot time spent on what is kept, in bins of one service time. Settled is the first bin from
    which on all means are within their noise (two standard errors) of 0.99 of the last ten; None where none is.
    """
    rows = []
    for repeat in range(repeats):
        offered = stretches(step, (_STEP_BEFORE_S, _STEP_AFTER_S))
        jobs = play(factory, workload(seed * 100_003 + repeat, offered).jobs(), seed)
        at_us = offered[1].from_us
        rows.append(_kept_share(jobs, at_us, round(_STEP_AFTER_S * 1e6) // S_US))
    means = [fmean(column) for column in zip(*rows, strict=True)]
    errors = [pstdev(column) / len(rows) ** 0.5 for column in zip(*rows, strict=True)]
    steady = 0.99 * fmean(means[-10:])
    below = [place for place, mean in enumerate(means) if mean + 2 * errors[place] < steady]
    first = below[-1] + 1 if below else 0
    return float(first) if first < len(means) - 10 else None


def _kept_share(jobs: Sequence, at_us: int, bins: int) -> list[float]:
    shares = [0.0] * bins
    for job in jobs:
        if job.end != "kept" or job.ended_us <= at_us:
            continue
        for place in range(max(0, (job.started_us - at_us) // S_US), min(bins, (job.ended_us - at_us) // S_US + 1)):
            from_us = at_us + place * S_US
            inside_us = min(job.ended_us, from_us + S_US) - max(job.started_us, from_us)
            shares[place] += max(0, inside_us) / (SLOTS * S_US)
    return shares


def _settling(found: Findings, settings: Settings, scale: float) -> None:
    repeats = max(20, round(_STEP_REPEATS * scale))
    for step in STEPS:
        name = f"F2 settles after a step {step[0]:g}x to {step[1]:g}x"
        took = settle(ARMS["lictor"], step, settings.seed, repeats)
        found.show(name, took, "service times", 5.0, at_most=True)
    settings.tell("  F2 steps")


# -- tables -----------------------------------------------------------------------------------------------------------


_FIELDS = (
    "goodput",
    "goodput_work",
    "kept_of_best",
    "kept_of_clairvoyant",
    "late",
    "success_p99",
    "reject_p99",
    "wasted",
    "displaced",
    "queue",
)


def _row(name: str, column: list[Level]) -> list[Figure | str]:
    figures = [round(median(getattr(level, field) for level in column), 4) for field in _FIELDS]
    return [name, column[0].load, *figures, sum(level.stale_starts for level in column)]


def _table(runs: dict[str, list[list[Level]]]) -> Table:
    rows = []
    for name, levels in runs.items():
        rows += [_row(name, column) for column in _way(levels, "up")]
    return Table(
        heading="Virtual time, F2: every arm at every load",
        columns=["arm", "load", "goodput", "in work", "value of V*", "of clairvoyant", "late", "success p99 / deadline",
                 "refusal p99 / service", "wasted", "displaced", "stale starts"],
        rows=rows,
        text="Medians over seeds on the way up. Goodput counts each on-time completion as one mean service; in work, "
        "by its true service time. The clairvoyant knows service times beforehand, which no engine does.",
    )  # fmt: skip


def _losses(levels: list[list[Level]]) -> Table:
    rows = [
        [column[0].load, *(round(fmean(x.quality.losses[cause] for x in column), 5) for cause in CAUSES),
         round(fmean(1.0 - x.quality.eq for x in column), 5)]
        for column in _way(levels, "up")
    ]  # fmt: skip
    return Table(
        heading="Virtual time, F2: what Lictor loses, by cause",
        columns=["load", *CAUSES, "together"],
        rows=rows,
        text="Shares of V*; means over seeds, so that they add up to 1 - EQ.",
    )


def _bursts(settings: Settings, scale: float) -> Table:
    seconds = max(4.0, 20.0 * scale)
    rows = []
    for name, factory in ARMS.items():
        runs = [
            sweep(factory, seed, BURSTS, [seconds] * len(BURSTS), bursts=True)
            for seed in list(settings.every_seed())[:4]
        ]
        rows.append(
            [name, *(round(median(run[place].kept_of_best for run in runs), 4) for place in range(len(BURSTS)))]
        )
    settings.tell("  F2 bursts")
    return Table(
        heading="Virtual time, F2: bursts of five times the mean load",
        columns=["arm", *(f"{load:g}x" for load in BURSTS)],
        rows=rows,
        text=f"Value kept, of V*, when arrivals come in a fifth of each second; deadline {D_US / 1e3:g} ms. V* of a "
        "whole stretch knows no bursts, so below full load even the best keeps less than one.",
    )
