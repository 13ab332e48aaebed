"""A rate or quota that many nodes share, lent in chunks: how central it is, and what that costs. Pure, no clock.

One coordinator has the tokens; a node asks for a chunk, uses it up by itself, and gives back nothing but what its lease
outlives. A chunk of 1 is fully central: each action asks. What follows, with n nodes and chunk c (after Doorman, and
escrow in O'Neil 1986):

    calls to the coordinator per action    1 / c, while chunks are used before their lease ends
    quota stranded on other nodes          at most n c
    used in any stretch beyond the limit   at most 2 n c: lent before it began, and saved by the coordinator
    quota that moves to who needs it       within the lease's time

Without the coordinator a node goes on by `on_disconnect`: `halt` (only what it has been lent), `safe` (a share that it
may always use) or `continue` (whatever it wants, so that nothing bounds what is used beyond the limit).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import Literal

OnDisconnect = Literal["halt", "safe", "continue"]


@dataclass(frozen=True, slots=True)
class Terms:
    """How it is lent. `safe_per_s` is what each node may use without the coordinator, where that is `safe`."""

    chunk: float
    ttl_s: float
    on_disconnect: OnDisconnect = "halt"
    safe_per_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Consequences:
    """What follows from terms, in actions, for nodes that each want `want_per_s`."""

    calls_per_action: float
    stranded_max: float
    #: Beyond the limit in any stretch while all is connected, and by each second of a partition.
    overshoot_max: float
    overshoot_per_s: float
    #: Share of what cut-off nodes want that they cannot do.
    lost: float
    moves_within_s: float


def consequences(terms: Terms, *, nodes: int, cut_off: int, want_per_s: float) -> Consequences:
    """What these terms come to with so many nodes, `cut_off` of which cannot reach the coordinator."""
    own = {"halt": 0.0, "safe": min(terms.safe_per_s, want_per_s), "continue": want_per_s}[terms.on_disconnect]
    return Consequences(
        calls_per_action=1.0 / terms.chunk,
        stranded_max=nodes * terms.chunk,
        overshoot_max=2 * nodes * terms.chunk,
        overshoot_per_s=cut_off * own,
        lost=1.0 - own / want_per_s if want_per_s else 0.0,
        moves_within_s=terms.ttl_s,
    )


class Coordinator:
    """The tokens of one limit; it saves at most `burst`, a chunk a node. What is lent is spent, or comes back."""

    __slots__ = ("_at", "_tokens", "asked", "burst", "lent", "per_s")

    def __init__(self, per_s: float, burst: float, now: float) -> None:
        self.per_s = per_s
        self.burst = burst
        self._tokens = burst
        self._at = now
        self.asked = 0
        self.lent = 0.0

    def ask(self, count: float, now: float) -> float:
        """Lend at most so much; what is lent in any stretch is at most its rate times the stretch plus the burst."""
        self._pass(now)
        self.asked += 1
        lent = min(count, self._tokens)
        self._tokens -= lent
        self.lent += lent
        return lent

    def give_back(self, count: float, now: float) -> None:
        """A lease has ended with so much unused."""
        self._pass(now)
        self._tokens = min(self.burst, self._tokens + count)
        self.lent -= count

    def _pass(self, now: float) -> None:
        self._tokens = min(self.burst, self._tokens + (now - self._at) * self.per_s)
        self._at = now


class Holder:
    """What one node has been lent, and what it does without the coordinator."""

    __slots__ = ("_own", "_own_at", "cut_off", "terms", "tokens", "until")

    def __init__(self, terms: Terms) -> None:
        self.terms = terms
        self.tokens = 0.0
        self.until = -inf
        #: The coordinator cannot be reached.
        self.cut_off = False
        self._own = 0.0
        self._own_at = 0.0

    def take(self, now: float) -> bool:
        """Use one token of those that are here; False where there is none, and the coordinator has to be asked."""
        if self.tokens >= 1.0 and now < self.until:
            self.tokens -= 1.0
        elif not self._on_its_own(now):
            return False
        return True

    def lent(self, count: float, now: float) -> None:
        """The coordinator has answered; it is reached again."""
        self.cut_off = False
        self.tokens = (self.tokens if now < self.until else 0.0) + count
        self.until = now + self.terms.ttl_s

    def ended(self, now: float) -> float:
        """What a lease that is over leaves, to be given back; 0 while it runs."""
        if now < self.until or self.tokens <= 0.0:
            return 0.0
        left, self.tokens = self.tokens, 0.0
        return left

    def lost(self, now: float) -> None:
        """The coordinator did not answer: from now on by `on_disconnect`."""
        if not self.cut_off:
            self.cut_off, self._own, self._own_at = True, 0.0, now

    def _on_its_own(self, now: float) -> bool:
        if not self.cut_off or self.terms.on_disconnect != "safe":
            return self.cut_off and self.terms.on_disconnect == "continue"
        per_s = self.terms.safe_per_s
        self._own = min(max(1.0, per_s), self._own + (now - self._own_at) * per_s)
        self._own_at = now
        if self._own < 1.0:
            return False
        self._own -= 1.0
        return True
