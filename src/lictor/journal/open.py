"""An open decision as the journal's current state holds it: what follows from its facts so far. Only `State` changes it."""

from __future__ import annotations

from typing import Any

from lictor.lifecycle import ACTION_TERMINAL, ActionState, Event, act
from lictor.records import Amount, Approval, Decision, Outcome, Plan, Verdict

from .port import Act


class OpenAction:
    """One action of an open decision."""

    __slots__ = ("attempts", "code", "detail", "event", "fence", "next_us", "ref", "reports", "settled", "state", "value")

    def __init__(self) -> None:
        self.state: str = ActionState.WAITING
        self.attempts = 0
        self.fence = 0
        self.event: str | None = None
        self.code: str | None = None
        self.detail: str | None = None
        self.value: Any = None
        self.ref: str | None = None
        self.next_us: int | None = None
        self.reports: set[str] | None = None
        self.settled: dict[tuple[str, str], Amount] | None = None

    @property
    def done(self) -> bool:
        """Nothing more will happen to it, unless it is compensated."""
        return self.state in ACTION_TERMINAL

    def start(self, fence: int) -> None:
        """A new attempt holds the lease."""
        self.state = act(self.state, Event.START).to
        self.attempts += 1
        self.fence = fence
        self.next_us = None

    def apply(self, news: Act) -> None:
        """Fold one event into the action."""
        self.state = act(self.state, news.event).to
        self.event = news.event
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


class Open:
    """One decision that is held, deferred, admitted, running or compensating."""

    __slots__ = (
        "actions", "approvals", "cancel_asked", "cancel_by", "decision", "held", "lease_until_us",
        "outcome", "place", "plan", "started_us", "state", "verdict",
    )

    def __init__(self, decision: Decision, verdict: Verdict, state: str) -> None:
        self.decision = decision
        self.verdict = verdict
        self.state = state
        self.plan: Plan | None = None
        self.actions: list[OpenAction] = []
        #: What is still reserved, by (budget, scope, window).
        self.held: dict[tuple[str, str, int | None], Amount] = {}
        self.approvals: list[Approval] = []
        self.cancel_asked = False
        self.cancel_by = ""
        #: Position in the order of admission; order keys follow it.
        self.place = 0
        self.started_us: int | None = None
        self.lease_until_us: int | None = None
        self.outcome: Outcome | None = None

    @property
    def started(self) -> bool:
        """An effect may have begun."""
        return self.started_us is not None

    def attempts(self) -> int:
        """Attempts of all its actions."""
        return sum(action.attempts for action in self.actions)

    def used(self) -> dict[tuple[str, str], Amount]:
        """What its actions have reported as truly used, by (budget, scope)."""
        total: dict[tuple[str, str], Amount] = {}
        for action in self.actions:
            for scope, amount in (action.settled or {}).items():
                total[scope] = total.get(scope, 0) + amount
        return total
