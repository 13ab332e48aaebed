"""An open decision as the current state holds it: what follows from its facts so far. Only `State` changes it."""

from __future__ import annotations

from typing import Any

import msgspec

from lictor.errors import InvariantViolation
from lictor.lifecycle import ACTION_TERMINAL, ActionState, DecisionState, act
from lictor.records import Amount, Approval, Decision, Outcome, Plan, Reservation, Verdict

from .port import Act, Admit

_WAITING = frozenset({DecisionState.HELD.value, DecisionState.DEFERRED.value})
_ADMITTED = DecisionState.ADMITTED.value

#: Part of a balance that is held: (budget, scope, start of its window).
Hold = tuple[str, str, int | None]


def holds(reservations: tuple[Reservation, ...]) -> dict[Hold, Amount]:
    """What an admission holds, by (budget, scope, window)."""
    held: dict[Hold, Amount] = {}
    for r in reservations:
        hold = (r.budget, r.scope, r.window_us)
        held[hold] = held[hold] + r.amount if hold in held else r.amount
    return held


class OpenAction(msgspec.Struct, eq=False, gc=False):
    """One action of an open decision."""

    state: str = ActionState.WAITING.value
    attempts: int = 0
    fence: int = 0
    event: str | None = None
    code: str | None = None
    detail: str | None = None
    value: Any = None
    ref: str | None = None
    next_us: int | None = None
    reports: set[str] | None = None
    settled: dict[tuple[str, str], Amount] | None = None

    @property
    def done(self) -> bool:
        """Nothing more will happen to it, unless it is compensated."""
        return self.state in ACTION_TERMINAL

    def start(self, fence: int) -> None:
        """A new attempt holds the lease."""
        self.state = act(self.state, "start").to
        self.attempts += 1
        self.fence = fence
        self.next_us = None

    def apply(self, news: Act) -> None:
        """Fold one event into the action."""
        if news.fence != self.fence:
            raise InvariantViolation("I9", f"{news.event} of attempt {news.fence:x} changes one of {self.fence:x}")
        self.state = act(self.state, news.event).to
        self.event = news.event
        if news.event == "give_back":
            self.attempts -= 1  # nothing had begun
        self.code = news.code
        self.next_us = news.next_us
        if news.detail is not None:
            self.detail = news.detail
        if news.value is not None:
            self.value = news.value
        if news.ref is not None:
            self.ref = news.ref
        if news.report is not None:
            if self.reports is None:
                self.reports = set()
            self.reports.add(news.report)
        if news.settled:
            sums = self.settled = self.settled or {}
            for budget, scope, amount in news.settled:
                sums[budget, scope] = sums.get((budget, scope), 0) + amount


def approved_by(approvals: tuple[Approval, ...], gate: str, version: str) -> list[str]:
    """Who has approved what this version of a gate asked, in their order."""
    return [a.approver for a in approvals if (a.gate, a.gate_version) == (gate, version) and a.approved]


class Open(msgspec.Struct, eq=False, gc=False):
    """One decision that is held, deferred, admitted, running or compensating. Compared by identity."""

    decision: Decision
    verdict: Verdict
    state: str
    #: Position of its first fact.
    born: int
    #: Position in the order of admission; order keys follow it.
    place: int = 0
    plan: Plan | None = None
    actions: list[OpenAction] = []
    #: What is still reserved, by (budget, scope, window).
    held: dict[Hold, Amount] = {}
    approvals: tuple[Approval, ...] = ()
    cancel_asked: bool = False
    cancel_by: str = ""
    started_us: int | None = None
    lease_until_us: int | None = None
    outcome: Outcome | None = None

    @classmethod
    def admitted(cls, fact: Admit, seq: int) -> Open:
        """As it is after its admission at `seq`, which starts nothing, and before anything else."""
        actions = [OpenAction() for _ in fact.plan.actions] if fact.plan else []
        held = holds(fact.verdict.reservations)
        return cls(fact.decision, fact.verdict, _ADMITTED, seq, seq, fact.plan, actions, held)

    @property
    def started(self) -> bool:
        """An effect may have begun."""
        return self.started_us is not None

    @property
    def waits(self) -> bool:
        """It is held or deferred: its admission is still to come."""
        return self.state in _WAITING

    def attempts(self) -> int:
        """Attempts of all its actions."""
        if len(self.actions) == 1:
            return self.actions[0].attempts
        return sum(action.attempts for action in self.actions)

    def used(self) -> dict[tuple[str, str], Amount]:
        """What its actions have reported as truly used, by (budget, scope)."""
        if len(self.actions) == 1:
            return self.actions[0].settled or {}
        total: dict[tuple[str, str], Amount] = {}
        for action in self.actions:
            for scope, amount in (action.settled or {}).items():
                total[scope] = total.get(scope, 0) + amount
        return total
