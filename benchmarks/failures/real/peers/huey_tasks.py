"""What Huey's consumer imports: a queue on the SQLite file that the environment names, and its one task."""

from __future__ import annotations

import os
from typing import Any

from huey import SqliteHuey

from benchmarks.failures.real.peers.acting import act


def connected(path: str) -> tuple[SqliteHuey, Any]:
    """A queue on a file, and the task on it."""
    queue = SqliteHuey("failures", filename=path, fsync=True, results=False)
    return queue, queue.task(name="call")(act)


huey, call = connected(os.environ["LICTOR_BENCH_HUEY"])
