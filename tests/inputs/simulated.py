"""Runs a node in virtual time, on a disk that outlives it, as the tests of the door need it."""

from contextlib import asynccontextmanager

from lictor import Node, Settings
from lictor.journal.memory import MemoryDisk, MemoryJournal
from lictor.runtime.offload import inline
from lictor.runtime.randomness import Randomness
from lictor.testing import SimClock, run


def simulate(main, seed: int = 1):
    """What `main(clock)` returns when it is run in simulation."""

    async def with_clock(loop):
        return await main(SimClock(loop))

    return run(seed, with_clock).value


@asynccontextmanager
async def node_on(app, clock, disk: MemoryDisk | None = None, **settings):
    """A running node on a disk; leaving stops it, and the disk can be given to the next."""
    node = Node(
        app,
        MemoryJournal(disk),
        settings=Settings(tune_collector=False, **settings),
        clock=clock,
        randomness=Randomness(1),
        lanes=inline,
    )
    async with node:
        yield node
