"""F2 in real time: offered load from half of capacity to twenty times it, every arm, and the real peers.

Short calls (20 ms, lognormal, deadline five means) for the asyncio arms, seeds interleaved: twelve for Lictor, every
third for the others. Long ones (200 ms, deadline 1 s) for the peers with naive and Lictor beside them, one seed,
because each takes minutes. About forty minutes in all.
"""

from __future__ import annotations

from pathlib import Path

from benchmarks.failures.part import Findings, Settings, findings
from benchmarks.failures.real import control_cost, figures, plan
from benchmarks.failures.real.runner import run_cells


def run(settings: Settings) -> Findings:
    """Measure and show."""
    found = findings("real_f2", "real", settings)
    seeds = settings.every_seed()
    short = plan.quick_cells(settings.seed) if settings.quick else plan.short_cells(seeds)
    out = Path(settings.out) / "real"
    shorts = run_cells(short, seed=settings.seed, out=out, tell=settings.tell)
    longs = run_cells(
        plan.long_cells(settings.seed, quick=settings.quick), seed=settings.seed, out=out, tell=settings.tell
    )
    figures.goodput(found, shorts)
    figures.peers(found, longs)
    costs = control_cost.measured(seeds, quick=settings.quick, tell=settings.tell)
    figures.cost(found, costs)
    return found
