"""Huey on SQLite with fsync: the tasks are enqueued here and run by its consumer, a process of its own, as documented.

One worker thread, which its documentation recommends when in doubt and which was the fastest of 1, 2 and 4 threads and
1 and 2 processes here. Its polling delays are set as short as is sensible, in its favour: with the defaults an idle
queue answers after 30 to 80 ms.
"""

from __future__ import annotations

import asyncio
import os
import signal as signals
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import psutil

from benchmarks.speed.arm import Arm
from benchmarks.speed.arms.pipeline import signal

_CONSUMER = ("-m", "huey.bin.huey_consumer", "benchmarks.speed.arms.huey_tasks.huey", "-q")
_OPTIONS = ("--workers", "1", "--worker-type", "thread", "--delay", "0.002", "--max-delay", "0.002")


class HueyArm(Arm):
    """Enqueue, and wait for the stored result."""

    async def open(self, directory: Path) -> None:
        self._path = directory / "huey.db"
        os.environ["LICTOR_BENCH_HUEY"] = str(self._path)
        from benchmarks.speed.arms.huey_tasks import huey, nothing  # reads the environment

        self._storage, self._task = huey.storage, nothing
        if (synchronous := self._storage.conn.execute("pragma synchronous").fetchone()[0]) != 2:
            raise RuntimeError(f"wanted synchronous=FULL, got {synchronous}")
        self._consumer = subprocess.Popen([sys.executable, *_CONSUMER, *_OPTIONS])
        self._watched = psutil.Process(self._consumer.pid)

    async def submit(self, number: int) -> None:
        result = self._task(signal(number).decode())
        while result.get(preserve=True) is None:
            await asyncio.sleep(0.0005)

    async def submit_many(self, numbers: Sequence[int]) -> None:
        expected = self._storage.result_store_size() + len(numbers)
        for number in numbers:
            self._task(signal(number).decode())
        while self._storage.result_store_size() < expected:
            await asyncio.sleep(0.01)

    def cpu_s(self) -> float:
        used = self._watched.cpu_times()
        return float(used.user + used.system)

    async def close(self) -> int:
        self._consumer.send_signal(signals.SIGINT)  # Huey's own way to finish what runs and stop
        self._consumer.wait(20)
        with sqlite3.connect(self._path) as connection:
            return int(connection.execute("select count(*) from kv").fetchone()[0])
