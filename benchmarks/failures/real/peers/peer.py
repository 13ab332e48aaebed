"""What all peers share: a worker of their own, a front that submits, and the file in which calls are recorded."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import psutil

from benchmarks.failures.real.arm import REFUSED, Arm
from benchmarks.failures.real.peers import acting
from benchmarks.failures.real.schedule import Arrival

#: By hand: a task may start while so many service times are left.
TUNED_SERVICES = 1.5
_READY_S = 60.0


class Peer(Arm):
    """One peer. It says how to begin, submit and end."""

    tells = False

    async def open(self) -> None:
        self._folder = tempfile.TemporaryDirectory(dir=self.rig.directory, ignore_cleanup_errors=True)
        self.folder = Path(self._folder.name)
        self._acts = self.folder / "acts"
        self._worker: subprocess.Popen[bytes] | None = None
        os.environ[acting.LOG] = str(self._acts)
        os.environ[acting.SERVICE_S] = str(self.rig.workload.service_s)
        await asyncio.to_thread(self.begin)
        await self._ready()

    def begin(self) -> None:
        """Start what it needs."""
        raise NotImplementedError

    def end(self) -> None:
        """Stop it."""

    def submit(self, number: int, left_s: float) -> None:
        """Its own submit call. `left_s`: until the deadline, or until what was tuned by hand."""
        raise NotImplementedError

    async def _ready(self) -> None:
        """A worker is ready when it has done something."""
        loop = asyncio.get_running_loop()
        ends_s = loop.time() + _READY_S
        servers = self.rig.workload.servers
        for number in range(2 * servers):
            self.submit(-1 - number, _READY_S)
        while sum(1 for _ in acting.acts(self._acts)) < servers:
            if loop.time() > ends_s:
                raise RuntimeError("the worker does nothing")
            await asyncio.sleep(0.05)
        await asyncio.sleep(4 * self.rig.workload.service_s)  # the other half ends, or never will

    def offer(self, batch: Sequence[Arrival]) -> None:
        workload = self.rig.workload
        reserve_s = TUNED_SERVICES * workload.service_s if self.rig.tuned else 0.0
        for arrival in batch:
            late_s = (self.rig.downstream.now_us() - arrival.due_us) / 1e6
            left_s = workload.deadline_s - reserve_s - late_s
            if left_s <= 0 and self.rig.tuned:
                self.rig.clients.told(arrival.number, REFUSED)
            else:
                self.submit(arrival.number, left_s)

    def collect(self) -> None:
        """Put what the worker has done into the downstream's log."""
        log = self.rig.downstream
        for number, began_ns, ended_ns in acting.acts(self._acts):
            place = number - log.first
            if 0 <= place < len(log.calls):
                log.calls[place] += 1
                log.started_us[place] = min(log.started_us[place], log.at_us(began_ns))
                log.ended_us[place] = min(log.ended_us[place], log.at_us(ended_ns))

    def work(self, *command: str) -> None:
        """Start its worker: a Python module with arguments."""
        self._worker = subprocess.Popen(
            [sys.executable, "-m", *command],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    async def close(self) -> None:
        if self._worker is not None:
            children = psutil.Process(self._worker.pid).children(recursive=True)
            self._worker.kill()
            self._worker.wait()
            for child in children:  # those of its own that it had no time to end
                try:
                    child.send_signal(signal.SIGKILL)
                except psutil.NoSuchProcess:
                    continue
            psutil.wait_procs(children, timeout=5)
        await asyncio.to_thread(self.end)
        self._folder.cleanup()
