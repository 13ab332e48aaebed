"""True amounts: into which scope of which balance what an action has used is booked.

An effector may settle what its decision did not reserve, in a scope that the journal does not know yet; that scope
gets its declared limit in the same transaction. What has happened is booked even where the scope cannot be found.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lictor.declarations.budgets import check_scope_name, scope_of
from lictor.declarations.declared import Declared
from lictor.errors import NotFoundError
from lictor.journal.port import SetLimit
from lictor.journal.state import State
from lictor.records import Amount, Decision, Report

from .work import Work

#: (budget, scope, amount) as the journal folds them.
Settled = tuple[tuple[str, str, Amount], ...]

#: Where a function that finds the scope has failed.
SCOPE_UNKNOWN = "unknown"

_FROM_DECISION = frozenset({"all", "tenant", "source", "kind"})


class TrueAmounts:
    """Books what actions have truly used."""

    def __init__(self, app: Declared, value_of: Callable[[Decision], Any]) -> None:
        self._app = app
        self._value_of = value_of
        self._state: State | None = None
        self._limits: dict[tuple[str, str], SetLimit] = {}

    def recover(self, state: State) -> None:
        """Read balances from here on."""
        self._state = state

    def of_call(self, work: Work, settled: tuple[tuple[str, str | None, Amount], ...], at_us: int) -> Settled:
        """What an effector has settled."""
        return tuple(self._booked(work, budget, scope, amount, at_us) for budget, scope, amount in settled)

    def of_report(self, work: Work, report: Report, at_us: int) -> Settled:
        """What a report says was used."""
        return tuple(self._booked(work, budget, None, amount, at_us) for budget, amount in report.settled.items())

    def limits(self) -> list[SetLimit]:
        """The limits that the journal needs before this turn's amounts."""
        limits, self._limits = self._limits, {}
        return list(limits.values())

    def _booked(
        self, work: Work, budget: str, named: str | None, amount: Amount, at_us: int
    ) -> tuple[str, str, Amount]:
        try:
            scope = check_scope_name(named) if named is not None else self._scope_of(work, budget)
            self._limit(budget, scope, at_us)
        except Exception:  # noqa: BLE001 - a scope is user code, and the effect has happened
            scope = SCOPE_UNKNOWN
            if self._state is not None and (budget, scope) not in self._state.balances:
                # Nothing is allowed there, so that what is booked latches the scope and is seen.
                self._limits[budget, scope] = SetLimit(budget, scope, 0, at_us, f"app:{self._app.version}")
        return budget, scope, amount

    def _scope_of(self, work: Work, budget: str) -> str:
        """The scope that the decision reserved from, else the one it falls into."""
        for reservation in work.open.verdict.reservations:
            if reservation.budget == budget:
                return reservation.scope
        decision = work.open.decision
        declared = self._app.balances.get(budget)
        if declared is None:
            raise NotFoundError(f"no balance {budget!r} is declared")
        return scope_of(declared.per, decision, None if declared.per in _FROM_DECISION else self._value_of(decision))

    def _limit(self, budget: str, scope: str, at_us: int) -> None:
        if self._state is None or (budget, scope) in self._state.balances or budget not in self._app.balances:
            return
        declared = self._app.balances[budget]
        by = f"app:{self._app.version}"
        limit = declared.limit_for(scope)
        self._limits[budget, scope] = SetLimit(budget, scope, limit, at_us, by, declared.window_s)
