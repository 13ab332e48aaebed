"""Where faults strike in a simulated run: drawn from the seed, or written down one by one.

Every place in which a fault can happen asks `faults.strikes(kind, point)`, and acts on the answer itself. Both are
counted, so that a campaign can show which faults its seeds never reached. A point is named the same in every process,
such as `admit:committed`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping

from lictor.testing.loop import SimLoop

#: A kind of fault, the point at which it may strike, and the how-manieth time that the point asks, from 1.
Strike = tuple[str, str, int]


class Faults:
    """Answers whether a fault strikes, counts, and notes each strike in the trace."""

    def __init__(self, loop: SimLoop, decide: Callable[[str, str, int], bool], *, strikes_max: int = 1_000) -> None:
        self.asked: Counter[tuple[str, str]] = Counter()
        self.struck: Counter[tuple[str, str]] = Counter()
        self._loop = loop
        self._decide = decide
        self._strikes_left = strikes_max

    def strikes(self, kind: str, point: str) -> bool:
        """Does this kind of fault strike here, this time?"""
        self.asked[kind, point] += 1
        if self._strikes_left == 0 or not self._decide(kind, point, self.asked[kind, point]):
            return False
        self._strikes_left -= 1
        self.struck[kind, point] += 1
        self._loop.note("fault", f"{kind} at {point}")
        return True

    def stop(self) -> None:
        """No more faults: from here on, everything must come to an end (I18)."""
        self._strikes_left = 0

    def amount(self, kind: str, low: float, high: float) -> float:
        """How big the fault is: a delay in seconds, a jump of a clock; drawn evenly from its kind's own stream."""
        return self._loop.streams.of(f"faults/{kind}/amount").uniform(low, high)

    def steps(self, kind: str, mean: float) -> int:
        """After how many further steps the next fault of this kind comes, at random with that mean; see `at_step`."""
        return 1 + int(self._loop.streams.of(f"faults/{kind}/steps").expovariate(1.0 / mean))


def seeded_faults(
    loop: SimLoop, chances: Mapping[str, float], *, active: float = 0.5, strikes_max: int = 1_000
) -> Faults:
    """Faults of these kinds, each with its chance at each ask.

    Each seed first draws which kinds it has at all, with the chance `active` for each, because a seed with few kinds of
    faults reaches states that one with all of them does not. Every point has a stream of its own: a new point
    in the code does not reshuffle the faults at the others.
    """
    streams = loop.streams
    live = {kind for kind in chances if streams.of(f"faults/{kind}").random() < active}

    def decide(kind: str, point: str, _time: int) -> bool:
        return kind in live and streams.of(f"faults/{kind}/{point}").random() < chances[kind]

    return Faults(loop, decide, strikes_max=strikes_max)


def scripted_faults(loop: SimLoop, script: Collection[Strike]) -> Faults:
    """Exactly these. With an empty script it only counts who asks."""
    return Faults(loop, lambda kind, point, time: (kind, point, time) in script)


def each_strike(asked: Mapping[tuple[str, str], int]) -> Iterator[Strike]:
    """Every single fault that a run that asked so often could have met, to be tried one by one."""
    for kind, point in sorted(asked):
        for time in range(1, asked[kind, point] + 1):
            yield kind, point, time
