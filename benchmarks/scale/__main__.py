"""`python -m benchmarks.scale`: do every run, print every figure, write `out/scale/report.json` and `report.html`."""

from __future__ import annotations

import argparse
import fnmatch
import shlex
import subprocess
import sys
import tempfile
import time
from html import escape
from pathlib import Path

import msgspec

from benchmarks.scale import figures, plan
from benchmarks.scale.figures import Samples
from benchmarks.scale.run import Run
from benchmarks.speed.machine import refuse_memory, wait_until_quiet
from lictor.surfaces.evidence import Evidence, table

TIMEOUT_S = 1_800


def _arguments(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("out/scale"), help="where the report and the data go")
    parser.add_argument("--repeats", type=int, help="of each run that is compared, interleaved; figures are medians")
    parser.add_argument("--history", type=int, help="decisions in the long journal")
    parser.add_argument("--lasts", type=float, help="seconds of the run that lasts")
    parser.add_argument("--quiet-s", type=float, default=5.0, help="how long a run waits for other processes")
    parser.add_argument("--only", action="append", help="names of runs, with wildcards; the others are not measured")
    parser.add_argument("--keep", action="store_true", help="keep the long journal; it is used again when it is there")
    parser.add_argument("--quick", action="store_true", help="everything small, once; not for quoting")
    return parser.parse_args(arguments)


def fill(path: Path, closed: int, tell: object = None) -> None:
    """Make the long journal, in a process of its own, unless it is there."""
    if path.exists():
        return
    half = path.with_suffix(".filling")
    for left in path.parent.glob(f"{half.name}*"):
        left.unlink()
    command = [sys.executable, "-m", "benchmarks.scale.fill", str(half), "--closed", str(closed), "--tenants", "10"]
    subprocess.run(command, check=True, stdout=sys.stderr)
    for end in ("", "-wal", "-shm", ".lock"):
        left = half.with_name(half.name + end)
        if left.exists():
            left.rename(path.with_name(path.name + end))


def do(run: Run, data: Path, samples: Samples, failures: dict[str, str]) -> None:
    """One run in its own process."""
    began_s = time.monotonic()
    with tempfile.TemporaryDirectory(dir=data, prefix="scale-", ignore_cleanup_errors=True) as directory:
        command = [sys.executable, "-m", "benchmarks.scale.child", msgspec.json.encode(run).decode(), directory]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S + run.seconds, check=False)
        except subprocess.TimeoutExpired:
            failures[run.name] = "no answer in time"
            return
    if done.returncode:
        failures[run.name] = (done.stderr.strip().splitlines() or ["no word"])[-1]
        said = f"FAILED: {failures[run.name]}"
    else:
        sample = msgspec.json.decode(done.stdout, type=dict[str, float])
        samples.setdefault(run.name, []).append(sample)
        said = "  ".join(f"{name} {value:,.4g}" for name, value in sample.items())
    print(f"{run.name:<14} {said} ({time.monotonic() - began_s:.0f} s)", file=sys.stderr, flush=True)


def measure(options: argparse.Namespace, size: plan.Size) -> tuple[Samples, dict[str, str]]:
    """Everything, repeats interleaved."""
    refuse_memory(options.out)
    journal = options.out.resolve() / f"history-{size.history}.db"

    def chosen(runs: list[Run]) -> list[Run]:
        return [run for run in runs if not options.only or any(fnmatch.fnmatch(run.name, one) for one in options.only)]

    repeated = chosen(plan.repeated(size, str(journal)))
    samples: Samples = {}
    failures: dict[str, str] = {}
    if any(run.journal for run in repeated):
        fill(journal, size.history)
    for repeat in range(size.repeats):
        for run in repeated if repeat % 2 == 0 else reversed(repeated):
            wait_until_quiet(options.quiet_s)
            do(msgspec.structs.replace(run, seed=1 + repeat), options.out, samples, failures)
    for run in chosen(plan.once(size)):
        do(run, options.out, samples, failures)
    if not options.keep:
        for left in options.out.glob(f"{journal.name}*"):
            left.unlink()
    return samples, failures


def main(arguments: list[str] | None = None) -> int:
    """Run and report; the exit code says whether every run ran, not whether targets were met."""
    options = _arguments(arguments)
    started_us = time.time_ns() // 1000
    options.out.mkdir(parents=True, exist_ok=True)
    size = plan.QUICK if options.quick else plan.FULL
    size = size._replace(
        repeats=options.repeats or size.repeats,
        history=options.history or size.history,
        lasts_s=options.lasts or size.lasts_s,
    )
    samples, failures = measure(options, size)
    given = sys.argv[1:] if arguments is None else arguments
    command = shlex.join(["python", "-m", "benchmarks.scale", *given]) if given else "make bench-scale"
    evidence = Evidence("scale", command=command, seed=1, started_us=started_us)
    figures.show(evidence, samples, size)
    evidence.add("samples", samples)
    evidence.add("failures", failures)
    rows = "".join(
        f"<tr><td>{escape(name)}</td><td>{escape(field)}</td>"
        f'<td class="n">{", ".join(f"{sample[field]:,.4g}" for sample in taken if field in sample)}</td></tr>'
        for name, taken in samples.items()
        for field in taken[0]
    )
    evidence.section("Every sample", f"<table>{rows}</table>")
    path = evidence.write(options.out, ended_us=time.time_ns() // 1000)
    print(table(options.out))
    print(f"written: {path} and report.html beside it")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
