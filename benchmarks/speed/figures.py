"""From samples to `shows`: which figure answers which line of the issues, with its target.

"Half" is what the spine asks for, "goal" what the next issue asks for; both are shown, so that the way left is plain.
"""

from __future__ import annotations

from typing import NamedTuple

from benchmarks.speed.plan import BUDGETS, CONCURRENT, GATES, OFFERED, PART_LOAD
from benchmarks.speed.runner import Results
from lictor.surfaces.evidence import Evidence

BEST_PEERS = ("huey many", "dbos many", "dbos many tuned")
GOVERNED = "lictor closed 1024"


class Line(NamedTuple):
    """A figure that is a median of one run."""

    id: str
    run: str
    field: str
    unit: str
    target: float | None = None
    at_most: bool = False


LINES = [
    Line("S6 half: 1,024 concurrent single submits", GOVERNED, "per_second", "decisions/s", 15_000),
    Line("S6 half: idle p50", "lictor idle", "p50_ms", "ms", 1.0, at_most=True),
    Line("S6 half: idle p99", "lictor idle", "p99_ms", "ms", 4.0, at_most=True),
    Line("S6 half: fan-out of 10,000", "lictor fan_out", "seconds", "s", 1.0, at_most=True),
    Line("S7 goal: 1,024 concurrent single submits", GOVERNED, "per_second", "decisions/s", 30_000),
    Line("S7 goal: idle p50", "lictor idle", "p50_ms", "ms", 0.5, at_most=True),
    Line("S7 goal: idle p99", "lictor idle", "p99_ms", "ms", 2.0, at_most=True),
    Line("S7 goal: fan-out of 10,000", "lictor fan_out", "seconds", "s", 0.5, at_most=True),
    *(
        Line(f"{concurrent:,} concurrent single submits", f"lictor closed {concurrent}", "per_second", "decisions/s")
        for concurrent in CONCURRENT
    ),
    Line("submit_many", "lictor many", "per_second", "decisions/s"),
    Line("1,024 concurrent, ordered keys", "lictor closed 1024 ordered", "per_second", "decisions/s"),
    Line("1,024 concurrent, ids made by the engine", "lictor closed 1024 engine ids", "per_second", "decisions/s"),
    *(Line(f"submit_many, {n} gates", f"lictor many {n} gates", "per_second", "decisions/s") for n in GATES),
    *(Line(f"submit_many, {n} budgets", f"lictor many {n} budgets", "per_second", "decisions/s") for n in BUDGETS),
    Line(f"latency p50 at {PART_LOAD:.0%} of the closed loop", "lictor part load", "p50_ms", "ms"),
    Line(f"latency p99 at {PART_LOAD:.0%} of the closed loop", "lictor part load", "p99_ms", "ms"),
    Line("refused by a gate, durably", "lictor refusals", "per_second", "decisions/s"),
    Line("processor time a decision", GOVERNED, "cpu_us", "us"),
    Line("processor time a durable refusal", "lictor refusals", "cpu_us", "us"),
    Line("start on an empty journal", "lictor idle", "start_ms", "ms"),
    *(
        Line(f"open {rate:,}/s: admitted", f"lictor open {rate}", "admitted_per_second", "decisions/s")
        for rate in OFFERED
    ),
    *(Line(f"open {rate:,}/s: admit to disk p50", f"lictor open {rate}", "admit_p50_ms", "ms") for rate in OFFERED),
    *(Line(f"open {rate:,}/s: admit to disk p99", f"lictor open {rate}", "admit_p99_ms", "ms") for rate in OFFERED),
    Line("bare pipeline: 1,024 concurrent", "pipeline closed 1024", "per_second", "decisions/s"),
    Line("bare pipeline: idle p50", "pipeline idle", "p50_ms", "ms"),
    *(
        Line(f"bare SQLite: {batch} a commit, {keys} keys", f"sqlite {keys} {batch}", "per_second", "decisions/s")
        for keys in ("ordered", "random")
        for batch in (1, 10, 100)
    ),
    Line("Huey: submit to done", "huey many", "per_second", "decisions/s"),
    Line("DBOS: submit to done", "dbos many", "per_second", "decisions/s"),
    Line("DBOS tuned by hand: submit to done", "dbos many tuned", "per_second", "decisions/s"),
]

#: The share of its own closed loop that an engine must still admit when far more than it can do is offered.
SATURATED_SHARE = 0.5


def show(evidence: Evidence, results: Results) -> None:
    """Put every figure into the evidence; what was not measured is null."""
    for line in LINES:
        evidence.show(
            id=line.id,
            value=_rounded(results.median(line.run, line.field)),
            unit=line.unit,
            target=line.target,
            at_most=line.at_most,
        )
    peers = [name for name in BEST_PEERS if results.median(name, "per_second") is not None]
    best = max(peers, key=lambda name: results.median(name, "per_second") or 0.0, default="")
    ratio = results.ratio
    _show_ratio(evidence, f"S7 goal: to the best peer ({best or 'none ran'})", ratio("per_second", GOVERNED, best), 20)
    for name, run, target in (
        ("S7 goal: to the bare pipeline", "pipeline closed 1024", 0.4),
        ("to bare SQLite, random keys, 100 a commit", "sqlite random 100", None),
        ("to Huey", "huey many", None),
        ("to DBOS", "dbos many", None),
        ("to DBOS tuned by hand", "dbos many tuned", None),
    ):
        _show_ratio(evidence, name, ratio("per_second", GOVERNED, run), target)
    _show_saturated(evidence, results)


def _show_ratio(evidence: Evidence, name: str, value: float | None, target: float | None) -> None:
    evidence.show(id=name, value=_rounded(value), unit="ratio", target=target)


def _show_saturated(evidence: Evidence, results: Results) -> None:
    """A commit that starves beside a busy loop admits hundreds a second, however fast the closed loop was."""
    for arm in ("lictor", "pipeline"):
        admitted = results.median(f"{arm} open {OFFERED[-1]}", "admitted_per_second")
        closed = results.median(f"{arm} closed 1024", "per_second")
        share = admitted / closed if admitted is not None and closed else None
        _show_ratio(evidence, f"{arm}: admitted at {OFFERED[-1]:,}/s to its closed loop", share, SATURATED_SHARE)


def _rounded(value: float | None) -> float | None:
    return None if value is None else float(f"{value:.5g}")
