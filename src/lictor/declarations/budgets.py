"""Budgets: a balance that is reserved and settled, a rate of tokens a second."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from hashlib import sha256
from typing import Any

from lictor.errors import DeclarationError
from lictor.records import Amount, Decision

#: How a scope's name is found: "all", "tenant", "source", "kind", the name of a payload field, or a function of the
#: payload.
Per = str | Callable[[Any], str]
Limit = Amount | Mapping[str, Amount] | Callable[[str], Amount]


@dataclass(frozen=True, slots=True)
class Reserve:
    """What a gate asks to be held if the decision is admitted."""

    balance: Balance
    amount: Amount


@dataclass(frozen=True, slots=True, eq=False)
class Balance:
    """Money, position or quota: reserved at admission, settled to the true amount or released by the outcome."""

    name: str
    limit: Limit
    per: Per = "all"
    #: None is one unending window; else the limit holds for each window of this length.
    window_s: float | None = None

    def reserve(self, amount: Amount) -> Reserve:
        """Ask for an amount; give the result to `allow`.

        Raises:
            TypeError: not an integer or Decimal.
            ValueError: negative, or not a number.
        """
        check_amount(amount, self.name)
        if amount < 0:
            raise ValueError(f"{self.name}: cannot reserve {amount}; reserve the absolute amount")
        return Reserve(self, amount)

    def declared_limit(self) -> Any:
        """The limit as it is declared, as plain data, to see whether a deploy has changed it."""
        if isinstance(self.limit, Mapping):
            return {scope: str(amount) for scope, amount in sorted(self.limit.items())}
        if callable(self.limit):
            code = getattr(self.limit, "__code__", None)
            if code is None:
                return type(self.limit).__name__
            numbers = [const for const in code.co_consts if isinstance(const, int | float | str | Decimal)]
            return sha256(code.co_code + repr(numbers).encode()).hexdigest()[:12]
        return str(self.limit)

    def limit_for(self, scope: str) -> Amount:
        """The declared limit of one scope.

        Raises:
            TypeError: a function of the user's gave what is no amount.
        """
        if isinstance(self.limit, int | Decimal):
            return self.limit
        limit = self.limit.get(scope, 0) if isinstance(self.limit, Mapping) else self.limit(scope)
        check_amount(limit, self.name)
        return limit


@dataclass(frozen=True, slots=True)
class TakeTokens:
    """Tokens that each start of the decision's actions takes."""

    rate: Rate
    count: float


@dataclass(frozen=True, slots=True, eq=False)
class Rate:
    """Tokens a second, taken together with the slot at start; an empty bucket makes work wait, not fail."""

    name: str
    per_s: float
    burst: float
    per: Per = "all"

    def take(self, count: float = 1.0) -> TakeTokens:
        """Take tokens at start; give the result to `allow`."""
        if not 0 < count <= self.burst:
            raise ValueError(f"{self.name}: cannot take {count} tokens of a bucket of {self.burst}")
        return TakeTokens(self, count)


def check_amount(amount: object, what: str) -> None:
    """Floats are no money.

    Raises:
        TypeError: not an int or Decimal.
        ValueError: a Decimal that is not finite.
    """
    if isinstance(amount, bool) or not isinstance(amount, int | Decimal):
        raise TypeError(f"{what}: amounts are int (minor units) or Decimal, not {type(amount).__name__}")
    if isinstance(amount, Decimal) and not amount.is_finite():
        raise ValueError(f"{what}: {amount} is not an amount")


def check_rate(name: str, per_s: float | None, per_minute: float | None, per_hour: float | None) -> float:
    """Tokens a second from whichever unit was given.

    Raises:
        DeclarationError: not exactly one was given, or it is not positive.
    """
    given = [r for r in (per_s, per_minute and per_minute / 60, per_hour and per_hour / 3600) if r is not None]
    if len(given) != 1 or given[0] <= 0:
        raise DeclarationError(f"rate {name!r}: give exactly one of per_s, per_minute, per_hour, and above zero")
    return given[0]


def scope_of(per: Per, decision: Decision, value: Any) -> str:
    """The scope of a budget that a decision falls into."""
    if per == "all":
        return "all"
    if callable(per):
        return str(per(value))
    if per in {"tenant", "source", "kind"}:
        return str(getattr(decision, per))
    return str(getattr(value, per))
