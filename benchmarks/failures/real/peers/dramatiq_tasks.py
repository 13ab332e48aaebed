"""What Dramatiq's worker imports: a broker where the environment says, and its one actor."""

from __future__ import annotations

import os
from typing import Any

import dramatiq
from dramatiq.brokers.redis import RedisBroker

from benchmarks.failures.real.peers.acting import act


def connected(url: str) -> Any:
    """The actor on a broker of its own."""
    broker = RedisBroker(url=url)
    dramatiq.set_broker(broker)
    return dramatiq.actor(broker=broker, max_retries=0, actor_name="call")(act)


call = connected(os.environ["LICTOR_BENCH_BROKER"])
