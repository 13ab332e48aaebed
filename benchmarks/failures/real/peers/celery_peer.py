"""Celery with Redis: `expires` is its own answer to stale work.

As documented: the default pool with as many processes as the downstream has servers, results ignored because nobody
asks for them, `expires` at the deadline. Tuned: `expires` one and a half service times before it, and `prefetch` 1.
"""

from __future__ import annotations

import os

from benchmarks.failures.real.peers.peer import Peer
from benchmarks.failures.real.peers.redis_server import RedisServer


class Celery(Peer):
    """`apply_async`, and a worker."""

    def begin(self) -> None:
        self._redis = RedisServer(self.folder)
        os.environ["LICTOR_BENCH_BROKER"] = self._redis.url
        from benchmarks.failures.real.peers import celery_tasks  # reads the environment

        self._app, self._task = celery_tasks.connected(self._redis.url)
        prefetch = ("--prefetch-multiplier", "1") if self.rig.tuned else ()
        servers = str(self.rig.workload.servers)
        self.work("celery", "-A", celery_tasks.__name__, "worker", "--concurrency", servers, *prefetch)

    def submit(self, number: int, left_s: float) -> None:
        self._task.apply_async((number,), expires=left_s)

    def end(self) -> None:
        self._app.close()
        self._redis.stop()
