"""Budgets: a balance that is reserved and settled, a rate of tokens a second."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from hashlib import sha256
from typing import Any

import msgspec

from lictor.errors import DeclarationError
from lictor.records import Amount, Decision

#: How a scope's name is found: "all", "tenant", "source", "kind", the name of a payload field, or a function of the
#: payload.
Per = str | Callable[[Any], str]
#: Larger amounts are Decimal; an int of more bits is one that no journal keeps.
INTEGER_MAX = (1 << 63) - 1
_FROM_DECISION = frozenset({"tenant", "source", "kind"})

Limit = Amount | Mapping[str, Amount] | Callable[[str], Amount]


class Reserve(msgspec.Struct, frozen=True):
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
        limit: Amount
        if isinstance(self.limit, int | Decimal):
            limit = self.limit
        else:
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
        ValueError: a Decimal that is not finite, or an int beyond 64 bits: larger ones are Decimal.
    """
    if type(amount) is int and -INTEGER_MAX <= amount <= INTEGER_MAX:
        return
    if isinstance(amount, bool) or not isinstance(amount, int | Decimal):
        raise TypeError(f"{what}: amounts are int (minor units) or Decimal, not {type(amount).__name__}")
    if not (amount.is_finite() if isinstance(amount, Decimal) else abs(amount) <= INTEGER_MAX):
        raise ValueError(f"{what}: {amount!s:.40} is not an amount; beyond 64 bits give a Decimal")


def kept_amount(amount: Amount) -> Amount:
    """The same amount as records keep it: a sum of integers that has grown beyond 64 bits is a Decimal."""
    return amount if isinstance(amount, Decimal) or abs(amount) <= INTEGER_MAX else Decimal(amount)


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
    """The scope of a budget that a decision falls into.

    Raises:
        ValueError: a function or field of the user's gave text that is no UTF-8; and whatever a function raises.
    """
    if per == "all":
        return "all"
    if callable(per):
        return check_scope_name(str(per(value)))
    if per in _FROM_DECISION:
        return str(getattr(decision, per))
    return check_scope_name(str(getattr(value, per)))


def check_scope_name(scope: str) -> str:
    """The name of a scope.

    Raises:
        ValueError: it is no UTF-8, so that no journal can keep it.
    """
    if type(scope) is not str:
        raise ValueError(f"a scope is text, not {type(scope).__name__}")
    if not scope.isascii():
        scope.encode()
    return scope
