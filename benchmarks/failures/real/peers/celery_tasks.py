"""What Celery's worker imports: an application on the broker that the environment names, and its one task."""

from __future__ import annotations

import os
from typing import Any

from celery import Celery

from benchmarks.failures.real.peers.acting import act


def connected(url: str) -> tuple[Celery, Any]:
    """An application of its own, and the task."""
    made = Celery("failures", broker=url)
    made.conf.broker_connection_retry_on_startup = True
    return made, made.task(name="call", ignore_result=True)(act)


app, call = connected(os.environ["LICTOR_BENCH_BROKER"])
