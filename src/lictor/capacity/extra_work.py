"""The budget of extra attempts: retries and hedges. Pure.

Each first attempt deposits `share` tokens, each extra attempt takes one; extra work is therefore at most `share` of
first work plus what a pool starts with, whatever fails (`research/overload.md` 1.4: rho * (1 + b) < 1 is the condition
of escape). The start balance is a loan that the first deposits repay, so that over any long run `share` alone is the
bound. No token is no retry: nobody waits for one.

Budgets of layers that call each other would multiply: (1 + b) to the power of their number. So what nests draws on two
pools: its own effector's, and that of the whole tree, which is kept with the effector of the root decision. A tree
earns one deposit for each decision at its leaves, and only there, and none for a child of an attempt that is itself
extra: all layers together then make at most `share` extra attempts for each call of the lowest.
"""

from __future__ import annotations

#: What a pool starts with: enough for a quiet system to survive a hiccup, too little for a storm.
START_BALANCE = 3.0
#: What a pool holds at most.
BALANCE_MAX = 50.0
#: Extra attempts of one root decision, shared by all its descendants.
EXTRA_PER_ROOT_MAX = 3


class ExtraWorkPool:
    """The pool of one effector, or of the trees whose roots it performs."""

    __slots__ = ("_earned", "_spent", "share")

    def __init__(self, share: float) -> None:
        self.share = share
        self._earned = 0.0
        self._spent = 0.0

    @property
    def tokens(self) -> float:
        """What may be withdrawn now: what was earned, or the start balance while that is more, less what was spent."""
        lent = START_BALANCE if self.share > 0.0 else 0.0
        return min(BALANCE_MAX, max(self._earned, lent) - self._spent)

    def deposit(self) -> None:
        """A first attempt was made."""
        self._earned += self.share

    def withdraw(self) -> bool:
        """Take a token for one extra attempt; False when there is none."""
        if self.tokens < 1.0:
            return False
        self._spent = max(self._spent, self._earned - BALANCE_MAX) + 1.0  # what was earned beyond the most is gone
        return True


def backoff_s(attempt: int, base_s: float, max_s: float, draw: float) -> float:
    """Full jitter: uniform between 0 and min(max, base * 2^(attempt - 1)); `draw` is uniform in 0 to 1."""
    return draw * min(max_s, base_s * 2.0 ** min(attempt - 1, 40))
