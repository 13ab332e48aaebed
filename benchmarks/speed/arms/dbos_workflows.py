"""DBOS on SQLite: one workflow with one step that does nothing.

As documented: workflows started in the background, results awaited. `tuned` is the fastest that was found by hand:
the file put into WAL mode before DBOS opens it (its own default is a rollback journal, and its configuration offers
no other), and plain synchronous workflows called one after the other, because concurrency only adds waiting for the
one writer. Both are `synchronous=FULL`. Its queues were tried too: slower, and idle they answer at their polling
interval.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence
from pathlib import Path

from dbos import DBOS, DBOSConfig

from benchmarks.speed.arm import Arm
from benchmarks.speed.arms.pipeline import signal


@DBOS.step()
async def _nothing(body: str) -> str:
    return body[:8]


@DBOS.workflow()
async def _pay(body: str) -> str:
    return await _nothing(body)


@DBOS.step()
def _nothing_plain(body: str) -> str:
    return body[:8]


@DBOS.workflow()
def _pay_plain(body: str) -> str:
    return _nothing_plain(body)


class DbosArm(Arm):
    """Start a workflow, and wait for its recorded result."""

    async def open(self, directory: Path) -> None:
        self._path = directory / "dbos.sqlite"
        if self.run.tuned:
            with sqlite3.connect(self._path) as connection:
                connection.execute("pragma journal_mode = wal")
        config: DBOSConfig = {
            "name": "speed",
            "system_database_url": f"sqlite:///{self._path}",
            "log_level": "ERROR",
        }
        DBOS(config=config)
        DBOS.launch()

    async def submit(self, number: int) -> None:
        if self.run.tuned:
            _pay_plain(signal(number).decode())
            return
        handle = await DBOS.start_workflow_async(_pay, signal(number).decode())
        await handle.get_result()

    async def submit_many(self, numbers: Sequence[int]) -> None:
        if self.run.tuned:
            await asyncio.to_thread(self._one_by_one, numbers)
        else:
            await asyncio.gather(*(self.submit(number) for number in numbers))

    def _one_by_one(self, numbers: Sequence[int]) -> None:
        for number in numbers:
            _pay_plain(signal(number).decode())

    async def close(self) -> int:
        await asyncio.to_thread(DBOS.destroy)
        with sqlite3.connect(self._path) as connection:
            if (synchronous := connection.execute("pragma synchronous").fetchone()[0]) != 2:
                raise RuntimeError(f"wanted synchronous=FULL, got {synchronous}")
            counted = connection.execute("select count(*) from workflow_status where status = 'SUCCESS'").fetchone()
            return int(counted[0])
