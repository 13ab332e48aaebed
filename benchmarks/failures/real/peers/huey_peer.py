"""Huey on SQLite with fsync: `expires` is its own answer to stale work.

As documented: one consumer with as many threads as the downstream has servers, `expires` at the deadline. Tuned:
`expires` one and a half service times before it, and the shortest sensible polling.
"""

from __future__ import annotations

import os

from benchmarks.failures.real.peers.peer import Peer


class Huey(Peer):
    """Enqueue, and a consumer."""

    def begin(self) -> None:
        os.environ["LICTOR_BENCH_HUEY"] = str(self.folder / "huey.db")
        from benchmarks.failures.real.peers import huey_tasks  # reads the environment

        self._huey, self._task = huey_tasks.connected(os.environ["LICTOR_BENCH_HUEY"])
        polling = ("--delay", "0.005", "--max-delay", "0.005") if self.rig.tuned else ()
        servers = str(self.rig.workload.servers)
        self.work(
            "huey.bin.huey_consumer", f"{huey_tasks.__name__}.huey", "-q", "-w", servers, "-k", "thread", *polling
        )

    def submit(self, number: int, left_s: float) -> None:
        self._huey.enqueue(self._task.s(number, expires=max(left_s, 0.001)))

    def end(self) -> None:
        self._huey.storage.close()
