"""One run in a process of its own: `python -m benchmarks.speed.child RUN_JSON DIRECTORY` prints its sample as JSON.

An outcome that was acknowledged and is not on disk afterwards is an error, not a figure.
"""

from __future__ import annotations

import asyncio
import resource
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec

from benchmarks.speed import arms, measures
from benchmarks.speed.arm import Arm
from benchmarks.speed.busy_loop import busy_loop
from benchmarks.speed.machine import fsync_us
from benchmarks.speed.open_loop import open_loop, part_load
from benchmarks.speed.run import Run, Sample

MEASURES: dict[str, Callable[[Arm, Run], Awaitable[Sample]]] = {
    "closed_loop": measures.closed_loop,
    "bulk": measures.bulk,
    "idle": measures.idle,
    "fan_out": measures.fan_out,
    "refusals": measures.refusals,
    "open_loop": open_loop,
    "part_load": part_load,
}


async def measure(run: Run, directory: Path) -> Sample:
    """Open the arm, load it, close it, and compare what it acknowledged with what is on disk."""
    probe = {"fsync_p50_us": fsync_us(directory), "fsync_paused_p50_us": fsync_us(directory, 0.005)}
    if run.measure == "busy_loop":
        return probe | await busy_loop(run, directory)
    arm = arms.make(run)
    began_s = time.perf_counter()
    await arm.open(directory)
    probe["start_ms"] = 1e3 * (time.perf_counter() - began_s)
    sample = await MEASURES[run.measure](arm, run)
    stored = await arm.close()
    if stored < sample["durable"]:
        raise RuntimeError(f"{run.name}: {sample['durable']:.0f} outcomes acknowledged, {stored} on disk")
    return probe | sample | {"rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def main() -> None:
    """Do the run that the arguments describe."""
    run = msgspec.json.decode(sys.argv[1], type=Run)
    factory = None
    if run.loop == "uvloop":
        import uvloop  # absent on some platforms

        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        sample = runner.run(measure(run, Path(sys.argv[2])))
    sys.stdout.write(msgspec.json.encode(sample).decode())


if __name__ == "__main__":
    main()
