"""Dramatiq with Redis: `max_age` is its own answer to stale work.

As documented: one worker process with as many threads as the downstream has servers, `max_age` at the deadline. Tuned:
`max_age` one and a half service times before it. Prefetching fewer messages was tried too, and was worse.
"""

from __future__ import annotations

import os

from benchmarks.failures.real.peers.peer import Peer
from benchmarks.failures.real.peers.redis_server import RedisServer


class Dramatiq(Peer):
    """`send_with_options`, and a worker."""

    def begin(self) -> None:
        self._redis = RedisServer(self.folder)
        os.environ["LICTOR_BENCH_BROKER"] = self._redis.url
        from benchmarks.failures.real.peers import dramatiq_tasks  # reads the environment

        self._actor = dramatiq_tasks.connected(self._redis.url)
        servers = str(self.rig.workload.servers)
        self.work("dramatiq", dramatiq_tasks.__name__, "--processes", "1", "--threads", servers)

    def submit(self, number: int, left_s: float) -> None:
        self._actor.send_with_options(args=(number,), max_age=max(1, int(1e3 * left_s)))

    def end(self) -> None:
        self._actor.broker.close()
        self._redis.stop()
