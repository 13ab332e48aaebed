"""The budget of extra attempts: retries and hedges. Pure.

Each first attempt deposits `share` tokens, each extra attempt takes one; extra work is therefore at most `share` of
first work plus the start balance, whatever fails (`research/overload.md` 1.4: rho * (1 + b) < 1 is the condition of
escape). No token is no retry: nobody waits for one.
"""

from __future__ import annotations

#: What a pool starts with: enough for a quiet system to survive a hiccup, too little for a storm.
START_BALANCE = 3.0
#: What a pool holds at most.
BALANCE_MAX = 50.0
#: Extra attempts of one root decision, shared by all its descendants.
EXTRA_PER_ROOT_MAX = 3


class ExtraWorkPool:
    """The pool of one effector."""

    __slots__ = ("share", "tokens")

    def __init__(self, share: float) -> None:
        self.share = share
        self.tokens = START_BALANCE if share > 0 else 0.0

    def deposit(self) -> None:
        """A first attempt was made."""
        self.tokens = min(BALANCE_MAX, self.tokens + self.share)

    def withdraw(self) -> bool:
        """Take a token for one extra attempt; False when there is none."""
        if self.tokens < 1.0:
            return False
        self.tokens -= 1.0
        return True


def backoff_s(attempt: int, base_s: float, max_s: float, draw: float) -> float:
    """Full jitter: uniform between 0 and min(max, base * 2^(attempt - 1)); `draw` is uniform in 0 to 1."""
    return draw * min(max_s, base_s * 2.0 ** min(attempt - 1, 40))
