"""What stands in front of the server: what people do today, the best that is published, and Lictor's own policy code.

Every arm has `arrive(job)`; what it does with the job it tells by the job's own fields.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Protocol

from benchmarks.failures.virtual.arms.best_known import BestKnown
from benchmarks.failures.virtual.arms.lictor import Lictor
from benchmarks.failures.virtual.arms.limits import Gradient2, Vegas
from benchmarks.failures.virtual.arms.naive import Naive
from benchmarks.failures.virtual.arms.semaphore import Semaphore
from benchmarks.failures.virtual.world import Job, Server, World


class Arm(Protocol):
    """What stands in front of the server."""

    def arrive(self, job: Job) -> None:
        """A decision has come."""


#: From the world, its server and a seed, an arm.
Factory = Callable[[World, Server, int], Arm]

GRADIENT2, VEGAS = "best-known (Gradient2)", "best-known (Vegas)"

ARMS: dict[str, Factory] = {
    "naive": Naive,
    "semaphore": Semaphore,
    GRADIENT2: partial(BestKnown, limit=Gradient2),
    VEGAS: partial(BestKnown, limit=Vegas),
    "lictor": Lictor,
}
