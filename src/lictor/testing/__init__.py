"""Shipped to users: a deterministic loop with virtual time, machines that crash, clocks that drift, and seeded faults.

from lictor.testing import SimLoop, run

async def main(loop: SimLoop) -> None: ...

def test_payout() -> None:
    for seed in range(200):
        run(seed, main)

A whole node, crashed and restarted in a world that fails, is `simulate(seed, scenario)`: docs/guides/testing.md.
"""

from lictor.testing.clock import SimClock
from lictor.testing.faults import Faults, each_strike, scripted_faults, seeded_faults
from lictor.testing.fence import FenceError
from lictor.testing.loop import SimLoop
from lictor.testing.machine import Crashed, Machine
from lictor.testing.run import Run, run
from lictor.testing.simulated import Simulated
from lictor.testing.simulation import Scenario, Simulation
from lictor.testing.simulator import simulate
from lictor.testing.streams import Streams
from lictor.testing.stuck import DeadlockError, LivelockError
from lictor.testing.swarm import Swarm
from lictor.testing.trace import Trace
from lictor.testing.world import Party, World

__all__ = [
    "Crashed",
    "DeadlockError",
    "Faults",
    "FenceError",
    "LivelockError",
    "Machine",
    "Party",
    "Run",
    "Scenario",
    "SimClock",
    "SimLoop",
    "Simulated",
    "Simulation",
    "Streams",
    "Swarm",
    "Trace",
    "World",
    "each_strike",
    "run",
    "scripted_faults",
    "seeded_faults",
    "simulate",
]
