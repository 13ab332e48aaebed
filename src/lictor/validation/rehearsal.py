"""Rehearses history: rules recorded decisions again, from their recorded evidence, by other gates or other limits.

Reads facts that are given to it, commit by commit in their order; performs nothing and writes nothing. Circumstances
(halts, deadlines, demotions, keys, what people answered, what the world reported) stay as they were; gates, permissions
and limits are the ones of the App that is rehearsed. With the App that ran, nothing changes. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from lictor.declarations.declared import Declared
from lictor.errors import Code, LictorError
from lictor.journal.port import Admit, Cancel, Close, Declare, HistoryRow, Refer, Shed
from lictor.records import Amount, Approval, Decision, Result, Ruling, Verdict

from .gatekeeper import Amend, Gatekeeper
from .recorded import NOT_RECORDED, Kept, Recorded
from .rehearsed import CHANGES_MAX, Changed, Rehearsed, Use
from .what_if import Carried, Ledger, WhatIf

#: Rulings of the engine about how things stood, not about what the rules were.
CIRCUMSTANCES = frozenset({"deadline", "demotion", "halt"})
#: What the journal refuses for circumstances: no gate and no limit can change it.
_ARBITER_CIRCUMSTANCES = frozenset({Code.EXPIRED.value, Code.HALTED.value})

replace = msgspec.structs.replace


class Case:
    """One decision on its way to its last verdict, then and now."""

    __slots__ = ("decision", "new", "now", "policy", "ruling", "then", "undecided")

    def __init__(self, decision: Decision) -> None:
        self.decision = decision
        self.then: list[str] = []
        self.now: list[str] = []
        #: Why it cannot be told.
        self.undecided: str | None = None
        #: What now decides.
        self.ruling: Ruling | None = None
        #: Admitted now, and not then so far.
        self.new = False
        #: The policy under which it was ruled first.
        self.policy = ""


class Rehearsal:
    """One run over history.

    Args:
        app: the declarations to try.
        amend: by kind, as for the gatekeeper.
        value_of: the payload of a stored decision as a value of its kind's type; raises what does not fit.
        limits: limits to try, by budget and scope; scope None is every scope of the budget.
        since_us: decisions received before are taken as they were.
        until_us: history after it is not looked at.
        kinds: kinds whose gates are asked again; None is all.
        carried: what balances had come to where history begins, if what is older is archived.
    """

    def __init__(
        self,
        app: Declared,
        amend: Mapping[str, Amend],
        value_of: Callable[[Decision], Any],
        *,
        limits: Mapping[tuple[str, str | None], Amount] | None = None,
        since_us: int = 0,
        until_us: int | None = None,
        kinds: frozenset[str] | None = None,
        carried: Mapping[tuple[str, str], Carried] | None = None,
    ) -> None:
        self._app = app
        self._limits = limits or {}
        self._value_of = value_of
        self._since_us, self._until_us, self._kinds = since_us, until_us, kinds
        self._gates = Gatekeeper(app, amend)
        self._versions = {(g.kind, g.name): g.version for gates in app.gates.values() for g in gates}
        self._partial = carried is not None
        self._kept = Kept()
        self._truth = Ledger(carried)
        self._instead = WhatIf(app, self.limit, carried)
        self._world = Recorded(app, self._kept, self._truth.state, self._instead.state, self.limit)
        self._cases: dict[int, Case] = {}
        self._began = False
        self._policy = ""
        self.found = Rehearsed(app.name, app.policy_version())

    def limit(self, budget: str, scope: str) -> Amount | None:
        """The limit to try for a scope, if one is."""
        exact = self._limits.get((budget, scope))
        return self._limits.get((budget, None)) if exact is None else exact

    def commit(self, rows: Sequence[HistoryRow]) -> bool:
        """The facts of one commit, in order; False when all that was asked for has been seen."""
        first = rows[0]
        if self._until_us is not None and first.at_us >= self._until_us:
            return False
        if not self._began and first.at_us >= self._since_us:
            self._began = True
            self._instead.try_limits(first.seq, first.at_us)
        for row in rows:  # in force for all gates of the commit, wherever in it they stand
            if isinstance(row.verb, Refer):
                self._kept.add(row.verb)
        verdicts = [self._rule(row.verb) if isinstance(row.verb, Admit) else None for row in rows]
        for row, verdict in zip(rows, verdicts, strict=True):
            if isinstance(row.verb, Admit):
                self._admit(row.verb, verdict, row)
            else:
                self._fold(row)
        return True

    def result(self) -> Rehearsed:
        """What was found; decisions that were still open count as far as they had come."""
        for id_ in list(self._cases):
            self._finish(id_)
        truth, instead = self._truth, self._instead
        for key in sorted(truth.state.balances.keys() | instead.state.balances.keys()):
            before, after = truth.state.balances.get(key), instead.state.balances.get(key)
            self.found.use.append(
                Use(
                    *key,
                    limit_then=before.limit if before is not None else 0,
                    limit_now=after.limit if after is not None else 0,
                    peak_then=truth.peaks.get(key, 0),
                    peak_now=instead.peaks.get(key, 0),
                    end_then=truth.end(key),
                    end_now=instead.end(key),
                )
            )
        return self.found

    # -- gates ------------------------------------------------------------------------------------------------------

    def _rule(self, fact: Admit) -> Admit | None:
        """What the gates say now, before the journal arbitrates; None where the recorded verdict is taken as it was."""
        decision, verdict = fact.decision, fact.verdict
        case = self._case(decision)
        if case is None or case.undecided is not None:
            return None
        waiting = self._instead.state.open.get(decision.id)
        if case.now and (waiting is None or not waiting.waits):
            return None  # it has its verdict
        if _carried(verdict) or (self._kinds is not None and decision.kind not in self._kinds):
            return None
        try:
            asked = waiting.decision if waiting is not None else as_submitted(decision, verdict)
            if decision.kind not in self._app.kinds:
                case.undecided = f"kind {decision.kind} is not declared"
                return None
            if not asked.payload:
                case.undecided = "the content was erased"
                return None
            value = self._value_of(asked)
        except LictorError as error:
            case.undecided = error.message
            return None
        self._world.take(verdict.rulings, verdict.at_us)
        approvals = [self._carry(a, decision.kind) for a in (waiting.approvals if waiting is not None else ())]
        answers = self._world.answers(decision.kind)
        ruled = self._gates.rule(asked, value, self._world, {}, verdict.at_us, answers=answers, approvals=approvals)
        if ruled.verdict.code == NOT_RECORDED:
            ruling = next(r for r in ruled.verdict.rulings if r.code == NOT_RECORDED)
            seen = ruling.seen or {}
            case.undecided = f"gate {ruling.gate} reads {seen.get('reads', '?')}: {seen.get('why', '')}"
            return None
        return Admit(ruled.decision, ruled.verdict)

    def _case(self, decision: Decision) -> Case | None:
        """The case of a decision that is to be rehearsed."""
        case = self._cases.get(decision.id)
        if case is None and decision.received_us >= self._since_us and decision.id not in self._truth.state.open:
            case = self._cases[decision.id] = Case(decision)
            case.policy = self._policy
        return case

    def _carry(self, approval: Approval, kind: str) -> Approval:
        """What a person answered to this gate then counts as an answer to what the gate is now."""
        version = self._versions.get((kind, approval.gate), approval.gate_version)
        if version != approval.gate_version:
            self.found.approvals_carried += 1
        return replace(approval, gate_version=version)

    # -- ledgers ----------------------------------------------------------------------------------------------------

    def _fold(self, row: HistoryRow) -> None:
        fact = row.verb
        if isinstance(fact, Declare):
            self._policy = fact.policy
        elif isinstance(fact, Shed):
            self.found.shed += sum(count.count for count in fact.counts)
        elif isinstance(fact, Close | Cancel) and (case := self._cases.get(fact.decision)) is not None:
            if case.new:  # it ended without ever having been admitted
                self._instead.assume(fact.decision, row.seq, row.at_us)
            self._finish(fact.decision)
        self._truth.fold(fact, row.seq, row.at_us)
        self._instead.fold(fact, row.seq, row.at_us)

    def _admit(self, fact: Admit, ruled: Admit | None, row: HistoryRow) -> None:
        """Fold the verdict as it was into the truth, and as it would be into the other ledger."""
        decision, then = fact.decision, fact.verdict
        self._truth.latched(then)
        self._instead.latched(then)
        as_it_was = self._partial and self._same(fact, ruled)
        self._truth.fold(fact, row.seq, row.at_us)
        case = self._cases.get(decision.id)
        admitted_then = then.result is Result.ADMITTED
        if case is not None:
            _add(case.then, told(decision, then))
        decided = case is not None and bool(case.now) and not self._waits(decision.id)
        if decided and case is not None:
            if admitted_then:
                case.new = False
                self._instead.planned(fact, row.seq, row.at_us)
            elif case.new and then.result is Result.REFUSED:
                self._instead.assume(decision.id, row.seq, row.at_us)
        else:
            self._arbitrate(fact, None if as_it_was else ruled, case, row, as_it_was=as_it_was)
        if case is not None and then.result in {Result.ADMITTED, Result.REFUSED}:
            self._finish(decision.id)

    def _waits(self, decision: int) -> bool:
        found = self._instead.state.open.get(decision)
        return found is not None and found.waits

    def _same(self, fact: Admit, ruled: Admit | None) -> bool:
        """Whether the journal would arbitrate as it did: the same is asked of what has come to the same.

        Where older history is archived this is known without knowing all limits and sums.
        """
        asked = (ruled or fact).verdict
        if ruled is not None:
            by_journal = fact.verdict.rulings[-1].gate == "journal" if fact.verdict.rulings else False
            admitted = fact.verdict.result is Result.ADMITTED and fact.verdict.reservations == asked.reservations
            if asked.result is not Result.ADMITTED or not (by_journal or admitted):
                return False
            if fact.verdict.digest != asked.digest:
                return False
        return self._instead.alike(self._truth, asked.reservations)

    def _arbitrate(
        self, fact: Admit, ruled: Admit | None, case: Case | None, row: HistoryRow, *, as_it_was: bool
    ) -> None:
        decision, then = fact.decision, fact.verdict
        wanted = self._wanted(fact, ruled)
        if as_it_was:
            self._instead.take(fact, row.seq, row.at_us)
            now = then
        else:
            now = self._instead.admit(wanted, row.seq, row.at_us)
        if case is not None:
            label = told(wanted.decision, now)
            if now.result is then.result is Result.ADMITTED and wanted.decision.digest != decision.digest:
                label += " otherwise"
            _add(case.now, label)
            said = (ruling for ruling in now.rulings if ruling.code == now.code and not ruling.shadow)
            case.ruling = next(said, None) if now.code is not None else None
        if now.result is not Result.ADMITTED:
            return
        if then.result is Result.ADMITTED:
            if now.reservations != then.reservations:
                self._instead.other(decision.id)
            return
        self.found.assumed += 1
        if then.result is Result.REFUSED:
            self._instead.assume(decision.id, row.seq, row.at_us)
        elif case is not None:
            case.new = True

    @staticmethod
    def _wanted(fact: Admit, ruled: Admit | None) -> Admit:
        """What goes to the arbiter: what the gates say now, else the recorded verdict as its gates gave it."""
        then = fact.verdict
        last = then.rulings[-1] if then.rulings else None
        by_engine = last.gate if last is not None and last.result == "deny" and not last.version else None
        if ruled is None:
            return fact
        if ruled.verdict.result is Result.ADMITTED:
            if by_engine == "plan" or (by_engine == "journal" and then.code in _ARBITER_CIRCUMSTANCES):
                return replace(fact, decision=ruled.decision, verdict=replace(then, digest=ruled.decision.digest))
            lease = fact.lease if then.result is Result.ADMITTED else None
            return Admit(ruled.decision, ruled.verdict, fact.plan, lease)
        return ruled

    # -- counting ---------------------------------------------------------------------------------------------------

    def _finish(self, id_: int) -> None:
        """Its last verdict is known, then and now."""
        case = self._cases.pop(id_)
        found, d = self.found, case.decision
        if self._kinds is not None and d.kind not in self._kinds and case.then == case.now:
            return
        found.decisions += 1
        found.first_us = min(found.first_us or d.received_us, d.received_us)
        found.last_us = max(found.last_us or 0, d.received_us)
        found.policies[case.policy] = found.policies.get(case.policy, 0) + 1
        if case.undecided is not None:
            found.undecidable += 1
            found.reasons[case.undecided] += 1
            return
        then, now = " > ".join(case.then), " > ".join(case.now)
        found.then[then] += 1
        found.now[now] += 1
        if then == now:
            found.unchanged += 1
            return
        found.changed += 1
        found.matrix[then, now] += 1
        if len(found.changes) < CHANGES_MAX:
            gate, seen = (case.ruling.gate, case.ruling.seen) if case.ruling is not None else (None, None)
            found.changes.append(Changed(d.id, d.kind, d.source, d.tenant, d.key, d.received_us, then, now, gate, seen))


def as_submitted(decision: Decision, verdict: Verdict) -> Decision:
    """The decision before the gates of this verdict amended it.

    Raises:
        LictorError: it was amended before the content as submitted was kept.
    """
    for ruling in verdict.rulings:
        if ruling.result == "amend" and not ruling.shadow:
            if ruling.before is None:
                raise LictorError("what was amended was not kept")
            decision = replace(decision, payload=ruling.before, digest=decision.submitted_digest, amended_from=None)
            break
    was = next((r.seen["was"] for r in verdict.rulings if r.seen and r.seen.keys() >= {"class", "was"}), None)
    return decision if was is None else replace(decision, priority=was)


def told(decision: Decision, verdict: Verdict) -> str:
    """A verdict in a word: `admitted`, `admitted (amended)`, `refused(CODE)`, `held(CODE)`."""
    result = str(verdict.result.value)
    if verdict.code is not None:
        return f"{result}({verdict.code})"
    return f"{result} (amended)" if decision.digest != decision.submitted_digest else result


def _carried(verdict: Verdict) -> bool:
    """Whether circumstances decided, so that no rule can change it."""
    first = verdict.rulings[0] if verdict.rulings else None
    if first is not None and first.result == "deny" and not first.version and first.gate in CIRCUMSTANCES:
        return True
    return verdict.code in {Code.KEY_REUSED, Code.APPROVAL_TIMEOUT}


def _add(labels: list[str], label: str) -> None:
    if not labels or labels[-1] != label:
        labels.append(label)
