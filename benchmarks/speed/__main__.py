"""`python -m benchmarks.speed`: run the plan, print every figure, write `out/speed/report.json` and `report.html`."""

from __future__ import annotations

import argparse
import fnmatch
import shlex
import sys
import time
from pathlib import Path

from benchmarks.speed import figures, page, plan
from benchmarks.speed.run import Run
from benchmarks.speed.runner import Results, run_all
from lictor.surfaces.evidence import Evidence, table

_QUICK = 0.1
_PICTURE = [
    *(run.name for run in plan.sqlite()),
    *(f"{arm} {what}" for arm in ("pipeline", "lictor") for what in ("closed 1", "closed 16", "closed 256")),
    *(f"{arm} {what}" for arm in ("pipeline", "lictor") for what in ("closed 1024", "many")),
    *figures.BEST_PEERS,
]


def _arguments(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("out/speed"), help="where the report and the data go")
    parser.add_argument("--repeats", type=int, default=3, help="of each run, interleaved; figures are medians")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--quiet-s", type=float, default=5.0, help="how long a run waits for other processes")
    parser.add_argument("--only", action="append", help="names of runs, with wildcards; the others are not measured")
    parser.add_argument("--quick", action="store_true", help="a tenth of the time, once; not for quoting")
    return parser.parse_args(arguments)


def chosen(only: list[str] | None) -> list[Run]:
    """The runs whose names match any of these patterns; all when there are none."""
    return [run for run in plan.everything() if only is None or any(fnmatch.fnmatch(run.name, one) for one in only)]


def write(results: Results, *, out: Path, seed: int, started_us: int, command: str) -> Path:
    """Turn samples into the evidence of one benchmark run."""
    evidence = Evidence("speed", command=command, seed=seed, started_us=started_us, packages=("huey", "dbos"))
    figures.show(evidence, results)
    evidence.add("others_cores", results.overall("others_cores"))
    for probe in ("fsync_p50_us", "fsync_paused_p50_us"):
        evidence.add(probe, results.overall(probe))
    evidence.add("samples", results.samples)
    evidence.add("failures", results.failures)
    evidence.section("Decisions a second, submit to durable outcome", page.bars(results, _PICTURE))
    evidence.section("Everything that was measured", page.tables(results))
    return evidence.write(out, ended_us=time.time_ns() // 1000)


def main(arguments: list[str] | None = None) -> int:
    """Run and report; the exit code says whether every run ran, not whether targets were met."""
    options = _arguments(arguments)
    started_us = time.time_ns() // 1000
    options.out.mkdir(parents=True, exist_ok=True)
    runs = chosen(options.only)
    repeats = 1 if options.quick else options.repeats
    results = run_all(
        plan.shortened(runs, _QUICK) if options.quick else runs,
        repeats=repeats,
        seed=options.seed,
        data=options.out,
        quiet_s=options.quiet_s,
        tell=lambda line: print(line, file=sys.stderr, flush=True),
    )
    given = sys.argv[1:] if arguments is None else arguments
    command = shlex.join(["python", "-m", "benchmarks.speed", *given]) if given else "make bench"
    path = write(results, out=options.out, seed=options.seed, started_us=started_us, command=command)
    print(table(options.out))
    print(f"written: {path} and report.html beside it")
    return 1 if results.failures else 0


if __name__ == "__main__":
    sys.exit(main())
