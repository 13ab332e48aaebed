"""Runs a plan: each run in a process of its own, its data on real disk, repeats interleaved in a seeded order.

Interleaving spreads whatever else the machine does over all arms alike, so that ratios survive it. A run that fails is
reported and leaves no sample: its figures are null, the others stand. Each sample says what other processes used
meanwhile (`others_cores`) and what a sync cost just before (`fsync_p50_us`).
"""

from __future__ import annotations

import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from benchmarks.speed.machine import refuse_memory, wait_until_quiet
from benchmarks.speed.run import Run, Sample

TIMEOUT_S = 180


class Results:
    """The samples of every run, and the last words of those that failed."""

    def __init__(self) -> None:
        self.samples: dict[str, list[Sample]] = {}
        self.failures: dict[str, str] = {}

    def values(self, name: str, field: str) -> list[float]:
        """One figure of one run in each of its repeats."""
        return [sample[field] for sample in self.samples.get(name, []) if field in sample]

    def median(self, name: str, field: str) -> float | None:
        """Its median; None when it was not measured."""
        values = self.values(name, field)
        return statistics.median(values) if values else None

    def overall(self, field: str) -> float | None:
        """The median of one figure over every sample of every run."""
        values = [sample[field] for samples in self.samples.values() for sample in samples if field in sample]
        return statistics.median(values) if values else None

    def ratio(self, field: str, above: str, below: str) -> float | None:
        """The median over repeats of one run's figure to another's in the same repeat."""
        pairs = list(zip(self.values(above, field), self.values(below, field), strict=False))
        return statistics.median(upper / lower for upper, lower in pairs) if pairs else None


def run_all(
    runs: Sequence[Run],
    *,
    repeats: int,
    seed: int,
    data: Path,
    quiet_s: float = 0.0,
    tell: Callable[[str], None] = lambda _line: None,
) -> Results:
    """Do every run `repeats` times.

    Args:
        runs: what to do.
        repeats: how often, interleaved.
        seed: of the order, and of each run's own randomness.
        data: a directory on the disk that is to be measured.
        quiet_s: how long a run may wait for other processes to be quiet before it starts all the same.
        tell: hears a line after each run.

    """
    refuse_memory(data)
    results = Results()
    for repeat in range(repeats):
        order = list(runs)
        random.Random(seed + repeat).shuffle(order)
        for number, run in enumerate(order, start=1):
            wait_until_quiet(quiet_s)
            began_s = time.monotonic()
            with tempfile.TemporaryDirectory(dir=data, prefix="bench-", ignore_cleanup_errors=True) as directory:
                said = _one(msgspec.structs.replace(run, seed=seed + repeat), Path(directory), results)
            took_s = time.monotonic() - began_s
            tell(f"{repeat + 1}/{repeats} {number:>2}/{len(order)} {run.name:<28} {said} ({took_s:.1f} s)")
    return results


def _one(run: Run, directory: Path, results: Results) -> str:
    command = [sys.executable, "-m", "benchmarks.speed.child", msgspec.json.encode(run).decode(), str(directory)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired:
        results.failures[run.name] = f"no answer within {TIMEOUT_S} s"
        return results.failures[run.name]
    if done.returncode:
        results.failures[run.name] = (done.stderr.strip().splitlines() or ["no word"])[-1]
        return f"FAILED: {results.failures[run.name]}"
    sample = msgspec.json.decode(done.stdout, type=dict[str, float])
    results.samples.setdefault(run.name, []).append(sample)
    shown = (
        "per_second",
        "p50_ms",
        "p99_ms",
        "admitted_per_second",
        "admit_p50_ms",
        "commits_per_second",
        "others_cores",
    )
    return "  ".join(f"{field} {sample[field]:,.4g}" for field in shown if field in sample)
