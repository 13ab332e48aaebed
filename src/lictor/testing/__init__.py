"""Shipped to users: a deterministic loop with virtual time, machines that crash, clocks that drift, and seeded faults.

from lictor.testing import SimLoop, run

async def main(loop: SimLoop) -> None: ...

def test_payout() -> None:
    for seed in range(200):
        run(seed, main)
"""

from lictor.testing.clock import SimClock
from lictor.testing.faults import Faults, each_strike, scripted_faults, seeded_faults
from lictor.testing.fence import FenceError
from lictor.testing.loop import SimLoop
from lictor.testing.machine import Crashed, Machine
from lictor.testing.run import Run, run
from lictor.testing.streams import Streams
from lictor.testing.stuck import DeadlockError, LivelockError
from lictor.testing.trace import Trace

__all__ = [
    "Crashed",
    "DeadlockError",
    "Faults",
    "FenceError",
    "LivelockError",
    "Machine",
    "Run",
    "SimClock",
    "SimLoop",
    "Streams",
    "Trace",
    "each_strike",
    "run",
    "scripted_faults",
    "seeded_faults",
]
