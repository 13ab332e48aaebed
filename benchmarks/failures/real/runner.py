"""Runs cells, each in a process of its own, in a seeded random order; repeats those whose generator lagged.

A cell whose generator lagged by more than 2 % of the deadline at its p99 in any stage is void: it is run again, at most
twice, and what is still void then is used all the same and counted, so that a busy machine shows in the report and not
in the figures alone.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec

from benchmarks.failures.real.cell import Cell, Ran

#: A run is void beyond this share of the deadline.
LAG_MAX = 0.02
REPEATS_MAX = 2
_TIMEOUT_S = 900.0


class Results:
    """What cells have said, by name; how many runs were void; and the last words of those that failed."""

    def __init__(self) -> None:
        self.ran: dict[str, list[Ran]] = {}
        self.void = 0
        #: Void, and used all the same.
        self.doubtful = 0
        self.failures: dict[str, str] = {}


def run_cells(
    cells: Iterable[Cell], *, seed: int, out: Path, tell: Callable[[str], None], repeats_max: int = REPEATS_MAX
) -> Results:
    """Run each once, or again when it was void."""
    order = list(cells)
    random.Random(seed).shuffle(order)
    results = Results()
    out.mkdir(parents=True, exist_ok=True)
    for number, cell in enumerate(order, start=1):
        began_s = time.monotonic()
        ran = _valid(cell, results, out, repeats_max)
        said = results.failures.get(cell.name, "failed") if ran is None else _line(ran)
        tell(
            f"{number:>3}/{len(order)} {cell.name:<18} seed {cell.seed:<3} {said} ({time.monotonic() - began_s:.0f} s)"
        )
        if ran is not None:
            results.ran.setdefault(cell.name, []).append(ran)
    return results


def _valid(cell: Cell, results: Results, out: Path, repeats_max: int) -> Ran | None:
    ran: Ran | None = None
    for _ in range(1 + repeats_max):
        try:
            ran = run_cell(cell, out)
        except (subprocess.SubprocessError, msgspec.MsgspecError, RuntimeError) as error:
            results.failures[cell.name] = str(error).strip().splitlines()[-1][:300]
            return None
        if lag_s(ran) <= LAG_MAX * cell.workload.deadline_s:
            return ran
        results.void += 1
    results.doubtful += 1
    return ran


def lag_s(ran: Ran) -> float:
    """The worst lag of any stage."""
    return max((sample.lag_p99_s for sample in ran.samples), default=0.0)


def run_cell(cell: Cell, out: Path) -> Ran:
    """One cell in its process.

    Raises:
        RuntimeError: it failed; the last line that it wrote.
    """
    with tempfile.TemporaryDirectory(dir=out, prefix="cell-", ignore_cleanup_errors=True) as folder:
        wanted = msgspec.structs.replace(cell, directory=folder)
        command = [sys.executable, "-m", "benchmarks.failures.real.host", msgspec.json.encode(wanted).decode()]
        host = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True)
        try:
            said, complaint = host.communicate(timeout=_TIMEOUT_S)
        finally:
            with contextlib.suppress(ProcessLookupError):  # whatever it has started is of its group
                os.killpg(host.pid, signal.SIGKILL)
            host.wait()
    if host.returncode:
        raise RuntimeError((complaint.decode(errors="replace").strip().splitlines() or ["no word"])[-1])
    return msgspec.json.decode(said, type=Ran)


def _line(ran: Ran) -> str:
    return " ".join(f"{sample.load:g}x:{sample.goodput:.2f}" for sample in ran.samples)
