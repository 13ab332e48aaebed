"""The current state that follows from history: `decide` whether a verb is accepted and as what, `evolve` by what was accepted.

Stores that keep current state in memory use this for both: live (decide, then evolve) and at recovery (evolve over stored facts),
so that folding history gives the live state by construction (I15). No I/O, no clock: times come in with the batch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from lictor.errors import Code, InvariantViolation
from lictor.lifecycle import DecisionState, decide
from lictor.records import Adjustment, Decision, Halt, Lesson, Outcome, Quarantined, Result, Verdict

from . import port
from .balance import Balance
from .open import Open, OpenAction
from .rules import admission_refusal, arbiter_ruling, draws, halted, settlement


class Bound(NamedTuple):
    """What a key is bound to."""

    decision: int
    digest: bytes


class Keys(Protocol):
    """The index of keys; a store decides where it lives."""

    def get(self, tenant: str, source: str, key: str) -> Bound | None:
        """What the key is bound to."""
        ...

    def put(self, tenant: str, source: str, key: str, bound: Bound) -> None:
        """Bind a key."""
        ...


class KeysInMemory(dict[tuple[str, str, str], Bound]):
    """All keys in a dict."""

    def get(self, tenant: str, source: str, key: str) -> Bound | None:  # type: ignore[override]
        return super().get((tenant, source, key))

    def put(self, tenant: str, source: str, key: str, bound: Bound) -> None:
        self[tenant, source, key] = bound


class State:
    """Everything that is not history."""

    def __init__(self, keys: Keys) -> None:
        self.keys = keys
        self.open: dict[int, Open] = {}
        self.balances: dict[tuple[str, str], Balance] = {}
        self.halts: dict[str, Halt] = {}
        self.adjustments: dict[tuple[str, str], Adjustment] = {}
        self.lessons: dict[tuple[str, str], Lesson] = {}
        self.quarantine: dict[int, Quarantined] = {}
        self.references: dict[str, str] = {}
        self.declared: port.Declare | None = None
        self.epoch = 0
        self.fence = 0
        self.at_us = 0
        self.learned_seq = 0
        self._deciders: dict[type[port.Verb], Callable[[Any, int], tuple[port.Answer, port.Verb | None]]] = {
            port.Admit: self._decide_admit,
            port.Start: self._decide_start,
            port.Progress: self._decide_progress,
            port.Close: self._decide_close,
            port.Undo: self._decide_open,
            port.Approve: self._decide_approve,
            port.Cancel: self._decide_open,
        }
        self._folds: dict[type[port.Verb], Callable[[Any, int, int], None]] = {
            port.Admit: self._admit, port.Start: self._start, port.Progress: self._progress, port.Close: self._close,
            port.Undo: self._undo, port.Approve: self._approve, port.Cancel: self._cancel, port.SetHalt: self._halt,
            port.SetLimit: self._limit, port.Learn: self._learn, port.Quarantine: self._quarantine,
            port.Refer: self._refer, port.Declare: self._declare, port.Epoch: self._epoch, port.Shed: self._shed,
        }

    def next_fence(self) -> int:
        """A fencing token above all that were ever given out here; the epoch is its high part, so that restarts never repeat one."""
        self.fence += 1
        return (self.epoch << 40) | self.fence

    def decide(self, verb: port.Verb, at_us: int) -> tuple[port.Answer, port.Verb | None]:
        """The answer to a verb, and the fact to store (None when nothing changes). Does not change the state."""
        decider = self._deciders.get(type(verb))
        return decider(verb, at_us) if decider else (port.Answer(), verb)

    def evolve(self, fact: port.Verb, seq: int, at_us: int) -> None:
        """Fold one accepted fact into the state.

        Raises:
            LifecycleError: the fact cannot follow from this state: the journal is damaged, or the engine has a defect.
        """
        if at_us < self.at_us:
            raise InvariantViolation("I16", f"recorded time ran back from {self.at_us} to {at_us}")
        self.at_us = at_us
        self._folds[type(fact)](fact, seq, at_us)

    # -- decide ---------------------------------------------------------------------------------------------------

    def _decide_admit(self, verb: port.Admit, at_us: int) -> tuple[port.Answer, port.Verb | None]:
        decision, verdict = verb.decision, verb.verdict
        before = self.open.get(decision.id)
        if before is None:
            if decision.key is not None:
                bound = self.keys.get(decision.tenant, decision.source, decision.key)
                if bound is not None:
                    if bound.digest == decision.submitted_digest:
                        return self._duplicate(bound), None
                    return self._refused(verb, Code.KEY_REUSED, {"key": decision.key, "bound_to": bound.decision}, at_us)
        elif before.cancel_asked or before.started:
            return port.Answer(ok=False, code="NOT_HELD", decision=decision.id, open=before), None
        if verdict.result is Result.ADMITTED:
            refusal = admission_refusal(self, verb, at_us)
            if refusal is not None:
                return self._refused(verb, refusal[0], refusal[1], at_us)
        answer = port.Answer(decision=decision.id, verdict=verdict, started=verb.lease is not None)
        return answer, verb

    def _duplicate(self, bound: Bound) -> port.Answer:
        found = self.open.get(bound.decision)
        return port.Answer(
            ok=False, code="DUPLICATE", decision=bound.decision, open=found, verdict=found.verdict if found else None,
        )

    def _refused(self, verb: port.Admit, code: Code, seen: dict[str, Any], at_us: int) -> tuple[port.Answer, port.Verb]:
        """The admission turned into a refusal by the journal, which is the arbiter."""
        verdict = verb.verdict
        ruling = arbiter_ruling(code, seen)
        turned = Verdict(
            result=Result.REFUSED, at_us=at_us, digest=verdict.digest, policy=verdict.policy, code=code,
            rulings=(*verdict.rulings, ruling), durability=verdict.durability,
        )
        fact = port.Admit(verb.decision, turned)
        return port.Answer(decision=verb.decision.id, verdict=turned), fact

    def _decide_start(self, verb: port.Start, at_us: int) -> tuple[port.Answer, port.Verb | None]:
        good = tuple(item for item in verb.items if self._may_start(item, at_us))
        if not good:
            return port.Answer(ok=False, code="NOTHING_STARTED"), None
        accepted = frozenset(item.decision for item in good)
        return port.Answer(accepted=accepted), port.Start(good, verb.until_us)

    def _may_start(self, item: port.StartItem, at_us: int) -> bool:
        found = self.open.get(item.decision)
        if found is None or found.plan is None or found.cancel_asked:
            return False
        actions = found.plan.actions
        if any(halted(self, found.decision, actions[ordinal].effector) for ordinal in item.ordinals):  # I12
            return False
        # I5; resolving what is in doubt asks under its own permission and never starts here past the deadline.
        return at_us < found.decision.deadline_us

    def _decide_progress(self, verb: port.Progress, _at_us: int) -> tuple[port.Answer, port.Verb | None]:
        found = self.open.get(verb.decision)
        if found is None:
            return port.Answer(ok=False, code="NOT_OPEN", decision=verb.decision), None
        good = tuple(news for news in verb.acts if self._current(found, news))
        if not good:
            return port.Answer(ok=False, code="SUPERSEDED_ATTEMPT", decision=verb.decision, open=found), None
        fact = verb if len(good) == len(verb.acts) else port.Progress(verb.decision, good, verb.at_us)
        return port.Answer(decision=verb.decision, open=found), fact

    @staticmethod
    def _current(found: Open, news: port.Act) -> bool:
        """I9: news of a superseded attempt, of a finished action, or a report seen before changes nothing."""
        action = found.actions[news.ordinal]
        if news.fence != action.fence or (action.done and news.event != "compensate"):
            return False
        return news.report is None or action.reports is None or news.report not in action.reports

    def _decide_close(self, verb: port.Close, _at_us: int) -> tuple[port.Answer, port.Verb | None]:
        found = self.open.get(verb.decision)
        if found is None:  # I2: the first terminal commit wins
            return port.Answer(ok=False, code="NOT_OPEN", decision=verb.decision), None
        if not all(self._current(found, news) for news in verb.acts):
            return port.Answer(ok=False, code="SUPERSEDED_ATTEMPT", decision=verb.decision, open=found), None
        return port.Answer(decision=verb.decision, open=found, outcome=verb.outcome), verb

    def _decide_open(self, verb: port.Undo | port.Cancel, _at_us: int) -> tuple[port.Answer, port.Verb | None]:
        found = self.open.get(verb.decision)
        if found is None:
            return port.Answer(ok=False, code="NOT_OPEN", decision=verb.decision), None
        return port.Answer(decision=verb.decision, open=found), verb

    def _decide_approve(self, verb: port.Approve, _at_us: int) -> tuple[port.Answer, port.Verb | None]:
        approval = verb.approval
        found = self.open.get(approval.decision)
        if found is None or found.state != DecisionState.HELD:
            return port.Answer(ok=False, code="NOT_HELD", decision=approval.decision, open=found), None
        if approval.approver == found.decision.source:  # I13
            return port.Answer(ok=False, code="APPROVER_IS_SOURCE", decision=approval.decision, open=found), None
        if approval.digest != found.decision.digest:  # I13
            return port.Answer(ok=False, code="OTHER_CONTENT", decision=approval.decision, open=found), None
        if any(a.gate == approval.gate and a.gate_version == approval.gate_version for a in found.approvals):
            return port.Answer(ok=False, code="ALREADY_ANSWERED", decision=approval.decision, open=found), None
        return port.Answer(decision=approval.decision, open=found), verb

    # -- evolve ---------------------------------------------------------------------------------------------------

    def _admit(self, fact: port.Admit, seq: int, at_us: int) -> None:
        decision, verdict = fact.decision, fact.verdict
        found = self.open.get(decision.id)
        state = decide(found.state if found else DecisionState.NEW, _EVENT[verdict.result]).to
        if found is None and decision.key is not None and verdict.code != Code.KEY_REUSED:
            self.keys.put(decision.tenant, decision.source, decision.key, Bound(decision.id, decision.submitted_digest))
        if state == DecisionState.REFUSED:
            if verdict.code is None:
                raise InvariantViolation("I11", f"decision {decision.id} refused without a code")
            self.open.pop(decision.id, None)
            return
        if found is None:
            found = self.open[decision.id] = Open(decision, verdict, state)
        found.decision, found.verdict, found.state, found.place = decision, verdict, state, seq
        if state != DecisionState.ADMITTED:
            return
        if fact.plan is None or verdict.digest != decision.digest:
            raise InvariantViolation("I1", f"decision {decision.id} admitted without a plan, or on other content")
        found.plan = fact.plan
        found.actions = [OpenAction() for _ in fact.plan.actions]
        if decision.supersedes is not None:
            self._supersede(decision, at_us)
        for (budget, scope, window), amount, from_parent in draws(self, decision, verdict.reservations):
            key = (budget, scope, window)
            found.held[key] = found.held.get(key, 0) + amount
            if from_parent and decision.parent is not None:
                self.open[decision.parent].held[key] -= from_parent
            if amount - from_parent:
                self.balances[budget, scope].reserve(amount - from_parent, window)
        if fact.lease is not None:
            self._begin(found, (0,), fact.lease.fence, fact.lease.until_us, at_us)

    def _supersede(self, decision: Decision, at_us: int) -> None:
        """Take the place of an unstarted decision: its reservation is released in the same transaction."""
        old = self.open.get(decision.supersedes or 0)
        if old is not None and not old.started:
            outcome = Outcome(decision=old.decision.id, result="cancelled", at_us=at_us, code=Code.SUPERSEDED)
            self._finish(old, "cancel", outcome, at_us)

    def _begin(self, found: Open, ordinals: tuple[int, ...], fence: int, until_us: int, at_us: int) -> None:
        if found.state == DecisionState.ADMITTED:
            found.state = decide(found.state, "start").to
            found.started_us = at_us
        found.lease_until_us = until_us
        for ordinal in ordinals:
            found.actions[ordinal].start(fence)
        self.fence = max(self.fence, fence & ((1 << 40) - 1))

    def _start(self, fact: port.Start, _seq: int, at_us: int) -> None:
        for item in fact.items:
            found = self.open.get(item.decision)
            if found is not None:  # recovery folds ticks that also cover decisions closed since
                self._begin(found, item.ordinals, item.fence, fact.until_us, at_us)

    def _progress(self, fact: port.Progress, _seq: int, _at_us: int) -> None:
        actions = self.open[fact.decision].actions
        for news in fact.acts:
            actions[news.ordinal].apply(news)

    def _close(self, fact: port.Close, _seq: int, at_us: int) -> None:
        found = self.open[fact.decision]
        for news in fact.acts:
            found.actions[news.ordinal].apply(news)
        self._finish(found, fact.event, fact.outcome, at_us)

    def _finish(self, found: Open, event: str, outcome: Outcome, at_us: int) -> None:
        transition = decide(found.state, event)
        if found.held or found.actions:
            for (budget, scope, window), held, used in settlement(self, found, transition, at_us):
                self.balances[budget, scope].settle(held, used, window)
        found.held = {}
        found.state = transition.to
        found.outcome = outcome
        del self.open[found.decision.id]

    def _undo(self, fact: port.Undo, _seq: int, _at_us: int) -> None:
        found = self.open[fact.decision]
        found.state = decide(found.state, "compensate").to

    def _approve(self, fact: port.Approve, _seq: int, _at_us: int) -> None:
        self.open[fact.approval.decision].approvals.append(fact.approval)

    def _cancel(self, fact: port.Cancel, _seq: int, at_us: int) -> None:
        found = self.open[fact.decision]
        if found.started:
            found.cancel_asked, found.cancel_by = True, fact.by
            return
        outcome = Outcome(decision=fact.decision, result="cancelled", at_us=at_us, detail=f"by {fact.by}: {fact.reason}")
        self._finish(found, "cancel", outcome, at_us)

    def _halt(self, fact: port.SetHalt, _seq: int, _at_us: int) -> None:
        if fact.halt.mode == "none":
            self.halts.pop(fact.halt.scope, None)
        else:
            self.halts[fact.halt.scope] = fact.halt

    def _limit(self, fact: port.SetLimit, _seq: int, _at_us: int) -> None:
        balance = self.balances.get((fact.budget, fact.scope))
        if balance is None:
            window_us = None if fact.window_s is None else round(fact.window_s * 1e6)
            balance = self.balances[fact.budget, fact.scope] = Balance(fact.limit, window_us)
        balance.limit = fact.limit
        if fact.reset_latch:
            balance.latched = False

    def _learn(self, fact: port.Learn, seq: int, _at_us: int) -> None:
        self.learned_seq = seq
        for lesson in fact.lessons:
            self.lessons[lesson.name, lesson.subject] = lesson
        for adjustment in fact.adjustments:
            self.adjustments[adjustment.name, adjustment.subject] = adjustment

    def _quarantine(self, fact: port.Quarantine, _seq: int, _at_us: int) -> None:
        if fact.entry.state == "kept":
            self.quarantine[fact.entry.id] = fact.entry
        else:
            self.quarantine.pop(fact.entry.id, None)

    def _refer(self, fact: port.Refer, _seq: int, _at_us: int) -> None:
        self.references[fact.name] = fact.version

    def _declare(self, fact: port.Declare, _seq: int, _at_us: int) -> None:
        self.declared = fact

    def _epoch(self, fact: port.Epoch, _seq: int, _at_us: int) -> None:
        self.epoch = fact.epoch
        self.fence = 0

    def _shed(self, fact: port.Shed, _seq: int, _at_us: int) -> None:
        """Counts are read from history; nothing current follows from them."""


_EVENT = {Result.ADMITTED: "admit", Result.REFUSED: "refuse", Result.HELD: "hold", Result.DEFERRED: "defer"}
