"""What recorded facts say, folded a second time and in another way than the engine does it, and what is wrong with them.

Fed with every committed fact in order; knows nothing of the engine's state. Each check names the invariant of DESIGN
section 3 that it holds the facts to, and raises `InvariantViolation`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from lictor.decisions.shaping import Shaper
from lictor.declarations.declared import Declared
from lictor.errors import InvariantViolation
from lictor.execution.planning import Planner
from lictor.journal import port
from lictor.journal.port import HistoryRow
from lictor.records import Amount, Approval, Decision, Outcome, Plan, Reservation, Verdict
from lictor.testing.escrow import Escrow

Hold = tuple[str, str, int | None]


def expect(name: str, holds: object, detail: str) -> None:
    """Raise when a promise is broken."""
    if not holds:
        raise InvariantViolation(name, detail)


@dataclass(slots=True)
class Step:
    """One action of a decision, as far as facts tell."""

    fence: int = 0
    starts: int = 0
    #: An attempt has been started of which nothing has been recorded yet.
    running: bool = False
    #: Nobody knows what became of its last attempt.
    in_doubt: bool = False
    end: str | None = None


@dataclass(slots=True)
class Told:
    """One decision, as its facts tell it."""

    decision: Decision
    verdicts: list[Verdict]
    #: Latest time that any of its facts records.
    at_us: int
    #: The decision in whose turn of the order key it runs; itself, or an ancestor.
    root: int
    admitted: bool = False
    started: bool = False
    started_us: int = 0
    end: str | None = None
    outcome: Outcome | None = None
    plan: Plan | None = None
    steps: list[Step] = field(default_factory=list)
    held: dict[Hold, Amount] = field(default_factory=dict)
    used: dict[tuple[str, str], Amount] = field(default_factory=dict)
    approvals: list[Approval] = field(default_factory=list)
    reports: set[tuple[int, str]] = field(default_factory=set)
    cancel_asked: bool = False

    def __str__(self) -> str:
        d = self.decision
        return f"decision {d.id} ({d.kind}, {d.tenant}, order {d.order_key}, {self.end or self.verdicts[-1].result})"


class Ledger:
    """All decisions, budgets, halts and keys of one history."""

    def __init__(self, app: Declared) -> None:
        self.app = app
        self.seq = 0
        self.at_us = 0
        self.epoch = 0
        self.told: dict[int, Told] = {}
        self.open: dict[int, Told] = {}
        self.keys: dict[tuple[str, str, str], int] = {}
        #: Ids of all reports that were recorded.
        self.reports: set[str] = set()
        self.halts: dict[str, str] = {}
        self.escrow = Escrow()
        self.adjustments: dict[tuple[str, str], Any] = {}
        #: Order key -> root -> those in its turn that are not closed; roots in order of admission.
        self.lanes: dict[tuple[str, str], dict[int, set[int]]] = {}
        self._planner = Planner(app)
        self._shapers: dict[str, Shaper] = {}
        self._folds: dict[type, Callable[[Any, int], None]] = {
            port.Admit: self._admit,
            port.Start: self._start,
            port.Progress: self._progress,
            port.Close: self._close,
            port.Approve: self._approve,
            port.Cancel: self._cancel,
            port.SetHalt: self._halt,
            port.SetLimit: self._limit,
            port.Learn: self._learn,
            port.Epoch: self._epoch,
        }

    def fold(self, row: HistoryRow) -> None:
        """Take the next fact."""
        expect("I14", row.seq == self.seq + 1, f"fact {row.seq} follows {self.seq}")
        expect("I16", row.at_us >= self.at_us, f"fact {row.seq} at {row.at_us} follows one at {self.at_us}")
        self.seq, self.at_us = row.seq, row.at_us
        fold = self._folds.get(type(row.verb))
        if fold is not None:
            fold(row.verb, row.at_us)

    # -- verdicts -------------------------------------------------------------------------------------------------

    def _admit(self, fact: port.Admit, at_us: int) -> None:
        decision, verdict = fact.decision, fact.verdict
        told = self.told.get(decision.id)
        if told is None:
            told = self._new(decision, verdict)
        else:
            expect("I2", told.end is None and not told.admitted, f"{told} is ruled again")
            told.verdicts.append(verdict)
            told.decision = decision
        self._times(told, verdict.at_us, at_us)
        expect("I1", verdict.digest == decision.digest == digest_of(decision), f"{told} and its verdict differ")
        expect("I11", verdict.code or verdict.result != "refused", f"{told} is refused without a code")
        if verdict.result == "refused":
            self._end(told, "refused")
        elif verdict.result == "admitted":
            self._admitted(told, fact, at_us)

    def _new(self, decision: Decision, verdict: Verdict) -> Told:
        told = Told(decision, [verdict], decision.received_us, decision.id)
        if decision.key is not None and verdict.code != "KEY_REUSED":
            place = (decision.tenant, decision.source, decision.key)
            expect("I10", place not in self.keys, f"key {place} is bound to {self.keys.get(place)} and to {decision.id}")
            self.keys[place] = decision.id
        self.told[decision.id] = self.open[decision.id] = told
        return told

    def _admitted(self, told: Told, fact: port.Admit, at_us: int) -> None:
        decision, verdict, plan = fact.decision, fact.verdict, fact.plan
        expect("I1", plan is not None and plan.actions, f"{told} is admitted without a plan")
        expect("I1", plan == self._plan_of(decision), f"{told} is admitted with a plan of other content")
        expect("I5", at_us < decision.deadline_us, f"{told} is admitted past its deadline")
        expect("I12", self.halt_of(decision) is None, f"{told} is admitted while {self.halt_of(decision)} is halted")
        self._approved(told, verdict)
        told.admitted, told.plan = True, plan
        told.steps = [Step() for _ in plan.actions] if plan is not None else []
        if decision.supersedes is not None:
            old = self.open.get(decision.supersedes)
            if old is not None and not old.started:
                self._end(old, "cancelled")
        self._reserve(told, verdict.reservations, verdict.at_us)
        self._enter(told)
        if fact.lease is not None:
            self._begin(told, (0,), fact.lease.fence, at_us)

    def _plan_of(self, decision: Decision) -> Plan:
        """The plan that follows from recorded content; plan functions are pure."""
        shaper = self._shapers.get(decision.kind)
        if shaper is None:
            shaper = self._shapers[decision.kind] = Shaper(self.app.kinds[decision.kind])
        return self._planner.plan(decision.kind, shaper.value(decision))

    def _approved(self, told: Told, verdict: Verdict) -> None:
        """I13: what a person has approved is this content, under this version of the gate."""
        before = [r.gate for v in told.verdicts[:-1] for r in v.rulings if r.result == "hold" and not r.shadow]
        for ruling in verdict.rulings:
            if ruling.shadow or not (ruling.seen and "approved_by" in ruling.seen):
                continue
            bound = [
                a
                for a in told.approvals
                if (a.gate, a.gate_version, a.digest) == (ruling.gate, ruling.version, verdict.digest)
            ]
            good = bound and bound[-1].approved and bound[-1].approver != told.decision.source
            expect("I13", good and ruling.gate in before, f"{told}: {ruling.gate} passed on an approval of something else")

    def _reserve(self, told: Told, reservations: tuple[Reservation, ...], at_us: int) -> None:
        parent = self.open.get(told.decision.parent or 0)
        for r in reservations:
            hold = (r.budget, r.scope, r.window_us)
            from_parent: Amount = min(r.amount, parent.held.get(hold, 0)) if parent is not None else 0
            from_parent = max(from_parent, 0)
            if parent is not None and from_parent:
                parent.held[hold] -= from_parent
            told.held[hold] = told.held.get(hold, 0) + r.amount
            self.escrow.reserve(hold, r.amount - from_parent, at_us, str(told))

    # -- order keys -----------------------------------------------------------------------------------------------

    def lane_of(self, decision: Decision) -> tuple[str, str] | None:
        """The order key that holds a decision back, with its tenant."""
        kind = self.app.kinds.get(decision.kind)
        if decision.order_key is None or (kind is not None and kind.control):
            return None
        return decision.tenant, decision.order_key

    def _enter(self, told: Told) -> None:
        lane = self.lane_of(told.decision)
        if lane is None:
            return
        parent = self.open.get(told.decision.parent or 0)
        turns = self.lanes.setdefault(lane, {})
        if parent is not None and parent.admitted and self.lane_of(parent.decision) == lane:
            told.root = parent.root
        turns.setdefault(told.root, set()).add(told.decision.id)

    def _leave(self, told: Told) -> None:
        lane = self.lane_of(told.decision)
        turns = self.lanes.get(lane) if lane is not None else None
        if lane is None or turns is None or told.root not in turns:
            return
        turns[told.root].discard(told.decision.id)
        if not turns[told.root]:
            del turns[told.root]
        if not turns:
            del self.lanes[lane]

    # -- attempts -------------------------------------------------------------------------------------------------

    def halt_of(self, decision: Decision, effector: str | None = None) -> str | None:
        """The scope that forbids this decision to start, if one does."""
        return next((s for s in scopes(decision, effector) if self.halts.get(s) == "halted"), None)

    def _start(self, fact: port.Start, at_us: int) -> None:
        for item in fact.items:
            told = self.open.get(item.decision)
            expect("I2", told is not None, f"decision {item.decision} starts and is not open")
            if told is not None:
                self._begin(told, item.ordinals, item.fence, at_us)

    def _begin(self, told: Told, ordinals: tuple[int, ...], fence: int, at_us: int) -> None:
        decision, plan = told.decision, told.plan
        expect("I1", told.admitted and plan is not None, f"{told} starts without an admitted verdict")
        expect("I5", at_us < decision.deadline_us, f"{told} starts at {at_us}, past {decision.deadline_us}")
        told.started, told.started_us = True, told.started_us or at_us
        lane = self.lane_of(decision)
        if lane is not None:
            first = next(iter(self.lanes[lane]))
            expect("I4", first == told.root, f"{told} starts before {self.told[first]} of the same order key")
        for ordinal in ordinals:
            step = told.steps[ordinal]
            scope = self.halt_of(decision, plan.actions[ordinal].effector if plan is not None else None)
            expect("I12", scope is None, f"{told} starts while {scope} is halted")
            expect("I19", not step.running, f"{told} action {ordinal} starts while an attempt holds its lease")
            expect("I9", fence > step.fence, f"{told} action {ordinal}: fence {fence} is not above {step.fence}")
            expect("I2", step.end is None, f"{told} action {ordinal} starts after it has ended")
            step.fence, step.running = fence, True
            step.starts += 1

    def _acts(self, told: Told, acts: tuple[port.Act, ...]) -> None:
        for news in acts:
            step = told.steps[news.ordinal]
            expect("I9", news.fence == step.fence, f"{told} action {news.ordinal}: {news.event} of a superseded attempt")
            by = news.value.get("fence") if isinstance(news.value, dict) else None
            expect("I9", by in {None, step.fence}, f"{told} action {news.ordinal}: the answer of a superseded attempt")
            if news.report is not None:
                seen = (news.ordinal, news.report)
                expect("I9", seen not in told.reports, f"{told}: report {news.report} counts twice")
                told.reports.add(seen)
                self.reports.add(news.report)
            if news.event != "report":
                step.running, step.in_doubt = False, news.event == "doubt"
            if news.event == "give_back":
                step.starts -= 1
            if news.event in {"succeed", "fail", "expire", "cancel", "compensated"}:
                expect("I2", step.end in {None, "succeed"}, f"{told} action {news.ordinal} ends twice")
                step.end = news.event
            for budget, scope, amount in news.settled:
                told.used[budget, scope] = told.used.get((budget, scope), 0) + amount

    def _progress(self, fact: port.Progress, at_us: int) -> None:
        told = self._still_open(fact.decision, "progress")
        self._times(told, fact.at_us, at_us)
        self._acts(told, fact.acts)

    # -- ends -----------------------------------------------------------------------------------------------------

    def _still_open(self, decision: int, what: str) -> Told:
        told = self.told.get(decision)
        if told is None:
            raise InvariantViolation("I6", f"{what} of decision {decision}, which has no record")
        expect("I2", told.end is None, f"{what} of {told}, which has ended")
        return told

    def _close(self, fact: port.Close, at_us: int) -> None:
        told = self._still_open(fact.decision, "outcome")
        self._times(told, fact.outcome.at_us, at_us)
        self._acts(told, fact.acts)
        told.outcome = fact.outcome
        self._end(told, fact.outcome.result)

    def _cancel(self, fact: port.Cancel, _at_us: int) -> None:
        told = self._still_open(fact.decision, "cancel")
        told.cancel_asked = True
        if not told.started:
            self._end(told, "cancelled")

    def _end(self, told: Told, how: str) -> None:
        told.end = how
        del self.open[told.decision.id]
        self._leave(told)
        settles = told.started
        left = dict(told.used) if settles else {}
        for hold, amount in told.held.items():
            scope = hold[:2]
            used = left.pop(scope, 0) if scope in told.used and settles else amount if how == "succeeded" else 0
            self.escrow.settle(hold, amount, used)
        for (budget, place), amount in left.items():
            self.escrow.book(budget, place, amount, self.at_us)

    # -- people and lessons ---------------------------------------------------------------------------------------

    def _approve(self, fact: port.Approve, _at_us: int) -> None:
        approval = fact.approval
        told = self._still_open(approval.decision, "approval")
        expect("I13", approval.approver != told.decision.source, f"{told} is approved by its own source")
        expect("I13", approval.digest == told.decision.digest, f"{told}: the approval is of other content")
        same = [a for a in told.approvals if (a.gate, a.gate_version) == (approval.gate, approval.gate_version)]
        expect("I13", not same, f"{told}: {approval.gate} is answered twice")
        told.approvals.append(approval)

    def _halt(self, fact: port.SetHalt, _at_us: int) -> None:
        self.halts.pop(fact.halt.scope, None)
        if fact.halt.mode != "none":
            self.halts[fact.halt.scope] = fact.halt.mode

    def _limit(self, fact: port.SetLimit, _at_us: int) -> None:
        self.escrow.limit(fact.budget, fact.scope, fact.limit, fact.window_s, reset_latch=fact.reset_latch)

    def _learn(self, fact: port.Learn, at_us: int) -> None:
        """I20: a lesson tightens freely, and loosens within bounds and no faster than declared."""
        for new in fact.adjustments:
            declared = self.app.adjustables.get(new.name)
            before = self.adjustments.get((new.name, new.subject))
            self.adjustments[new.name, new.subject] = new
            if declared is None or new.by is not None or new.lesson == "bounds":
                continue
            low, high = sorted((declared.tightest, declared.loosest))
            expect("I20", low <= new.value <= high, f"{new.name} of {new.subject} is {new.value}")
            was = declared.default if before is None else before.value
            loosened = (new.value - was) * (1 if declared.loosest >= declared.tightest else -1)
            hours = 0.0 if before is None else (at_us - before.at_us) / 3.6e9
            bound = declared.loosen_per_hour * hours + 1e-9
            expect("I20", loosened <= bound, f"{new.name} of {new.subject} loosens by {loosened} in {hours} hours")
            latched = before is not None and before.latched and loosened > 0
            expect("I20", not latched, f"{new.name} of {new.subject} is latched and loosens")

    def _epoch(self, fact: port.Epoch, _at_us: int) -> None:
        expect("I14", fact.epoch > self.epoch, f"epoch {fact.epoch} follows {self.epoch}")
        self.epoch = fact.epoch
        for told in self.open.values():  # whoever held a lease is gone
            for step in told.steps:
                step.running = False

    def _times(self, told: Told, says_us: int, at_us: int) -> None:
        """I16: what a decision's records say of time never runs back."""
        expect("I16", says_us >= told.at_us, f"{told}: {says_us} is recorded after {told.at_us}")
        expect("I16", says_us <= at_us, f"{told}: {says_us} is recorded at {at_us}")
        told.at_us = says_us


def scopes(decision: Decision, effector: str | None) -> Iterator[str]:
    """What a halt of this decision could be called."""
    yield "all"
    yield f"kind:{decision.kind}"
    yield f"source:{decision.source}"
    yield f"tenant:{decision.tenant}"
    if effector is not None:
        yield f"effector:{effector}"


def digest_of(decision: Decision) -> bytes:
    """The identity that its content has."""
    prefix = f"{decision.kind}\0{decision.version}\0".encode()
    return sha256(prefix + decision.tenant.encode() + b"\0" + decision.payload).digest()
