"""What the desk has done: position, result, own orders that rest, messages and trades. In memory, from reports.

The position that limits rest on is the journal's (balances `long` and `short`); this one is for what balances do not
hold: profit and loss, self-trade prevention, order-to-trade and the execution throttle. Rebuilt after a restart from
the outcomes in the journal, except for what is only about the last minutes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypedDict

from lictor.desks.trading.limits import ExecutionThrottle
from lictor.desks.trading.policy import Policy

SENT_KEPT_MAX = 500


class Summary(TypedDict):
    """The blotter as gates see it. Money in cents x 1e-8 BTC."""

    position: int
    #: Money received less paid, without the position; None-free, so that it can be marked.
    cash: int
    #: Own resting orders: side, price, quantity.
    resting: list[list[int]]
    messages: int
    trades: int
    #: Content of recent orders -> when it was last sent.
    sent: dict[str, int]


@dataclass(slots=True)
class Blotter:
    """One book of one desk."""

    policy: Policy
    position: int = 0
    cash: int = 0
    messages: int = 0
    trades: int = 0
    resting: dict[str, tuple[int, int, int]] = field(default_factory=dict)
    sent: dict[str, int] = field(default_factory=dict)
    throttles: dict[str, ExecutionThrottle] = field(default_factory=dict)

    def sending(self, source: str, side: int, qty: int, price: int, at_us: int) -> None:
        """An order goes out."""
        self.messages += 1
        self.sent[content(source, side, qty, price)] = at_us
        while len(self.sent) > SENT_KEPT_MAX:
            del self.sent[next(iter(self.sent))]

    def filled(self, source: str, side: int, qty: int, money: int, at_us: int) -> bool:
        """Some of it traded; True when that was one execution too many for its source."""
        self.trades += 1
        self.position += side * qty
        self.cash -= side * money
        before = self.throttles.get(source) or self._throttle()
        after = self.throttles[source] = before.executed(at_us)
        return after.latched_us is not None and before.latched_us is None

    def reenabled(self, source: str, person: str) -> None:
        """A named person lets a source go on after its throttle latched."""
        self.throttles[source] = (self.throttles.get(source) or self._throttle()).reenabled(person)

    def _throttle(self) -> ExecutionThrottle:
        return ExecutionThrottle(self.policy.executions_max, int(self.policy.executions_window_s * 1e6))

    def result(self, mid_half_cents: int) -> int:
        """Profit (or loss, below zero) if the position were closed at the mid; in cents x 1e-8 BTC."""
        return self.cash + self.position * mid_half_cents // 2

    def summary(self) -> Summary:
        """What gates read."""
        return {
            "position": self.position,
            "cash": self.cash,
            "resting": [list(order) for order in self.resting.values()],
            "messages": self.messages,
            "trades": self.trades,
            "sent": dict(self.sent),
        }


def content(source: str, side: int, qty: int, price: int) -> str:
    """Names what an order is, for the search for one sent twice."""
    return f"{source} {'buy' if side > 0 else 'sell'} {qty} at {price}"
