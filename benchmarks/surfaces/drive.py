"""Starts what is measured and what drives it, each in a process of its own, and reads what they say."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Sample = dict[str, Any]
#: What a load says that it did, at the latest so much later than it was to end.
LATE_S = 60.0


@contextmanager
def serving(what: str, data: Path) -> Iterator[dict[str, Any]]:
    """A server on a new journal: its port and keys."""
    with tempfile.TemporaryDirectory(dir=data, prefix="surfaces-", ignore_cleanup_errors=True) as folder:
        command = [sys.executable, "-m", "benchmarks.surfaces.server", what, str(Path(folder) / "journal.db")]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            told = process.stdout.readline()
            if not told:
                raise RuntimeError(f"{what} does not serve")
            yield {"pid": process.pid, **json.loads(told)}
        finally:
            process.stdin.close()
            process.wait(timeout=LATE_S)
            process.stdout.close()


def drive(what: str, server: dict[str, Any], connections: int, seconds: float) -> Sample:
    """Load on a server; what came of it."""
    command = _command(what, server, connections, seconds)
    before_s = cpu_s(server["pid"])
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + LATE_S, check=True)
    sample = json.loads(done.stdout)
    after_s = cpu_s(server["pid"])
    if before_s is not None and after_s is not None and sample["all"]:
        sample["server_cpu_us"] = 1e6 * (after_s - before_s) / sample["all"]
    return sample


def cpu_s(pid: int) -> float | None:
    """Processor time that a process has used; None where the system does not say."""
    stat = Path(f"/proc/{pid}/stat")
    if not stat.exists():
        return None
    fields = stat.read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _command(what: str, server: dict[str, Any], connections: int, seconds: float) -> list[str]:
    token = server["read" if what == "viewers" else "submit"]
    given = [what, str(server["port"]), token, str(connections), str(seconds)]
    return [sys.executable, "-m", "benchmarks.surfaces.load", *given]


@contextmanager
def watched(server: dict[str, Any], viewers: int, seconds: float) -> Iterator[Sample]:
    """So many viewers follow what changes; what they saw is in the sample once it is over."""
    seen: Sample = {}
    if not viewers:
        yield seen
        return
    command = _command("viewers", server, viewers, seconds)
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        if process.stdout.readline().strip() != "connected":
            raise RuntimeError("the viewers did not connect")
        yield seen
        seen.update(json.loads(process.communicate(timeout=seconds + LATE_S)[0]))
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        process.stdout.close()
