"""From samples to `shows`: issue 3, section 4 and line 7. "Cost must not grow with any of them"."""

from __future__ import annotations

import statistics
from typing import NamedTuple

from benchmarks.scale.plan import FEW, Size
from lictor.surfaces.evidence import Evidence

Samples = dict[str, list[dict[str, float]]]

#: By how much a cost may be above what it is compared with, to count as not having grown.
GROWTH_MAX = 1.1
#: Memory that each decision of a long run may leave behind: its key is looked up for days.
LEFT_BYTES_MAX = 64.0


class Line(NamedTuple):
    """One figure: of a run, to the same of another run, or (`late`) to the same earlier in the run."""

    id: str
    run: str
    field: str
    unit: str
    target: float | None = None
    at_most: bool = True
    to: str = ""
    late: bool = False


def lines(size: Size) -> list[Line]:
    """Every figure that is asked for."""
    one = f"one decision to {size.actions:,} concurrent actions"
    many = f"{size.at_once} decisions of {size.actions:,} actions at once"
    tenants = f"{size.many:,} tenants"
    long = f"{size.history:,} decisions in the journal"
    lasts = f"{size.rate:,.0f}/s for {size.lasts_s:,.0f} s"
    to_few, to_none, later = f"to that of {FEW}", "to an empty one", "last quarter to second"
    grows, keeps = GROWTH_MAX, 1.0 / GROWTH_MAX
    return [
        Line(f"{one}: in flight at once", "fan one", "in_flight_most", "actions", size.actions, at_most=False),
        Line(f"{one}: submit to outcome, of which 0.5 s are the actions'", "fan one", "seconds", "s"),
        Line(f"{many}: submit to the last outcome", "fan many", "seconds", "s"),
        Line(f"{many}: processor time an action", "fan many", "cpu_us_per_action", "us"),
        Line(f"{many}: processor time an action, to that of one", "fan many", "cpu_us_per_action", "ratio", grows,
             to="fan one"),
        Line(f"{many}: memory an action", "fan many", "memory_bytes_per_action", "bytes"),
        Line(f"{tenants}: processor time a decision, {to_few}", "tenants many", "cpu_us", "ratio", grows,
             to="tenants few"),
        Line(f"{tenants}: latency p50, {to_few}", "tenants many", "p50_ms", "ratio", grows, to="tenants few"),
        Line(f"{tenants}: throughput, {to_few}", "tenants many", "per_second", "ratio", keeps, at_most=False,
             to="tenants few"),
        Line(f"S7 throughput with {long}, {to_none}", "history long", "per_second", "ratio", 0.95, at_most=False,
             to="history none"),
        Line(f"{long}: processor time a decision, {to_none}", "history long", "cpu_us", "ratio", 1 / 0.95,
             to="history none"),
        Line(f"{long}: opening it", "history long", "open_s", "s", 2.0),
        Line(f"{long}: memory", "history long", "rss_mb", "MB"),
        Line(f"{lasts}: done a second", "sustained", "per_second", "decisions/s", 0.99 * size.rate, at_most=False),
        Line(f"{lasts}: latency p99", "sustained", "p99_ms", "ms"),
        Line(f"{lasts}: latency p50, {later}", "sustained", "p50_ms", "ratio", grows, late=True),
        Line(f"{lasts}: latency p99, {later}", "sustained", "p99_ms", "ratio", grows, late=True),
        Line(f"{lasts}: processor time a decision, {later}", "sustained", "cpu_us", "ratio", grows, late=True),
        Line(f"{lasts}: memory that each decision leaves", "sustained", "growth_bytes_per_decision", "bytes",
             LEFT_BYTES_MAX),
    ]  # fmt: skip


def median(samples: Samples, name: str, field: str) -> float | None:
    """The median of one figure of one run; None when it was not measured."""
    values = [sample[field] for sample in samples.get(name, []) if field in sample]
    return statistics.median(values) if values else None


def value_of(line: Line, samples: Samples) -> float | None:
    """The figure; a ratio is the median over the repeats of the ratio in each."""
    if line.late:
        early, late = (median(samples, line.run, f"{when}_{line.field}") for when in ("early", "late"))
        return late / early if early and late is not None else None
    if not line.to:
        return median(samples, line.run, line.field)
    pairs = zip(samples.get(line.run, []), samples.get(line.to, []), strict=False)
    ratios = [upper[line.field] / lower[line.field] for upper, lower in pairs if lower.get(line.field)]
    return statistics.median(ratios) if ratios else None


def show(evidence: Evidence, samples: Samples, size: Size) -> None:
    """Put every figure into the evidence; what was not measured is null."""
    for line in lines(size):
        value = value_of(line, samples)
        value = None if value is None else float(f"{value:.5g}")
        evidence.show(id=line.id, value=value, unit=line.unit, target=line.target, at_most=line.at_most)
