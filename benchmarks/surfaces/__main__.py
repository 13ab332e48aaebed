"""`python -m benchmarks.surfaces`: measure the surfaces, print every figure, write `out/surfaces/`."""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
import time
from html import escape
from pathlib import Path
from typing import NamedTuple

from benchmarks.speed.machine import refuse_memory, wait_until_quiet
from benchmarks.surfaces import figures, suites, tamper
from benchmarks.surfaces.drive import drive, serving, watched
from benchmarks.surfaces.figures import Samples
from lictor.surfaces.evidence import Evidence, table

#: Test files of the default run that show a line of the issue as they stand.
SUITES = {
    "authorization": ("tests/security/test_authorization.py",),
    "canaries": ("tests/security/test_secrets.py", "tests/security/test_stored_xss.py"),
    "mcp": ("tests/surfaces/mcp",),
    "browser": ("tests/surfaces/dashboard",),
    "way": ("tests/test_readme.py", "tests/surfaces/test_from_world_to_world.py"),
}
PARTS = ("rates", "lists", "tamper", "schemathesis", "inspector", "suites")


class Size(NamedTuple):
    """How much of everything."""

    repeats: int = 3
    seconds: float = 8.0
    connections: int = 128
    streams: int = 8
    viewers: int = 200
    history: int = 1_000_000
    rounds: int = 20
    tampered: int = 6


QUICK = Size(repeats=1, seconds=1.0, connections=16, streams=2, viewers=10, history=10_000, rounds=1, tampered=1)


def rates(data: Path, size: Size, samples: Samples, quiet_s: float) -> None:
    """Submits with and without viewers, many at once, and the bare route: in turn, to meet the same machine."""
    for repeat in range(size.repeats):
        for name in ("bare", "single", "watched", "ndjson")[:: 1 if repeat % 2 == 0 else -1]:
            wait_until_quiet(quiet_s)
            with serving("bare" if name == "bare" else "lictor", data) as server:
                viewers = size.viewers if name == "watched" else 0
                with watched(server, viewers, size.seconds + 2) as seen:
                    what, connections = ("ndjson", size.streams) if name == "ndjson" else ("single", size.connections)
                    sample = drive(what, server, connections, size.seconds)
            if viewers:
                sample |= {"viewers": seen["connections"], "viewers_wrong": seen["wrong"]}
                sample["events_per_second"] = seen["per_second"]
            samples.setdefault(name, []).append(sample)
            print(f"{name:<8} {json.dumps(sample)}", file=sys.stderr, flush=True)


def lists(data: Path, size: Size, samples: Samples) -> None:
    """In a process of its own, on a journal that is used again where it is there."""
    path = data / f"decisions-{size.history}.db"
    command = [sys.executable, "-m", "benchmarks.surfaces.lists", str(path), str(size.history), str(size.rounds)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    samples["lists"] = [json.loads(done.stdout)]
    print(f"lists    {done.stdout.strip()[:200]}", file=sys.stderr, flush=True)


def measure(options: argparse.Namespace, size: Size) -> tuple[Samples, dict[str, str]]:
    """All of it; what fails is told, and what is left is measured."""
    refuse_memory(options.out)
    samples: Samples = {}
    failures: dict[str, str] = {}
    parts = {
        "rates": lambda: rates(options.out.resolve(), size, samples, options.quiet_s),
        "lists": lambda: lists(options.out.resolve(), size, samples),
        "tamper": lambda: samples.update(tamper=[tamper.measure(size.tampered)]),
        "schemathesis": lambda: samples.update(schemathesis=[suites.schemathesis(quick=options.quick)]),
        "inspector": lambda: samples.update(inspector=[suites.inspector(options.out.resolve())]),
        "suites": lambda: samples.update(
            {name: [suites.passed(options.out.resolve(), *paths)] for name, paths in SUITES.items()}
        ),
    }
    for name, part in parts.items():
        if name not in (options.only or PARTS):
            continue
        try:
            part()
        except (RuntimeError, OSError, subprocess.SubprocessError) as error:
            failures[name] = str(error)
            print(f"{name}: FAILED: {error}", file=sys.stderr)
    return samples, failures


def main(arguments: list[str] | None = None) -> int:
    """Run and report; the exit code says whether every run ran, not whether targets were met."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.surfaces", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("out/surfaces"), help="where the report and the data go")
    parser.add_argument("--only", action="append", choices=PARTS, help="measure these parts alone")
    parser.add_argument("--quiet-s", type=float, default=5.0, help="how long a run waits for other processes")
    parser.add_argument("--quick", action="store_true", help="everything small, once; not for quoting")
    options = parser.parse_args(arguments)
    started_us = time.time_ns() // 1000
    options.out.mkdir(parents=True, exist_ok=True)
    size = QUICK if options.quick else Size()
    samples, failures = measure(options, size)
    given = sys.argv[1:] if arguments is None else arguments
    command = shlex.join(["python", "-m", "benchmarks.surfaces", *given]) if given else "make bench-surfaces"
    evidence = Evidence(
        "surfaces", command=command, seed=1, started_us=started_us, packages=("starlette", "uvicorn", "httptools")
    )
    figures.show(evidence, samples, size.viewers)
    evidence.add("samples", samples)
    evidence.add("failures", failures)
    rows = "".join(
        f"<tr><td>{escape(name)}</td><td><code>{escape(json.dumps(one))}</code></td></tr>"
        for name, taken in samples.items()
        for one in taken
    )
    evidence.section("Every sample", f'<div class="wide"><table>{rows}</table></div>')
    path = evidence.write(options.out, ended_us=time.time_ns() // 1000)
    print(table(options.out))
    print(f"written: {path} and report.html beside it")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
