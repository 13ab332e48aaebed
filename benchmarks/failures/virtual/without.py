"""Lictor without one mechanism at a time: which of the figures fails then (line 9 of what the issue asks for).

Each mechanism is judged by the targets that hold with it; what fails without it and held with it is its worth.
"""

from __future__ import annotations

from typing import NamedTuple

from benchmarks.failures.part import Findings, Settings, Table, findings
from benchmarks.failures.virtual import f2, f3, f5
from benchmarks.failures.virtual.arms import Factory
from benchmarks.failures.virtual.arms.lictor import Lictor, Watched
from benchmarks.failures.virtual.arms.lictor_tree import LictorTree
from benchmarks.failures.virtual.arms.nested import NestedLictor
from benchmarks.failures.virtual.arms.without import NESTS, PLAIN, RANKS, STORMS
from benchmarks.failures.virtual.f5 import Make
from benchmarks.failures.virtual.storm import storm


class Number(NamedTuple):
    """One figure, and when it holds."""

    name: str
    value: float
    target: float
    at_most: bool = False

    @property
    def holds(self) -> bool:
        """Whether the target is met."""
        return self.value <= self.target if self.at_most else self.value >= self.target


def plain(factory: Factory, seed: int, *, quick: bool) -> list[Number]:
    """Queue explosion at ten times and twice capacity; contention."""
    (ten,) = f2.sweep(factory, seed, [10.0], [3.0 if quick else 20.0])
    (more,) = f2.sweep(factory, seed, [1.5], [5.0 if quick else 40.0])
    shared, _, _ = f3.fairness(factory, 10, 12.0, 10.0, seed, count=2 if quick else 6)
    many, _, _ = f3.fairness(factory, 50 if quick else 200, 1.0, 10.0, seed, count=1)
    costs, _ = f3.skew(factory, seed, 40 if quick else f3.SERVICES)
    return [
        Number("goodput 10x", ten.goodput, 0.99),
        Number("value kept 10x", ten.kept_of_best, 0.99),
        Number("work at true cost 10x, of its limit", ten.goodput_work / f2.WORK_LIMIT, 0.95),
        Number("value kept 1.5x", more.kept_of_best, 0.97),
        Number("late 10x", ten.late, 0.001, at_most=True),
        Number("longest queue 10x", ten.queue, 1.0, at_most=True),
        Number("Jain 12:1", min(w.jain for w in shared), 0.999),
        Number("Jain 200 tenants", many[0].jain, 0.999),
        Number("Jain 1:1000 costs", costs.jain, 0.999),
    ]


def ranks(factory: Factory, seed: int, *, quick: bool) -> list[Number]:
    """Four classes."""
    inversions, jobs = f3.ranks(factory, seed, 10.0)
    return [
        Number("inversions", inversions, 0, at_most=True),
        Number("low class, of its guarantee", f3.guarantee(jobs), 0.8),
    ]


def storms(make: Make, seed: int, *, quick: bool) -> list[Number]:
    """An outage, a slow server, and failures for ever, through one and three layers."""
    long_s = 3.0 if quick else 10.0
    outage = f5.came(f5.play(make, "outage", 0.8, long_s, 1, seed))
    slow = [f5.came(f5.play(make, "slow", 0.8, long_s, layers, seed)) for layers in (1, 3)]
    failing = storm(make, rho=0.7, trigger=None, layers=1, seed=seed, before_s=4 * long_s, after_s=1.0, failing=0.2)
    return [
        Number("attempts at 20 % failures", f5.attempts(failing, failing.jobs), 1.055, at_most=True),
        Number("attempts in an outage", outage.attempts_hit, 1.02, at_most=True),
        Number("attempts end to end", max(one.attempts for one in slow), 1.05, at_most=True),
        Number("recovered", float(outage.recovered and all(one.recovered for one in slow)), 1.0),
    ]


def nests(factory: Factory, seed: int, *, quick: bool) -> list[Number]:
    """Decisions that nest three deep."""
    seconds = 2.0 if quick else 10.0
    found = [f3.nested(factory, load, seed, seconds) for load in (1.2, 10.0)]
    return [Number("deadlocks", float(sum(deadlocks for deadlocks, _ in found)), 0.0, at_most=True)]


def run(settings: Settings) -> Findings:
    """The table of mechanisms and figures."""
    found = findings("virtual_without", "virtual", settings)
    rows: list[list[str]] = []
    worthless: list[str] = []
    for measure, whole, without in (
        (plain, Lictor, PLAIN),
        (storms, LictorTree, STORMS),
        (nests, NestedLictor, NESTS),
        (ranks, Watched, RANKS),
    ):
        with_it = measure(whole, settings.seed, quick=settings.quick)
        for name, arm in without.items():
            numbers = measure(arm, settings.seed, quick=settings.quick)
            rows.append(_row(name, with_it, numbers))
            if rows[-1][1] == "none":
                worthless.append(name)
            settings.tell(f"  without {name}: {rows[-1][1]}")
    found.show("Mechanisms whose loss makes a figure fail", len(rows) - len(worthless), "mechanisms", len(rows))
    found.facts["no_figure_fails_without"] = worthless
    found.tables.append(Table(
        heading="Virtual time: what fails without each mechanism",
        columns=["without", "fails: with it, without it (target)", "everything else that moved"],
        rows=rows,
        text="Each line is Lictor with one policy object replaced by one that does nothing.",
    ))  # fmt: skip
    return found


def _row(name: str, with_it: list[Number], without: list[Number]) -> list[str]:
    failed, moved = [], []
    for before, after in zip(with_it, without, strict=True):
        told = f"{before.name} {before.value:.4g}, {after.value:.4g}"
        if before.holds and not after.holds:
            failed.append(f"{told} ({'<=' if after.at_most else '>='} {after.target:g})")
        elif abs(before.value - after.value) > 0.02 * max(abs(before.value), 0.05):
            moved.append(told)
    return [name, "; ".join(failed) or "none", "; ".join(moved)]
