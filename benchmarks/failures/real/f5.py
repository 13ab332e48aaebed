"""F5 in real time: the downstream is out for a while at 0.8 of capacity, and clients ask again.

A client asks at most four times, and each time is a decision of its own; naive's own three tries come on top, as they
do. What counts is how many calls reach the downstream for each decision, and how long after the outage goodput is
back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.failures.part import Findings, Settings, Table, findings
from benchmarks.failures.real.cell import Cell, Ran, Sample, Stage
from benchmarks.failures.real.figures import note, of, rounded
from benchmarks.failures.real.plan import SHORT
from benchmarks.failures.real.runner import Results, run_cells

ARMS = ("naive", "semaphore", "best-known (Gradient2)", "lictor")
LOAD, CLIENT_RETRIES = 0.8, 3
BEFORE_S, OUTAGE_S, AFTER_S = 1.0, 2.0, 5.0
#: Attempts for each decision in the outage; service times until goodput is back.
ATTEMPTS_MAX, BACK_MAX = 1.05, 10.0


def cells(seeds: range, *, quick: bool) -> Iterator[Cell]:
    """Each arm through one outage."""
    share = 0.3 if quick else 1.0
    outage_s = (BEFORE_S * share, (BEFORE_S + OUTAGE_S) * share)
    window_s = (BEFORE_S + OUTAGE_S + AFTER_S) * share
    stage = Stage(
        load=LOAD, before_s=0.0, window_s=window_s, after_s=0.1, outage_s=outage_s, client_retries=CLIENT_RETRIES
    )
    for seed in seeds:
        for arm in ARMS:
            yield Cell(arm=arm, workload=SHORT, stages=(stage,), seed=seed, calibrate_s=1.0)


def run(settings: Settings) -> Findings:
    """Measure and show."""
    found = findings("real_f5", "real", settings)
    seeds = range(settings.seed, settings.seed + min(settings.seeds, 3))
    results = run_cells(
        cells(seeds, quick=settings.quick), seed=settings.seed, out=Path(settings.out) / "real", tell=settings.tell
    )
    note(found, results, "outage")
    show(found, results)
    return found


def show(found: Findings, results: Results) -> None:
    """Attempts and recovery of every arm."""
    rows = []
    for arm in ARMS:
        samples = [sample for one in results.ran.get(arm, []) for sample in one.samples]
        target = ATTEMPTS_MAX if arm == "lictor" else None
        value, interval = of([sample.attempts for sample in samples])
        name = f"F5 calls for each ask, outage and after, {arm}"
        found.show(name, value, "calls", target, at_most=True, interval=interval)
        back = recovered(results.ran.get(arm, []))
        value, interval = of([one for one in back if one is not None])
        if back.count(None) * 2 >= len(back):
            value = None
        target = BACK_MAX if arm == "lictor" else None
        name = f"F5 goodput is back after the outage, {arm}"
        found.show(name, value, "service times", target, at_most=True, interval=interval)
        rows.append([arm, *(rounded(of([pick(s) for s in samples])[0]) for pick in _COLUMNS.values())])
        rows[-1].append(f"{len(back) - back.count(None)} of {len(back)}")
    found.tables.append(
        Table(
            heading="F5 in real time: an outage at 0.8 of capacity",
            columns=["arm", *_COLUMNS, "recovered"],
            rows=rows,
            text=f"{OUTAGE_S:g} s out; clients ask again {CLIENT_RETRIES} times.",
        )
    )


def recovered(ran: list[Ran]) -> list[float | None]:
    """Service times from the end of the outage until goodput is back; None where it did not come back."""
    return [sample.settle for one in ran for sample in one.samples]


_COLUMNS: dict[str, Callable[[Sample], float]] = {
    "calls for each ask": lambda s: s.attempts,
    "goodput in all": lambda s: s.goodput,
    "stale starts": lambda s: float(s.stale_starts),
    "CPU us": lambda s: s.cpu_us,
}
