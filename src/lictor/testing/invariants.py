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
from lictor.testing.ledger import Ledger
from lictor.testing.told import expect
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
        self._fences: Counter[tuple[str, int]] = Counter()
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
        expect("I1", told is not None, "{} arrives and nothing is recorded of its decision", arrival.key)
        if told is None or told.plan is None:
            raise InvariantViolation("I1", f"{arrival.key} arrives without an admitted verdict: {told}")
        action, step = told.plan.actions[arrival.ordinal], told.steps[arrival.ordinal]
        expect("I2", told.end is None, "{} arrives after the end of {}", arrival.key, told)
        expect("I1", action.effector == arrival.party, "{} was planned for {}", arrival.key, action.effector)
        expect("I1", action.inputs or action.args == arrival.args, "{}: {}, not as admitted", arrival.key, arrival.args)
        expect(
            "I1", step.starts and arrival.fence <= step.fence, "{} arrives before its start is recorded", arrival.key
        )
        expect("I9", arrival.fence == step.fence and step.running, "{}: a superseded attempt arrives", arrival.key)
        now_us = self.now_us()
        expect(
            "I5", now_us < told.decision.deadline_us, "{} arrives {} us late", told, now_us - told.decision.deadline_us
        )
        scope = self.ledger.halt_of(told.decision, arrival.party)
        expect("I12", scope is None, "{} arrives while {} is halted", arrival.key, scope)
        self._identity(arrival)
        again = arrival.key in party.deeds or arrival.key in party.seen
        if again and not party.idempotent:
            expect("I8", arrival.key in party.cleared, "{} is sent again while it is in doubt", arrival.key)
        # A depth of nesting of which nothing runs is never refused a slot, so that parents cannot wait for themselves.
        slots = self.app.effectors[arrival.party].slots_max + self.ledger.depth
        expect("I17", self._in_flight[arrival.party] <= slots, "{}: more than {} calls at once", arrival.party, slots)
        attempts = 1 + EXTRA_MAX + self.ledger.epoch
        expect("I17", step.starts <= attempts, "{}: attempt {} of at most {}", arrival.key, step.starts, attempts)

    def _identity(self, arrival: Arrival) -> None:
        """I7: one key for an action, whatever attempt; I19: one attempt arrives once."""
        action = (arrival.decision, arrival.ordinal)
        key = self._keys.setdefault(action, arrival.key)
        expect("I7", key == arrival.key, "action {} arrives as {} and as {}", action, key, arrival.key)
        owner = self._actions.setdefault(arrival.key, action)
        expect("I7", owner == action, "key {} is that of {} and of {}", arrival.key, owner, action)
        attempt = (arrival.key, arrival.fence)
        calls = 1 if self.app.effectors[arrival.party].hedge is None else 2  # a hedge is a second call of one attempt
        expect("I19", self._fences[attempt] < calls, "attempt {} arrives once too often", attempt)
        self._fences[attempt] += 1

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
            self._guard(partial(expect, "I17", count <= most, "{} {}", count, what))

    # -- what callers were told -----------------------------------------------------------------------------------

    def answered(self, value: Any, options: dict[str, Any], handle: Handle) -> None:
        """A submitter has its verdict."""
        self._guard(lambda: self._answer(value, options, handle))

    def _answer(self, value: Any, options: dict[str, Any], handle: Handle) -> None:
        verdict = handle.verdict
        expect("I11", verdict.code or verdict.result == "admitted", "{} has no code", handle)
        if handle.id is None:
            expect("I11", verdict.result in {"refused", "shed"}, "{} has no record", handle)
            return
        told = self.ledger.told.get(handle.id)
        if told is None:
            raise InvariantViolation("I6", f"{handle} was answered and is not recorded")
        known = any((v.result, v.code) == (verdict.result, verdict.code) for v in told.verdicts)
        expect("I6", known, "{} was answered; recorded is {}", handle, [(v.result, v.code) for v in told.verdicts])
        if options.get("key") is not None:
            self._same_key(value, options, handle)

    def _same_key(self, value: Any, options: dict[str, Any], handle: Handle) -> None:
        place = (options.get("tenant", "default"), options.get("source", "local"), options["key"])
        if handle.verdict.code == "KEY_REUSED":
            bound = self._promised.get(place)
            expect("I10", bound is None or bound[0] != value, "{} is refused for its own content", place)
            return
        bound = self._promised.setdefault(place, (value, handle.id or 0))
        expect("I10", bound[0] == value, "{} is bound to {} and takes {}", place, bound[0], value)
        expect("I10", bound[1] == handle.id, "{} is answered as {} and as {}", place, bound[1], handle.id)

    def ended(self, decision: int, outcome: Outcome | None) -> None:
        """A submitter was told the outcome."""
        self._guard(lambda: self._outcome(decision, outcome))

    def _outcome(self, decision: int, outcome: Outcome | None) -> None:
        told = self.ledger.told.get(decision)
        if told is None or told.end is None:
            raise InvariantViolation("I6", f"the outcome {outcome} was told and is not recorded: {told}")
        how = outcome.result if outcome is not None else "refused"
        expect("I2", how == told.end, "{} was told to be {}", told, how)

    def halted(self, scope: str) -> None:
        """A halt was confirmed."""
        self._guard(lambda: expect("I6", scope in self.ledger.halted, "the halt of {} is not recorded", scope))

    def approved(self, decision: int, by: str) -> None:
        """An approval was confirmed."""
        told = self.ledger.told.get(decision)
        known = told is not None and any(a.approver == by for a in told.approvals)
        self._guard(lambda: expect("I6", known, "the approval of {} by {} is not recorded", decision, by))

    def reported(self, ref: str, report: str) -> None:
        """The engine has acknowledged a report from the world."""
        self._guard(
            lambda: expect(
                "I6", report in self.ledger.reports, "report {} of {} was acknowledged and is not recorded", report, ref
            )
        )

    # -- at restart and at rest -----------------------------------------------------------------------------------

    def reopened(self, state: State, last: HistoryRow | None, before: dict[str, Any] | None) -> None:
        """I6 and I15: everything that was recorded is there, and folding it gives what the node had.

        `last` is the fact that now stands where the last one stood that was recorded before.
        """
        self._guard(lambda: self._reopened(state, last, before))

    def _reopened(self, state: State, last: HistoryRow | None, before: dict[str, Any] | None) -> None:
        kept = self.last is None or last == self.last
        expect("I6", kept, "fact {} was recorded and is gone", self.ledger.seq)
        after = picture(state)
        for part, was in (before or {}).items():
            expect("I15", was == after[part], "{} was {} and is {} after a restart", part, was, after[part])

    def rested(self, parties: list[Party], node: Node) -> None:
        """Faults have stopped and nothing moves any more."""
        self._guard(lambda: self._rest(parties, node))

    def _rest(self, parties: list[Party], node: Node) -> None:
        waiting = [str(told) + f" {told.steps}" for told in self.ledger.open.values()]
        expect("I18", not waiting, "still open, and nobody named is waited for: {}", "; ".join(waiting[:5]))
        expect("I3", not self.ledger.escrow.leaks(), "nothing is open and reserved is {}", self.ledger.escrow.leaks())
        for told in self.ledger.told.values():
            expect("I2", told.end is not None, "{} has no end", told)
        for party in parties:
            for key, deeds in party.deeds.items():
                expect("I8", len(deeds) == 1, "{} was done {} times: {}", key, len(deeds), deeds)
                decision, ordinal = self._actions[key]
                step = self.ledger.told[decision].steps[ordinal]
                lied = step.end in self._lies(party) and not step.succeeded
                expect("I8", not lied, "{} was done and is recorded as {}", key, step.end)
        self._true_amounts(parties)
        state = node.journal.state
        for (budget, scope), account in self.ledger.escrow.accounts.items():
            balance = state.balances[budget, scope]
            for window, amount in account.settled.items():
                if window is not None and window + 2 * (account.window_us or 0) <= self.ledger.at_us:
                    continue  # long over: the engine forgets it
                live = balance.sums.get(window)
                same = live is None or (live[0], live[1]) == (amount, account.reserved.get(window, 0))
                expect("I15", same, "{}/{} has {} in window {}; recorded is {}", budget, scope, live, window, amount)

    def _lies(self, party: Party) -> frozenset[str]:
        """Ends that an action of this party may not have once it was done; an order may be cancelled in the middle."""
        if party.idempotent and self.app.effectors[party.name].asks is None:
            return frozenset()  # who may not ask and has tried as often as is allowed cannot know
        return frozenset({"fail", "expire"} if party.works else {"fail", "expire", "cancel"})

    def _true_amounts(self, parties: list[Party]) -> None:
        """What is settled for each decision is what its actions have really used."""
        true: Counter[tuple[int, str]] = Counter()
        for party in parties:
            for key in party.deeds if party.budget is not None else ():
                true[self._actions[key][0], party.budget or ""] += int(party.used(key))
        for (decision, budget), amount in true.items():
            told = self.ledger.told[decision]
            used = sum(used for (name, _), used in told.used.items() if name == budget)
            expect("I3", used == amount, "{} has settled {} of {}; really used was {}", told, used, budget, amount)

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
        "open": {id_: msgspec.to_builtins(_plain(found), str_keys=True) for id_, found in state.all_open().items()},
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
