"""One run in a process of its own: `python -m benchmarks.scale.child RUN_JSON DIRECTORY` prints its sample as JSON."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec

from benchmarks.scale.fan import fan
from benchmarks.scale.load import closed, sustained
from benchmarks.scale.run import Run, Sample

MEASURES: dict[str, Callable[[Run, Path], Awaitable[Sample]]] = {
    "fan": fan,
    "closed": closed,
    "history": closed,
    "sustained": sustained,
}


async def measure(run: Run, directory: Path) -> Sample:
    """Do the run."""
    return await MEASURES[run.measure](run, directory)


def main() -> None:
    """Do the run that the arguments describe."""
    run = msgspec.json.decode(sys.argv[1], type=Run)
    import uvloop  # absent on some platforms

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        sample = runner.run(measure(run, Path(sys.argv[2])))
    sys.stdout.write(msgspec.json.encode(sample).decode())


if __name__ == "__main__":
    main()
