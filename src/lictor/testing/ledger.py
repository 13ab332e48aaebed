"""What recorded facts say, folded a second time and in another way than the engine does, and what is wrong with them.

Fed with every committed fact in order; knows nothing of the engine's state. Each check names the invariant of DESIGN
section 3 that it holds the facts to, and raises `InvariantViolation`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lictor.decisions.shaping import Shaper
from lictor.declarations.declared import Declared
from lictor.errors import InvariantViolation
from lictor.execution.planning import Planner
from lictor.journal import port
from lictor.journal.port import HistoryRow
from lictor.records import Amount, Decision, Plan, Reservation, Verdict
from lictor.testing.escrow import Escrow
from lictor.testing.told import Step, Told, digest_of, expect, scopes


class Ledger:
    """All decisions, budgets, halts and keys of one history."""

    def __init__(self, app: Declared) -> None:
        self.app = app
        self.seq = 0
        self.at_us = 0
        self.epoch = 0
        self.told: dict[int, Told] = {}
        self.open: dict[int, Told] = {}
        #: The deepest nesting of decisions so far.
        self.depth = 0
        self.keys: dict[tuple[str, str, str], int] = {}
        #: Ids of all reports that were recorded.
        self.reports: set[str] = set()
        self.halts: dict[str, str] = {}
        #: Scopes that were ever halted.
        self.halted: set[str] = set()
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
        expect("I14", row.seq == self.seq + 1, "fact {} follows {}", row.seq, self.seq)
        expect("I16", row.at_us >= self.at_us, "fact {} at {} follows one at {}", row.seq, row.at_us, self.at_us)
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
            expect("I2", told.end is None and not told.admitted, "{} is ruled again", told)
            told.verdicts.append(verdict)
            told.decision = decision
        self._times(told, verdict.at_us, at_us)
        expect("I1", verdict.digest == decision.digest == digest_of(decision), "{} and its verdict differ", told)
        expect("I11", verdict.code or verdict.result != "refused", "{} is refused without a code", told)
        if verdict.result == "refused":
            self._end(told, "refused")
        elif verdict.result == "admitted":
            self._admitted(told, fact, at_us)

    def _new(self, decision: Decision, verdict: Verdict) -> Told:
        told = Told(decision, [verdict], decision.received_us, decision.id)
        if decision.key is not None and verdict.code != "KEY_REUSED":
            place = (decision.tenant, decision.source, decision.key)
            expect(
                "I10",
                place not in self.keys,
                "key {} is bound to {} and to {}",
                place,
                self.keys.get(place),
                decision.id,
            )
            self.keys[place] = decision.id
        self.told[decision.id] = self.open[decision.id] = told
        self.depth = max(self.depth, decision.depth)
        return told

    def _admitted(self, told: Told, fact: port.Admit, at_us: int) -> None:
        decision, verdict, plan = fact.decision, fact.verdict, fact.plan
        expect("I1", plan is not None and plan.actions, "{} is admitted without a plan", told)
        expect("I1", plan == self._plan_of(decision), "{} is admitted with a plan of other content", told)
        expect("I5", at_us < decision.deadline_us, "{} is admitted past its deadline", told)
        expect("I12", self.halt_of(decision) is None, "{} is admitted while {} is halted", told, self.halt_of(decision))
        self._approved(told, verdict)
        told.admitted, told.plan, told.place = True, plan, self.seq
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
            by = {a.approver for a in bound if a.approver != told.decision.source}
            need = _asks(told.verdicts, (ruling.gate, ruling.version))
            good = len(by) >= need and all(a.approved for a in bound)
            expect(
                "I13",
                good and ruling.gate in before,
                "{}: {} passed on an approval of something else",
                told,
                ruling.gate,
            )

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
        if parent is not None and parent.decision.id in turns.get(parent.root, ()):
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
            expect("I2", told is not None, "decision {} starts and is not open", item.decision)
            if told is not None:
                self._begin(told, item.ordinals, item.fence, at_us)

    def _begin(self, told: Told, ordinals: tuple[int, ...], fence: int, at_us: int) -> None:
        decision, plan = told.decision, told.plan
        expect("I1", told.admitted and plan is not None, "{} starts without an admitted verdict", told)
        expect("I5", at_us < decision.deadline_us, "{} starts at {}, past {}", told, at_us, decision.deadline_us)
        told.started, told.started_us = True, told.started_us or at_us
        lane = self.lane_of(decision)
        if lane is not None:
            first = next(iter(self.lanes[lane]))
            expect("I4", first == told.root, "{} starts before {} of the same order key", told, self.told[first])
        for ordinal in ordinals:
            step = told.steps[ordinal]
            scope = self.halt_of(decision, plan.actions[ordinal].effector if plan is not None else None)
            expect("I12", scope is None, "{} starts while {} is halted", told, scope)
            expect("I19", not step.running, "{} action {} starts while an attempt holds its lease", told, ordinal)
            expect("I9", fence > step.fence, "{} action {}: fence {} is not above {}", told, ordinal, fence, step.fence)
            expect("I2", step.end is None, "{} action {} starts after it has ended", told, ordinal)
            step.fence, step.running = fence, True
            step.starts += 1

    def _acts(self, told: Told, acts: tuple[port.Act, ...]) -> None:
        for news in acts:
            step = told.steps[news.ordinal]
            expect(
                "I9",
                news.fence == step.fence,
                "{} action {}: {} of a superseded attempt",
                told,
                news.ordinal,
                news.event,
            )
            by = news.value.get("fence") if isinstance(news.value, dict) else None
            expect(
                "I9", by in {None, step.fence}, "{} action {}: the answer of a superseded attempt", told, news.ordinal
            )
            if news.report is not None:
                seen = (news.ordinal, news.report)
                expect("I9", seen not in told.reports, "{}: report {} counts twice", told, news.report)
                told.reports.add(seen)
                self.reports.add(news.report)
            if news.event != "report":
                step.running, step.in_doubt = False, news.event == "doubt"
            if news.event == "give_back":
                step.starts -= 1
            if news.event in {"succeed", "fail", "expire", "cancel", "compensated"}:
                expect("I2", step.end in {None, "succeed"}, "{} action {} ends twice", told, news.ordinal)
                step.end = news.event
                step.succeeded = step.succeeded or news.event == "succeed"
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
        expect("I2", told.end is None, "{} of {}, which has ended", what, told)
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
        expect("I13", approval.approver != told.decision.source, "{} is approved by its own source", told)
        expect("I13", approval.digest == told.decision.digest, "{}: the approval is of other content", told)
        asked = (approval.gate, approval.gate_version)
        same = [a for a in told.approvals if (a.gate, a.gate_version) == asked]
        need = _asks(told.verdicts, asked)
        enough = len(same) >= need or any(a.approver == approval.approver or not a.approved for a in same)
        expect("I13", not enough, "{}: {} is answered twice", told, approval.gate)
        told.approvals.append(approval)

    def _halt(self, fact: port.SetHalt, _at_us: int) -> None:
        self.halts.pop(fact.halt.scope, None)
        if fact.halt.mode != "none":
            self.halts[fact.halt.scope] = fact.halt.mode
            self.halted.add(fact.halt.scope)

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
            expect("I20", low <= new.value <= high, "{} of {} is {}", new.name, new.subject, new.value)
            was = declared.default if before is None else before.value
            loosened = (new.value - was) * (1 if declared.loosest >= declared.tightest else -1)
            hours = 0.0 if before is None else (at_us - before.at_us) / 3.6e9
            bound = declared.loosen_per_hour * hours + 1e-9
            expect(
                "I20", loosened <= bound, "{} of {} loosens by {} in {} hours", new.name, new.subject, loosened, hours
            )
            latched = before is not None and before.latched and loosened > 0
            expect("I20", not latched, "{} of {} is latched and loosens", new.name, new.subject)

    def _epoch(self, fact: port.Epoch, _at_us: int) -> None:
        expect("I14", fact.epoch > self.epoch, "epoch {} follows {}", fact.epoch, self.epoch)
        self.epoch = fact.epoch
        for told in self.open.values():  # whoever held a lease is gone
            for step in told.steps:
                step.running = False
        self.lanes = {}  # and turns begin anew: what had begun is first, then the order of admission
        admitted = [told for told in self.open.values() if told.admitted]
        for told in sorted(admitted, key=lambda told: (not told.started, told.place)):
            told.root = told.decision.id
            self._enter(told)

    def _times(self, told: Told, says_us: int, at_us: int) -> None:
        """I16: what a decision's records say of time never runs back."""
        expect("I16", says_us >= told.at_us, "{}: {} is recorded after {}", told, says_us, told.at_us)
        expect("I16", says_us <= at_us, "{}: {} is recorded at {}", told, says_us, at_us)
        told.at_us = says_us


def _asks(verdicts: list[Verdict], asked: tuple[str, str]) -> int:
    """How many persons a version of a gate asks for."""
    holds = (r for v in verdicts for r in v.rulings if r.result == "hold" and (r.gate, r.version) == asked)
    return max((r.approvers for r in holds), default=1)
