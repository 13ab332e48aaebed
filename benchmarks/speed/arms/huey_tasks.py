"""What Huey's consumer imports: a queue on the SQLite file that the environment names, and a task that does nothing."""

from __future__ import annotations

import os

from huey import SqliteHuey

#: `fsync=True` is Huey's own switch for `synchronous=FULL`; WAL is its default.
huey = SqliteHuey("speed", filename=os.environ["LICTOR_BENCH_HUEY"], fsync=True)


@huey.task()
def nothing(signal: str) -> str:
    """Do nothing; the result is stored, which is what makes the outcome durable."""
    return signal[:8]
