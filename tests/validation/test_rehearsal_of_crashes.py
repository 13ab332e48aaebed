"""Rehearsing what a simulated node leaves after crashes, clock jumps and a failing world changes nothing either."""

from __future__ import annotations

import asyncio
from collections import Counter

from lictor.journal.memory import MemoryJournal
from lictor.surfaces.rehearsing import rehearse
from lictor.testing.simulator import simulate
from lictor.testing.swarm import Swarm

SEEDS = range(40)


class Watched(Swarm):
    """The campaign's scenario, which remembers its run."""

    last: Watched

    async def people(self, sim) -> None:
        Watched.last, self.sim = self, sim
        await super().people(sim)


def rehearsed(seed: int):
    """The result; None where the seed deploys other gates on the way, so that there are no rules that ran."""
    simulate(seed, Watched)
    ran = Watched.last
    if "policy changes" in ran.features:
        return None

    async def main():
        journal = MemoryJournal(ran.sim._disk)
        await journal.open(0)
        return await rehearse(ran.app(ran.sim.world, 0), journal)

    return asyncio.run(main())


def test_the_rules_that_ran_change_nothing_whatever_happened_to_the_node() -> None:
    seen: Counter[str] = Counter()
    for seed in SEEDS:
        found = rehearsed(seed)
        if found is None:
            continue
        assert (found.changed, found.undecidable, found.assumed) == (0, 0, 0), (seed, found.matrix, found.reasons)
        for use in found.use:
            assert (use.limit_then, use.peak_then, use.end_then) == (use.limit_now, use.peak_now, use.end_now), seed
        seen.update(found.then)
    told = " ".join(seen)
    for part in ("PARENT_INVALID", "held(", "deferred(", "BUDGET_EXCEEDED"):
        assert part in told, (part, seen)
