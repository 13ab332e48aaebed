"""How many seeds it takes to find that a safeguard is missing."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

from tests.simulation.ablations import Ablation

from lictor import InvariantViolation, LictorError
from lictor.testing.simulator import simulate
from lictor.testing.swarm import Swarm


class Found(NamedTuple):
    """The hunt for one missing safeguard, from one seed on."""

    seeds: int | None
    #: What was found on the way, by name of the invariant; another promise may break first.
    names: Counter[str]
    detail: str


def hunt(ablation: Ablation, first: int, seeds_max: int) -> Found:
    """Run seeds until the invariant that the safeguard keeps is found broken; None when it is not within the bound."""
    names: Counter[str] = Counter()
    with ablation.patch():
        for count in range(1, seeds_max + 1):
            try:
                simulate(first + count - 1, Swarm)
            except InvariantViolation as violation:
                names[violation.name] += 1
                if violation.name == ablation.invariant:
                    return Found(count, names, violation.detail)
            except (LictorError, ExceptionGroup) as error:
                names[type(error).__name__] += 1
    return Found(None, names, "")
