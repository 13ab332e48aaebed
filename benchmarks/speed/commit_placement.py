"""How should commits run? `python -m benchmarks.speed.commit_placement` finds out, where a closed loop cannot see it.

The bare pipeline, a realistic miniature of the engine, commits inline on its event loop, in a thread (with the
interpreter's own switch interval and with shorter ones), split (rows on the loop, sync in a thread) or in a writer
process. Each is measured

    busy     beside a loop that is 100 % busy with short iterations, one group outstanding: is it starved?
    open     under an open loop of 20,000, 60,000 and 150,000 a second, 200 admissions pending at the most
    slow     the same with 3 ms added to each sync, for a disk that is not as quick as this one
    closed   with 1,024 concurrent submits, and idle, one at a time

Writes `out/commit-placement/report.json` and `report.html`; what was decided from it is docs/adr/0004.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.speed.plan import OFFERED, shortened
from benchmarks.speed.run import Run
from benchmarks.speed.runner import Results, run_all
from lictor.surfaces.evidence import Evidence, table

PENDING_MAX = 200
SLOW_MS = 3.0
PLACEMENTS = {
    "thread": Run(name="", arm="pipeline", measure="", commit="thread"),
    "thread, asyncio": Run(name="", arm="pipeline", measure="", commit="thread", loop="asyncio"),
    "thread 0.1 ms": Run(name="", arm="pipeline", measure="", commit="thread", switch_interval_s=1e-4),
    "thread 0.02 ms": Run(name="", arm="pipeline", measure="", commit="thread", switch_interval_s=2e-5),
    "split 0.02 ms": Run(name="", arm="pipeline", measure="", commit="split", switch_interval_s=2e-5),
    "inline": Run(name="", arm="pipeline", measure="", commit="inline"),
    "process": Run(name="", arm="pipeline", measure="", commit="process"),
}
SITUATIONS: dict[str, dict[str, Any]] = {
    "busy": {"measure": "busy_loop"},
    **{f"open {rate}": {"measure": "open_loop", "rate": rate, "concurrent": PENDING_MAX} for rate in OFFERED},
    **{
        f"slow {rate}": {
            "measure": "open_loop",
            "rate": rate,
            "concurrent": PENDING_MAX,
            "commit_delay_ms": SLOW_MS,
        }
        for rate in OFFERED[:2]
    },
    "closed 1024": {"measure": "closed_loop", "concurrent": 1024},
    "idle": {"measure": "idle", "count": 200},
}
#: Columns of each situation's table, with their headings.
COLUMNS = {
    "busy": (("commits_per_second", "commits/s"), ("p50_ms", "p50 ms"), ("p99_ms", "p99 ms"), ("loop_share", "loop")),
    "open": (
        ("offered_per_second", "offered/s"),
        ("admitted_per_second", "admitted/s"),
        ("admit_p50_ms", "admit to disk p50 ms"),
        ("admit_p99_ms", "p99 ms"),
        ("cpu_us", "processor us"),
    ),
    "closed": (("per_second", "decisions/s"), ("p50_ms", "p50 ms"), ("p99_ms", "p99 ms"), ("cpu_us", "processor us")),
}
COLUMNS |= {"slow": COLUMNS["open"], "idle": COLUMNS["closed"]}


def runs() -> list[Run]:
    """Every placement in every situation."""
    return [
        msgspec.structs.replace(run, name=f"{situation}: {placement}", **settings)
        for situation, settings in SITUATIONS.items()
        for placement, run in PLACEMENTS.items()
    ]


def rows(results: Results, situation: str) -> list[list[str]]:
    """The table of one situation: a heading, then one line for each placement."""
    columns = COLUMNS[situation.partition(" ")[0]]
    lines = [["commit by", *(heading for _, heading in columns)]]
    for placement in PLACEMENTS:
        medians = [results.median(f"{situation}: {placement}", field) for field, _ in columns]
        lines.append([placement, *("-" if median is None else f"{median:,.4g}" for median in medians)])
    return lines


def _print(results: Results) -> None:
    for situation in SITUATIONS:
        lines = rows(results, situation)
        widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
        print(f"\n{situation}")
        for name, *cells in lines:
            padded = (cell.rjust(width) for cell, width in zip(cells, widths[1:], strict=True))
            print("  ".join([name.ljust(widths[0]), *padded]))


def _html(lines: Sequence[Sequence[str]]) -> str:
    body = "".join(
        f"<tr><td>{escape(name)}</td>" + "".join(f'<td class="n">{escape(cell)}</td>' for cell in cells) + "</tr>"
        for name, *cells in lines
    )
    return f"<table>{body}</table>"


def _evidence(results: Results, *, seed: int, started_us: int) -> Evidence:
    command = "python -m benchmarks.speed.commit_placement"
    evidence = Evidence("commit-placement", command=command, seed=seed, started_us=started_us)
    top = OFFERED[-1]
    for placement in PLACEMENTS:
        evidence.show(
            id=f"{placement}: commits beside a busy loop",
            value=results.median(f"busy: {placement}", "commits_per_second"),
            unit="commits/s",
        )
        evidence.show(
            id=f"{placement}: admitted at {top:,}/s",
            value=results.median(f"open {top}: {placement}", "admitted_per_second"),
            unit="decisions/s",
        )
    evidence.add("samples", results.samples)
    evidence.add("failures", results.failures)
    for situation in SITUATIONS:
        evidence.section(situation, _html(rows(results, situation)))
    return evidence


def main(arguments: list[str] | None = None) -> int:
    """Run, print one table for each situation, write the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("out/commit-placement"))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--quiet-s", type=float, default=5.0, help="how long a run waits for other processes")
    parser.add_argument("--quick", action="store_true", help="a quarter of the time, once")
    options = parser.parse_args(arguments)
    options.out.mkdir(parents=True, exist_ok=True)
    started_us = time.time_ns() // 1000
    results = run_all(
        shortened(runs(), 0.25) if options.quick else runs(),
        repeats=1 if options.quick else options.repeats,
        seed=options.seed,
        data=options.out,
        quiet_s=options.quiet_s,
        tell=lambda line: print(line, file=sys.stderr, flush=True),
    )
    _print(results)
    _evidence(results, seed=options.seed, started_us=started_us).write(options.out, ended_us=time.time_ns() // 1000)
    print()
    print(table(options.out))
    return 1 if results.failures else 0


if __name__ == "__main__":
    sys.exit(main())
