"""The process of one cell: `python -m benchmarks.failures.real.host CELL_JSON` prints what it measured as JSON.

Pins itself to the engine's core, starts the generator, measures the downstream's capacity by a closed loop, then runs
stage after stage.
"""

from __future__ import annotations

import asyncio
import gc
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import uvloop

from benchmarks.failures.real import arms, tally, wire
from benchmarks.failures.real.arm import OPEN, Arm, Clients, Rig
from benchmarks.failures.real.calibration import Capacity, calibrated
from benchmarks.failures.real.cell import Cell, Ran, Sample, Stage
from benchmarks.failures.real.downstream import Downstream
from benchmarks.failures.real.generator import Lag
from benchmarks.failures.real.schedule import Arrival, Draw, Schedule

#: Deadlines to wait after a stage, and as many more as the arm needs until it has told of every decision.
_GRACE, _MORE = 1.5, 5

_arrivals = msgspec.msgpack.Decoder(list[Arrival]).decode


class Link(asyncio.Protocol):
    """The host's end of the generator's socket."""

    def __init__(self) -> None:
        self._frames = wire.Frames()
        self._said: asyncio.Queue[tuple[int, bytes]] = asyncio.Queue()
        self.clients: Clients | None = None
        self.downstream: Downstream | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.WriteTransport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        arrived: list[Arrival] = []
        for what, body in self._frames.feed(data):
            if what == wire.BATCH:
                arrived += _arrivals(body)
            elif what == wire.BEGUN:
                self.downstream.begin(msgspec.msgpack.decode(body))
            else:
                self._said.put_nowait((what, body))
        if arrived:
            self.clients.arrived(arrived)

    async def hear(self, what: int) -> bytes:
        """The next frame that is no arrival."""
        said, body = await self._said.get()
        if said != what:
            raise RuntimeError(f"the generator said {said}, not {what}")
        return body


class Host:
    """Runs the stages of one cell."""

    def __init__(self, cell: Cell, link: Link) -> None:
        self.cell, self.link = cell, link
        self.downstream = link.downstream = Downstream(cell.workload.servers)
        self.clients = link.clients = Clients(cell.workload, self.downstream)
        self.rig = Rig(cell.workload, self.downstream, self.clients, Path(cell.directory), cell.tuned)
        self._arm: Arm | None = None
        self._next = 0
        self.facts: dict[str, float] = {}

    async def run(self) -> Ran:
        """Everything."""
        cell = self.cell
        capacity = await calibrated(self.downstream, cell.workload, cell.seed, cell.calibrate_s)
        samples = [await self._stage(stage, capacity) for stage in cell.stages]
        await self._renew(None)
        return Ran(
            arm=cell.name,
            seed=cell.seed,
            capacity_per_s=capacity.per_s,
            capacity_work=capacity.work_per_s,
            samples=samples,
            facts=self.facts,
        )

    async def _renew(self, name: str | None) -> None:
        """Close the arm and open another on an idle downstream."""
        if self._arm is not None:
            self.facts |= self._arm.facts()
            await self._arm.close()
            self._arm = None
        self.downstream.reset()
        gc.collect()
        if name is not None:
            self._arm = arms.make(name, self.rig)
            await self._arm.open()
            self.clients.offer = self._arm.offer

    async def _stage(self, stage: Stage, capacity: Capacity) -> Sample:
        cell = self.cell
        rate_per_s = stage.load * capacity.per_s
        draw = Draw(seed=cell.seed, first=self._next, rate_per_s=rate_per_s, seconds=stage.seconds)
        schedule = Schedule(draw, cell.workload)
        self._next += len(schedule)
        self.link.transport.write(wire.frame(wire.DRAW, msgspec.msgpack.encode(draw)))
        if stage.fresh or self._arm is None:
            await self._renew(cell.arm)
        if msgspec.msgpack.decode(await self.link.hear(wire.READY)) != len(schedule):
            raise RuntimeError("the generator drew another schedule")
        self.downstream.watch(schedule.first, schedule.service_s)
        if stage.outage_s is not None:
            begins_s, ends_s = stage.outage_s
            self.downstream.outage_us = (int(begins_s * 1e6), int(ends_s * 1e6))
        self.clients.watch(schedule, stage, cell.seed)
        self.link.transport.write(wire.frame(wire.GO))
        peak_mb(forget=True)
        began_s, began_cpu_s = time.perf_counter(), time.process_time()
        lag = msgspec.msgpack.decode(await self.link.hear(wire.END), type=Lag)
        used_s = time.process_time() - began_cpu_s
        took_s = time.perf_counter() - began_s
        await self._ended(stage)
        self.clients.leave()
        self._arm.collect()
        seen = tally.Seen(schedule, stage, self.downstream, self.clients, capacity, cell.workload)
        sample = tally.sample(seen, lag)
        sample.cpu_us = 1e6 * used_s / max(1, len(schedule))
        sample.rss_mb = peak_mb()
        sample.seconds = took_s
        return sample

    async def _ended(self, stage: Stage) -> None:
        """What was admitted ends, or at least has had the time for it."""
        deadline_s = self.cell.workload.deadline_s
        if stage.client_retries:
            return
        await asyncio.sleep(_GRACE * deadline_s)
        for _ in range(_MORE if self._arm.tells else 0):
            if OPEN not in self.clients.ends:
                return
            await asyncio.sleep(deadline_s)


def peak_mb(*, forget: bool = False) -> float:
    """The most memory that this process has held since it was last told to forget."""
    if forget:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
        return 0.0
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmHWM"))


async def main(cell: Cell) -> Ran:
    """Start the generator and run."""
    ours, theirs = socket.socketpair()
    for end in (ours, theirs):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 21)
    command = [sys.executable, "-m", "benchmarks.failures.real.generator", str(theirs.fileno())]
    command += [str(cell.generator_core), msgspec.json.encode(cell.workload).decode()]
    generator = subprocess.Popen(command, pass_fds=[theirs.fileno()])
    theirs.close()
    try:
        _, link = await asyncio.get_running_loop().create_unix_connection(Link, sock=ours)
        host = Host(cell, link)
        ran = await host.run()
        host.downstream.close()
        link.transport.close()
        return ran
    finally:
        ours.close()
        generator.kill()
        generator.wait()


if __name__ == "__main__":
    wanted = msgspec.json.decode(sys.argv[1], type=Cell)
    if wanted.engine_core is not None:
        os.sched_setaffinity(0, {wanted.engine_core})
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        sys.stdout.buffer.write(msgspec.json.encode(runner.run(main(wanted))))
