"""Budgets as recorded facts have them: what is settled and what is reserved in each window never passes the limit (I3).

Kept apart from the engine's own arithmetic, which is held to it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from lictor.errors import InvariantViolation
from lictor.records import Amount

Hold = tuple[str, str, int | None]


@dataclass(slots=True)
class Account:
    """One scope of one budget: by window, what is settled and what is reserved."""

    limit: Amount
    window_us: int | None
    latched: bool = False
    settled: dict[int | None, Amount] = field(default_factory=dict)
    reserved: dict[int | None, Amount] = field(default_factory=dict)


class Escrow:
    """All accounts of one history."""

    def __init__(self) -> None:
        self.accounts: dict[tuple[str, str], Account] = {}

    def limit(self, budget: str, scope: str, limit: Amount, window_s: float | None, *, reset_latch: bool) -> None:
        """A limit is in force from now on."""
        account = self.accounts.get((budget, scope))
        window_us = round(window_s * 1e6) if window_s else None
        if account is None:
            account = self.accounts[budget, scope] = Account(limit, window_us)
        elif window_s is not None and window_us != account.window_us:
            account.window_us = window_us
            account.settled = {window: used for window, used in account.settled.items() if account.reserved.get(window)}
        account.limit = limit
        if reset_latch:
            account.latched = False

    def reserve(self, hold: Hold, amount: Amount, at_us: int, who: str) -> None:
        """An admission holds an amount that nobody held before."""
        budget, scope, window = hold
        account = self.accounts.get((budget, scope))
        if account is None:
            raise InvariantViolation("I3", f"{who} reserves {amount} of {budget}/{scope}, which has no limit")
        total = account.settled.get(window, 0) + account.reserved.get(window, 0) + amount
        if amount and (amount < 0 or total > account.limit or account.latched):
            why = "latched" if account.latched else f"{total} of {account.limit}"
            raise InvariantViolation("I3", f"{who} reserves {amount} of {budget}/{scope}: {why}")
        if account.window_us is not None and window != at_us - at_us % account.window_us:
            raise InvariantViolation("I3", f"{who} reserves in the window {window} at {at_us}")
        account.reserved[window] = account.reserved.get(window, 0) + amount

    def settle(self, hold: Hold, held: Amount, used: Amount) -> None:
        """A held amount became the used one."""
        budget, scope, window = hold
        account = self.accounts[budget, scope]
        account.reserved[window] = account.reserved.get(window, 0) - held
        account.settled[window] = account.settled.get(window, 0) + used
        if account.reserved[window] < 0:
            raise InvariantViolation("I3", f"{budget}/{scope} releases more than was reserved")
        if used > held > 0:
            account.latched = True
        self._latch(account, window, held, used)

    def book(self, budget: str, scope: str, amount: Amount, at_us: int) -> None:
        """An amount was used that nobody had reserved."""
        account = self.accounts.get((budget, scope))
        if account is not None:
            window = None if account.window_us is None else at_us - at_us % account.window_us
            account.settled[window] = account.settled.get(window, 0) + amount
            self._latch(account, window, 0, amount)

    @staticmethod
    def _latch(account: Account, window: int | None, held: Amount, used: Amount) -> None:
        total = account.settled.get(window, 0) + account.reserved.get(window, 0)
        if used > held and (held > 0 or total > account.limit):
            account.latched = True

    def leaks(self) -> list[str]:
        """What is still reserved."""
        return [
            f"{budget}/{scope}: {amount} in window {window}"
            for (budget, scope), account in self.accounts.items()
            for window, amount in account.reserved.items()
            if amount
        ]
