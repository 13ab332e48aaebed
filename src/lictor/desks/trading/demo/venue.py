"""The venue as a process of its own: started, steered through its control socket, stopped."""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from lictor import ScaledClock

START_S_MAX = 60.0
STOP_S_MAX = 10.0


@dataclass(slots=True)
class Venue:
    """One running venue; make it with `start`."""

    process: asyncio.subprocess.Process
    ready: dict[str, Any]
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    @classmethod
    async def start(cls, state: Path, *, speed: float, skip_s: float, origin_monotonic: float | None = None) -> Self:
        """Start it and wait until it listens.

        Raises:
            RuntimeError: it ended instead.
        """
        command = [sys.executable, "-m", "lictor.desks.trading.venue", "--state", str(state)]
        command += ["--speed", str(speed), "--skip-s", str(skip_s), "--follow-parent"]
        if origin_monotonic is not None:
            command += ["--origin-monotonic", str(origin_monotonic)]
        process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
        assert process.stdout is not None
        line = await asyncio.wait_for(process.stdout.readline(), START_S_MAX)
        if not line:
            raise RuntimeError(f"the venue did not start; it ended with {await process.wait()}")
        ready = json.loads(line)
        reader, writer = await asyncio.open_connection("127.0.0.1", ready["control_port"])
        return cls(process, ready, reader, writer)

    @property
    def clock(self) -> ScaledClock:
        """The clock that it runs on: the same three numbers give the same time here."""
        told = self.ready["clock"]
        return ScaledClock(told["origin_monotonic"], told["origin_wall_us"], told["speed"])

    @property
    def truth(self) -> Path:
        """Its log of what really happened."""
        return Path(self.ready["truth"])

    async def tell(self, do: str, **arguments: object) -> dict[str, Any]:
        """Steer it: arm a fault, halt, ask for its figures.

        Raises:
            RuntimeError: it refused.
        """
        self.writer.write(json.dumps({"do": do, **arguments}).encode() + b"\n")
        await self.writer.drain()
        answer: dict[str, Any] = json.loads(await self.reader.readline())
        if not answer["ok"]:
            raise RuntimeError(f"the venue refused {do}: {answer['error']}")
        return answer

    async def stop(self) -> dict[str, Any]:
        """End it; returns what it says of its run."""
        self.writer.close()
        if self.process.returncode is None:
            self.process.terminate()
        assert self.process.stdout is not None
        line = await asyncio.wait_for(self.process.stdout.readline(), STOP_S_MAX)
        await asyncio.wait_for(self.process.wait(), STOP_S_MAX)
        ended: dict[str, Any] = json.loads(line) if line else {}
        return ended
