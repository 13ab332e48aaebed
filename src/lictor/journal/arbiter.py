"""The arbiter: whether a verb is accepted and as which fact, given the current state. Changes nothing, reads no clock.

What a verb of a broken caller would do is refused here, before anything is folded: `State.evolve` then never fails on
a live journal.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec.structs import replace

from lictor.errors import Code, InvariantViolation
from lictor.lifecycle import ACTION, ACTION_TERMINAL, DECISION, TERMINAL, DecisionState, Event
from lictor.records import Approval, Result, Verdict

from .open import Open, approved_by
from .port import (
    Act,
    Admit,
    Answer,
    Approve,
    Cancel,
    Close,
    Progress,
    SetGrant,
    SetStanding,
    Start,
    StartItem,
    Undo,
    Verb,
)
from .rules import admission_refusal, arbiter_ruling, halted, is_its_source
from .state import Bound, State

#: Standing approvals that are kept; more are refused.
STANDING_MAX = 10_000

Decided = tuple[Answer, Verb | None]

#: Members of enumerations, read once: reading one costs as much as a call.
_ADMITTED = Result.ADMITTED
_START = Event.START.value
_NO_REPORTS: frozenset[str] = frozenset()
_STARTABLE = frozenset({DecisionState.ADMITTED.value, DecisionState.RUNNING.value})
#: Refusals are verdicts, not outcomes.
_OUTCOMES = TERMINAL - {DecisionState.REFUSED}


def _admit(state: State, verb: Admit, at_us: int) -> Decided:
    decision, verdict = verb.decision, verb.verdict
    before = state.open.get(decision.id)
    if before is None and state.parking.count:
        before = state.find(decision.id)
    if before is None:
        if decision.id in state.left:  # it was cancelled, superseded or expired while it was ruled on again
            return Answer(ok=False, code="NOT_HELD", decision=decision.id), None
        if decision.key is not None:
            bound = state.keys.get(decision.tenant, decision.source, decision.key)
            if bound is not None:
                return _bound(state, verb, bound, at_us)
    elif not before.waits or before.cancel_asked:
        return Answer(ok=False, code="NOT_HELD", decision=decision.id, open=before), None
    if verdict.result is not _ADMITTED:
        return Answer(decision=decision.id, verdict=verdict), verb
    plan = verb.plan
    if plan is None or not plan.actions or verdict.digest != decision.digest:
        raise InvariantViolation("I1", f"decision {decision.id} admitted without a plan, or on other content")
    refusal = admission_refusal(state, verb, at_us)
    if refusal is not None:
        return _refused(verb, refusal[0], refusal[1], at_us)
    if verb.lease is not None and state.halts and halted(state, decision, plan.actions[0].effector):  # I12
        return Answer(decision=decision.id, verdict=verdict), Admit(decision, verdict, plan)
    return Answer(decision=decision.id, verdict=verdict, started=verb.lease is not None), verb


def _bound(state: State, verb: Admit, bound: Bound, at_us: int) -> Decided:
    """I10: the same key with the same content is a duplicate, with other content a refusal."""
    decision = verb.decision
    if bound.decision == decision.id:
        return Answer(ok=False, code="NOT_HELD", decision=decision.id), None
    if bound.digest != decision.submitted_digest:
        return _refused(verb, Code.KEY_REUSED, {"key": decision.key, "bound_to": bound.decision}, at_us)
    found = state.find(bound.decision)
    return Answer(
        ok=False,
        code="DUPLICATE",
        decision=bound.decision,
        open=found,
        verdict=found.verdict if found else None,
    ), None


def _refused(verb: Admit, code: Code, seen: dict[str, Any], at_us: int) -> Decided:
    """The admission turned into a refusal by the journal, which is the arbiter."""
    verdict = verb.verdict
    turned = Verdict(
        result=Result.REFUSED,
        at_us=at_us,
        digest=verdict.digest,
        policy=verdict.policy,
        code=code,
        rulings=(*verdict.rulings, arbiter_ruling(code, seen)),
        durability=verdict.durability,
    )
    return Answer(decision=verb.decision.id, verdict=turned), Admit(verb.decision, turned)


def _start(state: State, verb: Start, at_us: int) -> Decided:
    good = tuple(item for item in verb.items if _may_start(state, item, at_us))
    if not good:
        return Answer(ok=False, code="NOTHING_STARTED"), None
    accepted = frozenset(item.decision for item in good)
    return Answer(accepted=accepted), verb if len(good) == len(verb.items) else Start(good, verb.until_us)


def _may_start(state: State, item: StartItem, at_us: int) -> bool:
    found = state.open.get(item.decision) or state.recall(item.decision)
    if found is None or found.plan is None or found.cancel_asked:
        return False
    # I5; resolving what is in doubt asks under its own permission and never starts here past the deadline.
    if at_us >= found.decision.deadline_us or found.state not in _STARTABLE:
        return False
    if len(set(item.ordinals)) != len(item.ordinals):
        return False
    for ordinal in item.ordinals:
        if not 0 <= ordinal < len(found.actions):
            return False
        action = found.actions[ordinal]
        if (action.state, _START) not in ACTION or item.fence <= action.fence:  # fences only grow
            return False
        if state.halts and halted(state, found.decision, found.plan.actions[ordinal].effector):  # I12
            return False
    return True


def _good(found: Open, acts: tuple[Act, ...]) -> tuple[list[Act], str | None]:
    """The events that may follow in this order, and why the first of the others may not (I9)."""
    if len(acts) == 1:  # nearly always
        news = acts[0]
        if not 0 <= news.ordinal < len(found.actions):
            return [], "NO_SUCH_ACTION"
        why = _why_not(found, news, found.actions[news.ordinal].state, _NO_REPORTS)
        return ([], why) if why else ([news], None)
    good: list[Act] = []
    refused = None
    states: dict[int, str] = {}
    reports: dict[int, set[str]] = {}
    for news in acts:
        ordinal = news.ordinal
        if not 0 <= ordinal < len(found.actions):
            refused = refused or "NO_SUCH_ACTION"
            continue
        state = states.get(ordinal, found.actions[ordinal].state)
        why = _why_not(found, news, state, reports.get(ordinal, frozenset()))
        if why is not None:
            refused = refused or why
            continue
        good.append(news)
        states[ordinal] = ACTION[state, news.event].to
        if news.report is not None:
            reports.setdefault(ordinal, set()).add(news.report)
    return good, refused


def _why_not(found: Open, news: Act, state: str, reports: set[str] | frozenset[str]) -> str | None:
    """I9: news of a superseded attempt, of a finished action, or a report seen before changes nothing."""
    action = found.actions[news.ordinal]
    if news.fence != action.fence:
        return "SUPERSEDED_ATTEMPT"
    if news.report is not None and (news.report in reports or (action.reports and news.report in action.reports)):
        return "DUPLICATE_REPORT"
    # Attempts begin by `Start` or a lease alone.
    if (state, news.event) not in ACTION or news.event == _START:
        return "ACTION_DONE" if state in ACTION_TERMINAL else "NOT_IN_LIFECYCLE"
    return None


def _progress(state: State, verb: Progress, _at_us: int) -> Decided:
    found = state.open.get(verb.decision) or state.recall(verb.decision)
    if found is None:
        return Answer(ok=False, code="NOT_OPEN", decision=verb.decision), None
    good, code = _good(found, verb.acts)
    if not good:
        return Answer(ok=False, code=code or "NOTHING_NEW", decision=verb.decision, open=found), None
    fact = verb if len(good) == len(verb.acts) else Progress(verb.decision, tuple(good), verb.at_us)
    return Answer(code=code, decision=verb.decision, open=found), fact


def _close(state: State, verb: Close, _at_us: int) -> Decided:
    found = state.open.get(verb.decision) or state.recall(verb.decision)
    if found is None:  # I2: the first terminal commit wins
        return Answer(ok=False, code="NOT_OPEN", decision=verb.decision), None
    if verb.acts:
        good, code = _good(found, verb.acts)
        if len(good) != len(verb.acts):
            return Answer(ok=False, code=code, decision=verb.decision, open=found), None
    transition = DECISION.get((found.state, verb.event))
    if transition is None or transition.to != verb.outcome.result or transition.to not in _OUTCOMES:
        return Answer(ok=False, code="NOT_IN_LIFECYCLE", decision=verb.decision, open=found), None
    return Answer(decision=verb.decision, open=found, outcome=verb.outcome), verb


def _undo(state: State, verb: Undo, _at_us: int) -> Decided:
    found = state.open.get(verb.decision) or state.recall(verb.decision)
    if found is None:
        return Answer(ok=False, code="NOT_OPEN", decision=verb.decision), None
    if (found.state, "compensate") not in DECISION:
        return Answer(ok=False, code="NOT_IN_LIFECYCLE", decision=verb.decision, open=found), None
    return Answer(decision=verb.decision, open=found), verb


def _cancel(state: State, verb: Cancel, _at_us: int) -> Decided:
    found = state.open.get(verb.decision) or state.recall(verb.decision)
    if found is None:
        return Answer(ok=False, code="NOT_OPEN", decision=verb.decision), None
    if found.cancel_asked:
        return Answer(ok=False, code="ALREADY_ASKED", decision=verb.decision, open=found), None
    return Answer(decision=verb.decision, open=found), verb


def _approve(state: State, verb: Approve, _at_us: int) -> Decided:
    """I13: an approval binds the exact digest, its gate's version and the approver, once; and never the source.

    Nor one whose key decides as the source, now or once, nor who corrected its content. A denial ends it, whoever else
    was asked.
    """
    approval = verb.approval
    found = state.open.get(approval.decision)
    code = None
    if found is None or found.state != DecisionState.HELD:
        code = "NOT_HELD"
    elif is_its_source(state, approval.approver, found.decision):
        code = "APPROVER_IS_SOURCE"
    elif approval.digest != found.decision.digest:
        code = "OTHER_CONTENT"
    elif _answered(found, approval):
        code = "ALREADY_ANSWERED"
    answer = Answer(ok=code is None, code=code, decision=approval.decision, open=found)
    return answer, None if code else verb


def _answered(found: Open, approval: Approval) -> bool:
    """Denied, approved by as many as were asked for, or by this person."""
    asked = (approval.gate, approval.gate_version)
    before = [a for a in found.approvals if (a.gate, a.gate_version) == asked]
    if not before:
        return False
    by = approved_by(found.approvals, *asked)
    return len(by) < len(before) or len(by) >= approvers_of(found, *asked) or approval.approver in by


def approvers_of(found: Open, gate: str, version: str) -> int:
    """How many persons this version of a gate asks for."""
    holds = (
        r.approvers for r in found.verdict.rulings if r.result == "hold" and (r.gate, r.version) == (gate, version)
    )
    return max(holds, default=1)


def _standing(state: State, verb: SetStanding, at_us: int) -> Decided:
    """Given by who has just approved this content, and never by its source; where two must approve, each one anew."""
    standing = verb.standing
    if not standing.until_us:
        known = (standing.gate, standing.subject) in state.standing
        return (Answer(), verb) if known else (Answer(ok=False, code="NOT_STANDING"), None)
    found = state.open.get(standing.decision)
    asked = (standing.gate, standing.gate_version)
    code = None
    if found is None or (found.decision.digest, found.decision.source) != (standing.digest, standing.source):
        code = "NOT_HELD"
    elif standing.approver not in approved_by(found.approvals, *asked):
        code = "NOT_APPROVED"
    elif approvers_of(found, *asked) > 1:
        code = "TWO_PERSONS"
    elif standing.until_us <= at_us:
        code = "EXPIRED"
    elif len(state.standing) >= STANDING_MAX:
        code = "STANDING_FULL"
    return (Answer(ok=False, code=code), None) if code else (Answer(), verb)


def _grant(state: State, verb: SetGrant, _at_us: int) -> Decided:
    """A key only ever opens less: what it opens is fixed when it is made, and one that was revoked stays so."""
    grant = verb.grant
    before = state.grants.get(grant.id)
    if before is None:
        return Answer(), verb
    if before.revoked_us is not None:
        return Answer(ok=False, code="REVOKED"), None
    same = replace(grant, expires_us=before.expires_us, revoked_us=None)
    later = before.expires_us is not None and (grant.expires_us is None or grant.expires_us > before.expires_us)
    return (Answer(ok=False, code="OTHER_GRANT"), None) if same != before or later else (Answer(), verb)


#: For each verb that may be refused or changed: the answer to it, and the fact to store (None when nothing changes).
DECIDERS: dict[type[Verb], Callable[[State, Any, int], Decided]] = {
    Admit: _admit,
    Start: _start,
    Progress: _progress,
    Close: _close,
    Undo: _undo,
    Approve: _approve,
    Cancel: _cancel,
    SetGrant: _grant,
    SetStanding: _standing,
}
