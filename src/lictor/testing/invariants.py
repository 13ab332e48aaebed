"""Holds a simulated run to the invariants of DESIGN section 3, from outside.

Evidence is what the world saw arrive, what callers were told, and what the journal has recorded; the engine's own state
is only read to be compared with it. Each check names its invariant. The first violation is kept and ends the run.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec

from lictor.declarations.declared import Declared
from lictor.entry import Handle
from lictor.errors import InvariantViolation
from lictor.journal.port import HistoryRow
from lictor.journal.state import State
from lictor.node import Node
from lictor.records import Outcome
from lictor.testing.ledger import Ledger, expect
from lictor.testing.world import Arrival, Party

#: Extra attempts of one root decision, as the engine promises them.
EXTRA_MAX = 3


class Invariants:
    """The watcher of one run."""

    def __init__(self, app: Declared, stop: Callable[[InvariantViolation], None]) -> None:
        self.app = app
        self.ledger = Ledger(app)
        #: The latest fact that was recorded.
        self.last: HistoryRow | None = None
        self._stop = stop
        #: What the node's time is by an honest reckoning, microseconds.
        self.now_us: Callable[[], int] = lambda: 0
        self._keys: dict[tuple[int, int], str] = {}
        self._actions: dict[str, tuple[int, int]] = {}
        self._fences: set[tuple[str, int]] = set()
        self._in_flight: Counter[str] = Counter()
        self._promised: dict[tuple[str, str, str], tuple[Any, int]] = {}

    # -- what reaches the world -----------------------------------------------------------------------------------

    def arrived(self, arrival: Arrival, party: Party) -> None:
        """An effector has called."""
        self._in_flight[arrival.party] += 1
        self._guard(lambda: self._arrival(arrival, party))

    def returned(self, arrival: Arrival) -> None:
        """Its call has ended."""
        self._in_flight[arrival.party] -= 1

    def rebooted(self) -> None:
        """All calls of the machine are gone."""
        self._in_flight.clear()

    def _arrival(self, arrival: Arrival, party: Party) -> None:
        told = self.ledger.told.get(arrival.decision)
        expect("I1", told is not None, f"{arrival.key} arrives and nothing is recorded of its decision")
        if told is None or told.plan is None:
            raise InvariantViolation("I1", f"{arrival.key} arrives without an admitted verdict: {told}")
        action, step = told.plan.actions[arrival.ordinal], told.steps[arrival.ordinal]
        expect("I2", told.end is None, f"{arrival.key} arrives after the end of {told}")
        expect("I1", action.effector == arrival.party, f"{arrival.key} was planned for {action.effector}")
        expect("I1", action.inputs or action.args == arrival.args, f"{arrival.key}: {arrival.args}, not as admitted")
        expect("I1", step.starts and arrival.fence <= step.fence, f"{arrival.key} arrives before its start is recorded")
        expect("I9", arrival.fence == step.fence and step.running, f"{arrival.key}: a superseded attempt arrives")
        now_us = self.now_us()
        expect("I5", now_us < told.decision.deadline_us, f"{told} arrives {now_us - told.decision.deadline_us} us late")
        scope = self.ledger.halt_of(told.decision, arrival.party)
        expect("I12", scope is None, f"{arrival.key} arrives while {scope} is halted")
        self._identity(arrival)
        again = arrival.key in party.deeds or any(a.key == arrival.key for a in party.arrivals)
        if again and not party.idempotent:
            expect("I8", arrival.key in party.cleared, f"{arrival.key} is sent again while it is in doubt")
        slots = self.app.effectors[arrival.party].slots
        expect("I17", self._in_flight[arrival.party] <= slots, f"{arrival.party}: more than {slots} calls at once")
        attempts = 1 + EXTRA_MAX + self.ledger.epoch
        expect("I17", step.starts <= attempts, f"{arrival.key}: attempt {step.starts} of at most {attempts}")

    def _identity(self, arrival: Arrival) -> None:
        """I7: one key for an action, whatever attempt; I19: one attempt arrives once."""
        action = (arrival.decision, arrival.ordinal)
        key = self._keys.setdefault(action, arrival.key)
        expect("I7", key == arrival.key, f"action {action} arrives as {key} and as {arrival.key}")
        owner = self._actions.setdefault(arrival.key, action)
        expect("I7", owner == action, f"key {arrival.key} is that of {owner} and of {action}")
        attempt = (arrival.key, arrival.fence)
        expect("I19", attempt not in self._fences, f"attempt {attempt} arrives twice")
        self._fences.add(attempt)

    # -- what is recorded -----------------------------------------------------------------------------------------

    def recorded(self, row: HistoryRow) -> None:
        """A fact is durable."""
        self.last = row
        self._guard(lambda: self.ledger.fold(row))

    def turned(self, node: Node) -> None:
        """I17: after a turn, nothing holds more than it is allowed to."""
        pipeline, settings = node.pipeline, node.settings
        for what, count, most in (
            ("signals wait", len(pipeline.inputs), settings.waiting_max),
            ("decisions are open", pipeline.execution.backlog, settings.backlog_max),
        ):
            self._guard(partial(expect, "I17", count <= most, f"{count} {what}"))

    # -- what callers were told -----------------------------------------------------------------------------------

    def answered(self, value: Any, options: dict[str, Any], handle: Handle) -> None:
        """A submitter has its verdict."""
        self._guard(lambda: self._answer(value, options, handle))

    def _answer(self, value: Any, options: dict[str, Any], handle: Handle) -> None:
        verdict = handle.verdict
        expect("I11", verdict.code or verdict.result == "admitted", f"{handle} has no code")
        if handle.id is None:
            expect("I11", verdict.result in {"refused", "shed"}, f"{handle} has no record")
            return
        told = self.ledger.told.get(handle.id)
        if told is None:
            raise InvariantViolation("I6", f"{handle} was answered and is not recorded")
        known = any((v.result, v.code) == (verdict.result, verdict.code) for v in told.verdicts)
        expect("I6", known, f"{handle} was answered; recorded is {[(v.result, v.code) for v in told.verdicts]}")
        if options.get("key") is not None:
            self._same_key(value, options, handle)

    def _same_key(self, value: Any, options: dict[str, Any], handle: Handle) -> None:
        place = (options.get("tenant", "default"), options.get("source", "local"), options["key"])
        if handle.verdict.code == "KEY_REUSED":
            bound = self._promised.get(place)
            expect("I10", bound is None or bound[0] != value, f"{place} is refused for its own content")
            return
        bound = self._promised.setdefault(place, (value, handle.id or 0))
        expect("I10", bound[0] == value, f"{place} is bound to {bound[0]} and takes {value}")
        expect("I10", bound[1] == handle.id, f"{place} is answered as {bound[1]} and as {handle.id}")

    def ended(self, decision: int, outcome: Outcome | None) -> None:
        """A submitter was told the outcome."""
        self._guard(lambda: self._outcome(decision, outcome))

    def _outcome(self, decision: int, outcome: Outcome | None) -> None:
        told = self.ledger.told.get(decision)
        if told is None or told.end is None:
            raise InvariantViolation("I6", f"the outcome {outcome} was told and is not recorded: {told}")
        how = outcome.result if outcome is not None else "refused"
        expect("I2", how == told.end, f"{told} was told to be {how}")

    def halted(self, scope: str) -> None:
        """A halt was confirmed."""
        self._guard(lambda: expect("I6", scope in self.ledger.halts, f"the halt of {scope} is not recorded"))

    def approved(self, decision: int, by: str) -> None:
        """An approval was confirmed."""
        told = self.ledger.told.get(decision)
        known = told is not None and any(a.approver == by for a in told.approvals)
        self._guard(lambda: expect("I6", known, f"the approval of {decision} by {by} is not recorded"))

    def reported(self, ref: str, report: str) -> None:
        """The engine has acknowledged a report from the world."""
        self._guard(lambda: expect("I6", report in self.ledger.reports, f"report {report} of {ref} was acknowledged and is not recorded"))

    # -- at restart and at rest -----------------------------------------------------------------------------------

    def reopened(self, state: State, last: HistoryRow | None, before: dict[str, Any] | None) -> None:
        """I6 and I15: everything that was recorded is there, and folding it gives what the node had.

        `last` is the fact that now stands where the last one stood that was recorded before.
        """
        self._guard(lambda: self._reopened(state, last, before))

    def _reopened(self, state: State, last: HistoryRow | None, before: dict[str, Any] | None) -> None:
        kept = self.last is None or last == self.last
        expect("I6", kept, f"fact {self.ledger.seq} was recorded and is gone")
        after = picture(state)
        for part, was in (before or {}).items():
            expect("I15", was == after[part], f"{part} was {was} and is {after[part]} after a restart")

    def rested(self, parties: list[Party], node: Node) -> None:
        """Faults have stopped and nothing moves any more."""
        self._guard(lambda: self._rest(parties, node))

    def _rest(self, parties: list[Party], node: Node) -> None:
        waiting = [str(told) + f" {told.steps}" for told in self.ledger.open.values()]
        expect("I18", not waiting, f"still open, and nobody named is waited for: {'; '.join(waiting[:5])}")
        expect("I3", not self.ledger.escrow.leaks(), f"nothing is open and reserved is {self.ledger.escrow.leaks()}")
        for told in self.ledger.told.values():
            expect("I2", told.end is not None, f"{told} has no end")
        for party in parties:
            for key, deeds in party.deeds.items():
                expect("I8", len(deeds) == 1, f"{key} was done {len(deeds)} times: {deeds}")
                decision, ordinal = self._actions[key]
                step = self.ledger.told[decision].steps[ordinal]
                lied = step.end in {"fail", "expire"} and not party.idempotent and key not in party.undone
                expect("I8", not lied, f"{key} was done and is recorded as {step.end}")
        state = node.journal.state
        for (budget, scope), account in self.ledger.escrow.accounts.items():
            balance = state.balances[budget, scope]
            for window, amount in account.settled.items():
                live = balance.sums.get(window)
                same = live is None or (live[0], live[1]) == (amount, account.reserved.get(window, 0))
                expect("I15", same, f"{budget}/{scope} has {live} in window {window}; recorded is {amount}")

    def _guard(self, check: Callable[[], None]) -> None:
        """Run a check; a violation is kept outside of whatever would catch it."""
        try:
            check()
        except InvariantViolation as violation:
            self._stop(violation)
            raise


def picture(state: State) -> dict[str, Any]:
    """Everything of the current state that history must give back, as plain data that compares."""
    return {
        "open": {id_: msgspec.to_builtins(_plain(found), str_keys=True) for id_, found in state.open.items()},
        "balances": {
            scope: (b.limit, b.latched, {w: tuple(s) for w, s in b.sums.items()}) for scope, b in state.balances.items()
        },
        "adjustments": dict(state.adjustments),
        "lessons": dict(state.lessons),
        "quarantine": dict(state.quarantine),
        "references": dict(state.references),
    }


def _plain(found: Any) -> dict[str, Any]:
    """An open decision field by field."""
    fields = {name: getattr(found, name) for name in found.__struct_fields__}
    fields["held"] = sorted((str(hold), str(amount)) for hold, amount in found.held.items())
    fields["actions"] = [_action(action) for action in found.actions]
    return fields


def _action(action: Any) -> dict[str, Any]:
    fields = {name: getattr(action, name) for name in action.__struct_fields__}
    fields["settled"] = sorted((str(scope), str(amount)) for scope, amount in (action.settled or {}).items())
    fields["reports"] = sorted(action.reports or ())
    return fields
