"""Runs the gates of a decision and makes the verdict. Pure: reads a snapshot, writes nothing, and fails closed.

Order: the engine's own checks (source, permission, halt, reduce-only), then the App's gates by family. The first deny
ends the enforced gates; a hold lets the rest run, so that the approver sees everything; an amendment starts the gates
again, at most three times.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from lictor.declarations.budgets import scope_of
from lictor.declarations.declared import Declared
from lictor.declarations.gates import ALLOW, Answer, Gate
from lictor.declarations.kinds import Kind
from lictor.declarations.plain import storable, text, told, wait_s
from lictor.errors import Code, LictorError
from lictor.records import Approval, Decision, Halt, Read, Reservation, Result, Ruling, Take, Verdict

from .snapshot import ReadRefused, Snapshot, World

#: Members of enumerations, read once: on CPython 3.11 reading one costs as much as a call.
_ADMITTED = Result.ADMITTED


AMENDMENTS_MAX = 3

#: Gives the decision its amended content, or raises MalformedError.
Amend = Callable[[Decision, Any], tuple[Decision, Any]]


class Ruled(NamedTuple):
    """A verdict, and the decision and value it is about: amended ones, where gates amended."""

    decision: Decision
    value: Any
    verdict: Verdict


class Case(msgspec.Struct, eq=False):
    """One run of the gates over one decision: what has been said so far."""

    decision: Decision
    value: Any
    approvals: Sequence[Approval]
    rulings: list[Ruling] = []
    reservations: tuple[Reservation, ...] = ()
    takes: tuple[Take, ...] = ()
    held: Ruling | None = None
    until_us: int | None = None
    priority: int | None = None

    def begin_again(self) -> None:
        """After an amendment; earlier rulings stay as a record."""
        self.reservations, self.takes = (), ()
        self.held = self.until_us = self.priority = None


class Gatekeeper:
    """The gates of one App."""

    def __init__(self, app: Declared, amend: Mapping[str, Amend]) -> None:
        self._app = app
        self._amend = amend
        #: With each gate what it rules when it allows and has read nothing.
        self._enforced = {
            name: tuple((g, g.check, Ruling(g.name, "allow", g.version)) for g in gates if not g.shadow)
            for name, gates in app.gates.items()
        }
        self._shadow = {name: tuple(g for g in gates if g.shadow) for name, gates in app.gates.items()}
        self.policy = app.policy_version()
        self.durability = "sync"

    def rule(
        self,
        decision: Decision,
        value: Any,
        world: World,
        halts: dict[str, Halt],
        now_us: int,
        *,
        answers: dict[str, Any] | None = None,
        approvals: Sequence[Approval] | None = None,
    ) -> Ruled:
        """The verdict on one decision; never raises for what a gate does."""
        case = Case(decision, value, approvals or ())
        refusal = self._refused_by_engine(decision, value, world, halts, now_us)
        if refusal is not None:
            case.rulings.append(refusal)
            return self._close(case, Result.REFUSED, refusal.code, now_us)
        denied = self._run(case, world, now_us, answers)
        if denied is not None and denied.result == "amend":
            denied = self._run_amended(case, world, now_us, answers)
        if self._shadow[case.decision.kind]:
            self._run_shadows(case, world, now_us, answers)
        return self._result(case, denied, now_us)

    def _run_amended(self, case: Case, world: World, now_us: int, answers: dict[str, Any] | None) -> Ruling | None:
        """The gates again, after each amendment; a denial when they would amend for ever."""
        for _ in range(AMENDMENTS_MAX):
            case.begin_again()
            denied = self._run(case, world, now_us, answers)
            if denied is None or denied.result != "amend":
                return denied
        last = case.rulings[-1]
        many = Ruling(last.gate, "deny", last.version, Code.AMENDMENT_INVALID, {"amendments_max": AMENDMENTS_MAX})
        case.rulings.append(many)
        return many

    def _result(self, case: Case, denied: Ruling | None, now_us: int) -> Ruled:
        if denied is not None:
            return self._close(case, Result.REFUSED, denied.code, now_us)
        if case.held is not None:
            return self._close(case, Result.HELD, case.held.code, now_us)
        decision = case.decision
        if decision.not_before_us is not None and decision.not_before_us > now_us:
            case.until_us = max(case.until_us or 0, decision.not_before_us)
        if case.until_us is not None:
            code = next((r.code for r in case.rulings if r.result == "defer"), "NOT_BEFORE")
            return self._close(case, Result.DEFERRED, code, now_us)
        return self._close(case, _ADMITTED, None, now_us)

    def _close(self, case: Case, result: Result, code: str | None, now_us: int) -> Ruled:
        admitted = result is _ADMITTED
        decision = case.decision
        if admitted and case.priority is not None and case.priority != decision.priority:
            decision = replaced_priority(decision, case.priority)
        verdict = Verdict(
            result=result,
            at_us=now_us,
            digest=decision.digest,
            policy=self.policy,
            code=code,
            rulings=tuple(case.rulings),
            reservations=case.reservations if admitted else (),
            takes=case.takes if admitted else (),
            until_us=case.until_us,
            durability=self.durability,
        )
        return Ruled(decision, case.value, verdict)

    def _refused_by_engine(
        self,
        decision: Decision,
        value: Any,
        world: World,
        halts: dict[str, Halt],
        now_us: int,
    ) -> Ruling | None:
        """What the engine itself checks before any gate."""
        if now_us >= decision.deadline_us:
            return Ruling("deadline", "deny", "", Code.EXPIRED, {"deadline_us": decision.deadline_us, "now_us": now_us})
        demoted = world.adjustments.get(("demoted", decision.source)) if world.adjustments else None
        if demoted is not None and demoted.value:
            return Ruling(
                "demotion", "deny", "", Code.SOURCE_DEMOTED, {"reason": demoted.reason, "since_us": demoted.at_us}
            )
        source = self._app.sources.get(decision.source)
        if source is not None:
            for what, granted, asked in (
                ("kind", source.kinds, decision.kind),
                ("tenant", source.tenants, decision.tenant),
            ):
                if granted is not None and asked not in granted:
                    return Ruling("permission", "deny", "", Code.NOT_PERMITTED, {what: asked, "granted": list(granted)})
            if decision.priority < source.priority and decision.parent is None:  # a child has its parent's class
                seen = {"class": decision.priority, "granted": int(source.priority)}
                return Ruling("permission", "deny", "", Code.NOT_PERMITTED, seen)
        if halts:
            return self._halted(decision, value, halts)
        return None

    def _halted(self, decision: Decision, value: Any, halts: dict[str, Halt]) -> Ruling | None:
        kind = self._app.kinds[decision.kind]
        for scope in ("all", f"kind:{decision.kind}", f"source:{decision.source}", f"tenant:{decision.tenant}"):
            halt = halts.get(scope)
            if halt is None:
                continue
            seen = {"scope": scope, "by": halt.by, "reason": halt.reason}
            if halt.mode == "halted":
                return Ruling("halt", "deny", "", Code.HALTED, seen)
            if not self._reduces(kind, value):
                return Ruling("halt", "deny", "", Code.REDUCE_ONLY, seen)
        return None

    @staticmethod
    def _reduces(kind: Kind, value: Any) -> bool:
        try:
            return kind.reduces is not None and kind.reduces(value)
        except Exception:  # noqa: BLE001 - user code; what fails closes
            return False

    def _run(self, case: Case, world: World, now_us: int, answers: dict[str, Any] | None) -> Ruling | None:
        """All enforced gates until one denies or amends; that ruling, or None."""
        value, rulings = case.value, case.rulings
        snapshot = Snapshot(world, case.decision, value, now_us, answers)
        reads = snapshot.reads
        for gate, check, allowed in self._enforced[case.decision.kind]:
            try:
                answer = check(value, snapshot)
            except Exception as error:  # noqa: BLE001 - a gate is user code; a check that fails closes
                answer = _failed(gate, error)
            if answer is ALLOW and not reads:  # nearly always
                rulings.append(allowed)
                continue
            if type(answer) is not Answer:
                answer = _no_answer(gate, answer)
            if answer.result == "allow" and answer.priority is None and not reads:
                rulings.append(allowed)
            else:
                ruling = self._ruling(gate, answer, tuple(reads), case, now_us)
                reads.clear()
                rulings.append(ruling)
                if ruling.result in {"deny", "amend"}:
                    return ruling
            if (answer.reserves or answer.takes) and (failed := self._collect(case, gate, answer, now_us)) is not None:
                rulings.append(failed)
                return failed
            if answer.priority is not None:
                case.priority = answer.priority
        return None

    def _ruling(self, gate: Gate, answer: Answer, reads: tuple[Read, ...], case: Case, now_us: int) -> Ruling:
        result, seen = answer.result, storable(answer.seen)
        code = answer.code if answer.code is None else text(answer.code)
        if result == "amend":
            return self._amended(gate, answer, reads, case)
        if result == "hold":
            return self._held(gate, answer, reads, case)
        if answer.priority is not None:  # the class that it had is not kept elsewhere
            seen = {**(seen or {}), "class": answer.priority, "was": case.decision.priority}
        until_us = None
        if result == "defer":
            until_us = now_us + int((wait_s(answer.defer_s) or 0.0) * 1e6)
            case.until_us = max(case.until_us or 0, until_us)
        return Ruling(gate.name, result, gate.version, code, seen, reads, gate.shadow, None, until_us)

    def _amended(self, gate: Gate, answer: Answer, reads: tuple[Read, ...], case: Case) -> Ruling:
        try:
            decision, value = self._amend[case.decision.kind](case.decision, answer.value)
            why_not = self._loosens(case, decision, value)
        except LictorError as error:
            why_not = text(error.message)
        except Exception as error:  # noqa: BLE001 - `tightens` and `order_by` are user code; what fails closes
            why_not = told(error)
        if why_not is not None:
            invalid = {"gate": gate.name, "error": why_not}
            return Ruling(gate.name, "deny", gate.version, Code.AMENDMENT_INVALID, invalid, reads, gate.shadow)
        seen = storable(answer.seen)
        if decision.digest == case.decision.digest:
            return Ruling(gate.name, "allow", gate.version, text(answer.code), seen, reads, gate.shadow)
        before = case.decision.payload
        if not gate.shadow:
            case.decision, case.value = decision, value
        code, after = text(answer.code), decision.payload
        return Ruling(gate.name, "amend", gate.version, code, seen, reads, gate.shadow, after, before=before)

    def _loosens(self, case: Case, decision: Decision, value: Any) -> str | None:
        """Why an amendment may not stand: it must be known to tighten."""
        tightens = self._app.kinds[decision.kind].tightens
        if decision.digest == case.decision.digest:
            return None
        if tightens is None:
            return f"{decision.kind} does not declare what tightens it: @app.decision(tightens=...)"
        return None if tightens(case.value, value) else "the amendment is looser than what was asked"

    @staticmethod
    def _held(gate: Gate, answer: Answer, reads: tuple[Read, ...], case: Case) -> Ruling:
        """A hold, unless as many as it asks approved exactly this content under this version of the gate (I13)."""
        code, seen, need = text(answer.code), storable(answer.seen), answer.approvers
        by: list[str] = []
        for approval in reversed(case.approvals):
            if approval.gate != gate.name:
                continue
            if not approval.approved:
                seen = {"by": approval.approver, "reason": approval.reason}
                return Ruling(gate.name, "deny", gate.version, Code.APPROVAL_DENIED, seen, reads, gate.shadow)
            if approval.digest == case.decision.digest and approval.gate_version == gate.version:
                if approval.approver not in by:
                    by.insert(0, approval.approver)
                if len(by) < need:
                    continue
                told = {"approved_by": by[0] if need == 1 else by}
                return Ruling(gate.name, "allow", gate.version, text(answer.code), told, reads, gate.shadow)
            code, seen = Code.POLICY_CHANGED, {**(seen or {}), "approved_under": approval.gate_version}
        ruling = Ruling(gate.name, "hold", gate.version, code, seen, reads, gate.shadow, approvers=need)
        if not gate.shadow:
            case.held = ruling
        return ruling

    @staticmethod
    def _collect(case: Case, gate: Gate, answer: Answer, now_us: int) -> Ruling | None:
        """Note what the gate asks of budgets; a ruling against it where a scope cannot be found."""
        decision, value = case.decision, case.value
        try:
            for reserve in answer.reserves:
                balance = reserve.balance
                window = None
                if balance.window_s is not None:
                    window_us = round(balance.window_s * 1e6)
                    window = now_us - now_us % window_us
                scope = scope_of(balance.per, decision, value)
                case.reservations += (Reservation(balance.name, scope, reserve.amount, window),)
            for take in answer.takes:
                case.takes += (Take(take.rate.name, scope_of(take.rate.per, decision, value), take.count),)
        except Exception as error:  # noqa: BLE001 - `per` is user code; what fails closes
            seen = {"gate": gate.name, "error": told(error)}
            return Ruling(gate.name, "deny", gate.version, Code.GATE_FAILED, seen)
        return None

    def _run_shadows(self, case: Case, world: World, now_us: int, answers: dict[str, Any] | None) -> None:
        for gate in self._shadow[case.decision.kind]:
            snapshot = Snapshot(world, case.decision, case.value, now_us, answers)
            answer = _ask(gate, case.value, snapshot)
            until = case.until_us
            case.rulings.append(self._ruling(gate, answer, tuple(snapshot.reads), case, now_us))
            case.until_us = until


def _ask(gate: Gate, value: Any, snapshot: Snapshot) -> Answer:
    """Fail closed: whatever a gate does instead of answering is a denial with a code."""
    try:
        answer: object = gate.check(value, snapshot)
    except Exception as error:  # noqa: BLE001 - a gate is user code; a check that fails closes
        return _failed(gate, error)
    return answer if type(answer) is Answer else _no_answer(gate, answer)


def _failed(gate: Gate, error: Exception) -> Answer:
    if isinstance(error, ReadRefused):
        return Answer("deny", error.refusal, error.seen)
    return Answer("deny", Code.GATE_FAILED, {"gate": gate.name, "error": told(error)})


def _no_answer(gate: Gate, answer: object) -> Answer:
    return Answer("deny", Code.GATE_FAILED, {"gate": gate.name, "error": f"it returned {type(answer).__name__}"})


def replaced_priority(decision: Decision, priority: int) -> Decision:
    """The decision in the class that a priority gate gave it; a gate can only lower what the source was granted."""
    return msgspec.structs.replace(decision, priority=max(priority, decision.priority))
