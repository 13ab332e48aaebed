"""A share that remembers the recent past: each observation weighs 1% less than the one after it. Pure.

Forward decay (Cormode et al., ICDE 2009): instead of shrinking all sums at each observation, the weight of the next
one grows, and all is scaled back before it would overflow. The ratios are the same and an observation costs three
additions.
"""

from __future__ import annotations

from collections.abc import Iterable

#: How much more the next observation weighs; the memory is about the last hundred.
GROWTH = 1 / 0.99
#: Everybody starts with the credit of this many good ones, so that one bad first impression condemns nobody.
CREDIT = 10.0
#: Weights are scaled back beyond this.
WEIGHT_MAX = 1e100


class Share:
    """The recent share of good ones."""

    __slots__ = ("good", "total", "weight")

    def __init__(self, weight: float = 1.0, good: float = CREDIT, total: float = CREDIT) -> None:
        self.weight = weight
        self.good = good
        self.total = total

    def note(self, *, good: bool) -> None:
        """One more."""
        self.extend((good,))

    def extend(self, goods: Iterable[bool]) -> None:
        """Many more, in order."""
        weight, sum_good, total = self.weight, self.good, self.total
        for good in goods:
            if good:
                sum_good += weight
            total += weight
            if weight > WEIGHT_MAX:
                sum_good /= weight
                total /= weight
                weight = 1.0
            weight *= GROWTH
        self.weight, self.good, self.total = weight, sum_good, total

    @property
    def value(self) -> float:
        """In 0 to 1; 1 while nothing is known."""
        return self.good / self.total

    def values(self) -> list[float]:
        """What `Share(*values)` takes up again, exactly."""
        return [self.weight, self.good, self.total]
