"""DBOS on SQLite: a queue with a worker for each server of the downstream, in the process that submits.

It has no expiry of queued work; a workflow's time-out counts from its start. As documented: the queue, and that
time-out. Tuned: the file put into WAL mode first, polling as short as is sensible, and a check of the deadline in the
workflow itself, which ends at once where less than one and a half service times are left. Submitting is a transaction,
and has a thread of its own, so that it does not hold up the front. Two processes on one file were tried, and were far
slower.
"""

from __future__ import annotations

import queue
import sqlite3
import threading
import time

from dbos import DBOS, DBOSConfig, SetWorkflowTimeout

from benchmarks.failures.real.peers.acting import act
from benchmarks.failures.real.peers.peer import Peer

_QUEUE = "calls"


@DBOS.step()
def _act(number: int) -> None:
    act(number)


@DBOS.workflow()
def call(number: int, until_ns: int) -> None:
    """One call, unless it is too late for it."""
    if until_ns and time.monotonic_ns() > until_ns:
        return
    _act(number)


class Dbos(Peer):
    """Enqueue; its own threads work."""

    def begin(self) -> None:
        path = self.folder / "dbos.sqlite"
        if self.rig.tuned:
            with sqlite3.connect(path) as connection:
                connection.execute("pragma journal_mode = wal")
        config: DBOSConfig = {
            "name": "failures",
            "system_database_url": f"sqlite:///{path}",
            "log_level": "CRITICAL",
        }
        DBOS(config=config)
        DBOS.launch()
        polling_s = 0.02 if self.rig.tuned else 1.0
        self._queue = DBOS.register_queue(
            _QUEUE, worker_concurrency=self.rig.workload.servers, polling_interval_sec=polling_s
        )
        self._jobs: queue.SimpleQueue[tuple[int, float] | None] = queue.SimpleQueue()
        self._front = threading.Thread(target=self._enqueue_all, daemon=True)
        self._front.start()

    def submit(self, number: int, left_s: float) -> None:
        self._jobs.put((number, time.monotonic() + left_s))

    def _enqueue_all(self) -> None:
        while (job := self._jobs.get()) is not None:
            number, until_s = job
            limit_s = self.rig.workload.deadline_s if number >= 0 else None  # those that warm it up have time
            with SetWorkflowTimeout(limit_s):
                self._queue.enqueue(call, number, int(1e9 * until_s) if self.rig.tuned else 0)

    def end(self) -> None:
        while not self._jobs.empty():
            self._jobs.get_nowait()
        self._jobs.put(None)
        self._front.join(10)
        DBOS.destroy(workflow_completion_timeout_sec=0)
