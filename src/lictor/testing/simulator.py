"""Simulates a whole node from a seed: one incarnation after another, on one disk, in a world that fails.

    def test_payouts() -> None:
        for seed in range(200):
            simulate(seed, Payouts())

A scenario says which App runs and what people do. The simulator draws the rest from the seed: which kinds of faults
there are at all, where the machine crashes, how clocks drift and jump, the order of all steps. First faults strike and
what was promised must hold; then they stop and everything must come to an end. Two runs of one seed are the same.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from lictor.errors import LictorError
from lictor.testing.faults import Faults
from lictor.testing.loop import SimLoop
from lictor.testing.run import run
from lictor.testing.simulated import Simulated
from lictor.testing.simulation import Scenario, Simulation

STEPS_MAX = 400_000


def simulate(
    seed: int,
    scenario: Callable[[SimLoop], Scenario],
    *,
    faults: Callable[[SimLoop], Faults] | None = None,
    sqlite: bool = False,
    keep_trace: bool = False,
) -> Simulated:
    """Run one seed.

    Args:
        seed: everything that is drawn comes from it.
        scenario: makes the scenario of a run; what it draws it takes from `loop.streams.of("workload")`.
        faults: which faults strike; drawn from the seed where None.
        sqlite: keep the journal in a real file instead of in memory.
        keep_trace: keep all steps for the trace.

    Raises:
        InvariantViolation: a promise was broken; its note says how to replay it.
        DeadlockError: a wake-up was lost.
        LivelockError: the run does not end.
    """
    simulations: list[Simulation] = []

    async def main(loop: SimLoop) -> Simulated:
        made = Simulation(loop, scenario(loop), faults=faults(loop) if faults else None, sqlite=sqlite)
        simulations.append(made)
        return await made.main()

    log = logging.getLogger("lictor")
    level = log.level
    log.setLevel(logging.CRITICAL + 1)  # thousands of runs tell nothing; the trace is what one replays
    try:
        done = run(seed, main, steps_max=STEPS_MAX, keep_trace=keep_trace)
    except (LictorError, ExceptionGroup) as error:
        drawn = getattr(simulations[0].scenario, "drawn", {}) if simulations else {}
        error.add_note(f"seed {seed}{', sqlite' if sqlite else ''}; drawn: {drawn}")
        found = simulations[0].violation if simulations else None
        if found is not None and found is not error:
            raise found from error
        raise
    finally:
        log.setLevel(level)
    result = done.value
    result.digest, result.steps, result.time_s = done.digest, done.steps, done.time_s
    return result
