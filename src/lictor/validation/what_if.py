"""Folds history into a ledger: as it was, or as it would have been after other verdicts.

The state is the journal's own (`lictor.journal.state`), so both are counted by the arithmetic that is live. Facts that
no longer follow, because a decision was not admitted, or sooner, are left out. A decision that is admitted here alone
is taken to succeed and to use all that it reserves; one that reserves other amounts than it did, too. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from lictor.declarations.declared import Declared
from lictor.errors import Code, LictorError
from lictor.journal.open import Open, OpenAction
from lictor.journal.port import (
    Act,
    Admit,
    Approve,
    Cancel,
    Close,
    Learn,
    Progress,
    SetHalt,
    SetLimit,
    Start,
    StartItem,
    Undo,
    Verb,
)
from lictor.journal.rules import admission_refusal
from lictor.journal.state import Bound, State
from lictor.records import Action, Amount, Outcome, Plan, Reservation, Result, Ruling, Verdict

#: Stands for a plan that was never made; what is in it is never performed.
UNPLANNED = Plan((Action("rehearsed"),))

replace = msgspec.structs.replace


class NoKeys:
    """Keys are not looked at: what a key did is in the recorded facts."""

    def get(self, tenant: str, source: str, key: str) -> Bound | None:  # noqa: ARG002 - a protocol
        return None

    def put(self, tenant: str, source: str, key: str, bound: Bound) -> None:
        """Nothing."""


class Carried(msgspec.Struct, frozen=True):
    """What a scope had come to where history begins, because what is older is archived: by window."""

    limit: Amount
    window_s: float | None
    sums: dict[int | None, Amount]


class Ledger:
    """History folded as it was.

    Args:
        carried: what scopes had come to before history begins; None where it begins at the beginning. Facts of
            decisions that are archived are left out, and a limit is taken for at least what was reserved under it.
    """

    def __init__(self, carried: Mapping[tuple[str, str], Carried] | None = None) -> None:
        self.state = State(NoKeys())
        self.peaks: dict[tuple[str, str], Amount] = {}
        self._partial = carried is not None
        for (budget, scope), found in (carried or {}).items():
            self.state.evolve(SetLimit(budget, scope, found.limit, 0, "history", found.window_s), 0, 0)
            self.state.balances[budget, scope].sums.update({w: [amount, 0] for w, amount in found.sums.items()})

    def fold(self, fact: Verb, seq: int, at_us: int) -> None:
        """One recorded fact."""
        about = _about(fact)
        if type(fact) not in _FOLDED or (about is not None and about not in self.state.open):
            return
        if self._partial and isinstance(fact, Admit):
            self._allow(fact, seq, at_us)
        self.evolve(fact, seq, at_us)

    def _allow(self, fact: Admit, seq: int, at_us: int) -> None:
        """It was admitted, so the limit was at least this."""
        for r in fact.verdict.reservations:
            balance = self.state.balances.get((r.budget, r.scope))
            least = r.amount if balance is None else balance.limit - balance.room(r.window_us) + r.amount
            if balance is None or least > balance.limit:
                self.evolve(SetLimit(r.budget, r.scope, least, at_us, "history"), seq, at_us)

    def latched(self, verdict: Verdict) -> None:
        """What a verdict shows of an overrun that is archived: the scope was latched by then."""
        if self._partial and verdict.code == Code.BUDGET_LATCHED:
            seen = verdict.rulings[-1].seen or {}
            balance = self.state.balances.get((str(seen.get("budget")), str(seen.get("scope"))))
            if balance is not None:
                balance.latched = True

    def alike(self, other: Ledger, reservations: tuple[Reservation, ...]) -> bool:
        """Whether another ledger has come to the same in the scopes of these reservations."""
        for r in reservations:
            mine, its = (ledger.state.balances.get((r.budget, r.scope)) for ledger in (self, other))
            if mine is None or its is None:
                return mine is its
            if (mine.limit, mine.latched, mine.sums) != (its.limit, its.latched, its.sums):
                return False
        return True

    def used(self) -> dict[tuple[str, str], dict[int | None, Amount]]:
        """Settled and reserved of each scope, by window."""
        return {
            key: {window: settled + reserved for window, (settled, reserved) in balance.sums.items()}
            for key, balance in self.state.balances.items()
        }

    def evolve(self, fact: Verb, seq: int, at_us: int) -> None:
        """Fold, and take note of what it did to balances."""
        state = self.state
        state.evolve(fact, seq, max(at_us, state.at_us))
        for key in state.moved:
            balance = state.balances[key]
            used = max((settled + reserved for settled, reserved in balance.sums.values()), default=0)
            self.peaks[key] = max(self.peaks.get(key, 0), used)
        state.moved.clear()
        state.ended.clear()

    def end(self, key: tuple[str, str]) -> Amount:
        """What is settled and reserved at last, in the last window."""
        balance = self.state.balances.get(key)
        if balance is None or not balance.sums:
            return 0
        last = max(balance.sums, key=lambda window: window or 0)
        return balance.settled(last) + balance.reserved(last)


class WhatIf(Ledger):
    """History folded as it would have been.

    Args:
        app: the declarations whose limits hold.
        limit: the limit to try for a budget and scope; None where the declared or recorded one stays.
    """

    def __init__(
        self,
        app: Declared,
        limit: Callable[[str, str], Amount | None],
        carried: Mapping[tuple[str, str], Carried] | None = None,
    ) -> None:
        super().__init__(carried)
        self._app = app
        self._limit = limit
        self._trying = False
        #: Who set each limit last.
        self._by = dict.fromkeys(carried or {}, "history")
        #: Decisions that reserve other amounts than they did, so that what they settled says nothing.
        self._other: set[int] = set()

    def try_limits(self, seq: int, at_us: int) -> None:
        """From now on the limits to try, and those that the App declares, are in force."""
        self._trying = True
        for (budget, scope), balance in list(self.state.balances.items()):
            window_s = None if balance.window_us is None else balance.window_us / 1e6
            by = self._by.get((budget, scope), "app:")
            self.fold(SetLimit(budget, scope, balance.limit, at_us, by, window_s), seq, at_us)

    def fold(self, fact: Verb, seq: int, at_us: int) -> None:
        if isinstance(fact, SetLimit):
            self._by[fact.budget, fact.scope] = fact.by
            super().fold(replace(fact, limit=self._limit_now(fact)) if self._trying else fact, seq, at_us)
        elif isinstance(fact, Start):
            items = tuple(item for item in fact.items if self._may_start(item))
            if items:
                self.evolve(replace(fact, items=items), seq, at_us)
        else:
            self._fold_if_it_follows(fact, seq, at_us)

    def _limit_now(self, fact: SetLimit) -> Amount:
        """To try, else as declared, else as a person set it."""
        wanted = self._limit(fact.budget, fact.scope)
        declared = self._app.balances.get(fact.budget)
        if wanted is None and declared is not None and fact.by.startswith("app:"):
            wanted = declared.limit_for(fact.scope)
        return fact.limit if wanted is None else wanted

    def _may_start(self, item: StartItem) -> bool:
        found = self.state.open.get(item.decision)
        if found is None or found.waits:
            return False
        return all(ordinal < len(found.actions) for ordinal in item.ordinals)

    def _fold_if_it_follows(self, fact: Verb, seq: int, at_us: int) -> None:
        about = _about(fact)
        found = self.state.open.get(about) if about is not None else None
        if found is not None and about in self._other and isinstance(fact, Progress | Close):
            fact = replace(fact, acts=tuple(_unsettled(act) for act in fact.acts))
        try:
            super().fold(fact, seq, at_us)
        except (LictorError, IndexError):
            # It does not follow any more, such as the outcome of a decision that now waits for a person.
            if found is not None and isinstance(fact, Close):
                self.forget(found)

    def admit(self, fact: Admit, seq: int, at_us: int) -> Verdict:
        """Decide and fold a verdict as the journal would; the verdict in force."""
        decision, verdict = fact.decision, fact.verdict
        if verdict.result is Result.ADMITTED:
            self._know_scopes(verdict.reservations, seq, at_us)
            refusal = admission_refusal(self.state, fact, at_us)
            if refusal is not None:
                code, seen = refusal
                rulings = (*verdict.rulings, Ruling("journal", "deny", "", code, seen))
                verdict = replace(verdict, result=Result.REFUSED, code=code, rulings=rulings)
                fact = Admit(decision, verdict)
            elif fact.plan is None:
                fact = replace(fact, plan=UNPLANNED)
        self.evolve(fact, seq, at_us)
        return verdict

    def take(self, fact: Admit, seq: int, at_us: int) -> None:
        """Fold a verdict as it was recorded, whatever is known of limits."""
        if fact.verdict.result is Result.ADMITTED:
            self._allow(fact, seq, at_us)
        self.evolve(fact, seq, at_us)

    def other(self, decision: int) -> None:
        """It reserves other amounts than it did."""
        self._other.add(decision)

    def planned(self, fact: Admit, seq: int, at_us: int) -> None:
        """The plan that a decision got later than here, so that its recorded starts are understood."""
        found = self.state.open.get(fact.decision.id)
        if found is None or found.started or fact.plan is None:
            return
        found.plan = fact.plan
        found.actions = [OpenAction() for _ in fact.plan.actions]
        if fact.lease is not None:
            item = StartItem(fact.decision.id, (0,), fact.lease.fence)
            self.evolve(Start((item,), fact.lease.until_us), seq, at_us)

    def assume(self, decision: int, seq: int, at_us: int) -> None:
        """Nobody knows its outcome: it succeeds and uses all that it reserves."""
        found = self.state.open.get(decision)
        if found is None or found.waits or found.started:
            return
        fence = self.state.next_fence()
        self.evolve(Start((StartItem(decision, (0,), fence),), at_us), seq, at_us)
        outcome = Outcome(decision=decision, result="succeeded", at_us=at_us)
        self.evolve(Close(decision, "succeed", outcome), seq, at_us)

    def forget(self, found: Open) -> None:
        """Nothing more is known of it."""
        self._other.discard(found.decision.id)
        if found.waits:
            del self.state.open[found.decision.id]
        else:
            self.assume(found.decision.id, found.place, self.state.at_us)

    def _know_scopes(self, reservations: tuple[Reservation, ...], seq: int, at_us: int) -> None:
        """The limits of scopes that are reserved from here first."""
        for r in reservations:
            declared = self._app.balances.get(r.budget)
            if (r.budget, r.scope) not in self.state.balances and declared is not None:
                limit = declared.limit_for(r.scope)
                self.fold(SetLimit(r.budget, r.scope, limit, at_us, "app:", declared.window_s), seq, at_us)


def _about(fact: Verb) -> int | None:
    """The decision that a fact continues; None for what stands alone."""
    if isinstance(fact, Progress | Close | Undo | Cancel):
        return fact.decision
    return fact.approval.decision if isinstance(fact, Approve) else None


def _unsettled(act: Act) -> Act:
    return replace(act, settled=()) if act.settled else act


_FOLDED = frozenset({Admit, Start, Progress, Close, Undo, Approve, Cancel, SetHalt, SetLimit, Learn})
