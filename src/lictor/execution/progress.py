"""From news of attempts to events of actions, and from those to the decision's one outcome.

Pure bookkeeping over `Work`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from lictor.declarations.budgets import kept_amount
from lictor.errors import Code
from lictor.journal.port import Act, Close, Progress, Undo, Verb
from lictor.lifecycle import ActionState, Event
from lictor.records import Outcome, Reservation

from .work import Work

#: Members of enumerations, read once: on CPython 3.11 reading one costs as much as a call.
_CANCEL = Event.CANCEL.value
_DOUBT = Event.DOUBT.value
_EXPIRE = Event.EXPIRE.value
_FAIL = Event.FAIL.value
_SUCCEED = Event.SUCCEED.value
_SUCCEEDED = ActionState.SUCCEEDED.value
_WAITING = ActionState.WAITING.value


#: Values of larger plans are counted, not listed, in the outcome; they stay in the journal action by action.
VALUES_LISTED_MAX = 100

_ENDS = frozenset({_SUCCEED, _FAIL, _EXPIRE, _CANCEL})
_IDLE = frozenset({_WAITING, ActionState.BACKING_OFF})
_NONE: frozenset[int] = frozenset()
#: What ends an action that would have been tried again.
_GIVES_UP = frozenset({_FAIL, _EXPIRE, _CANCEL})
#: Which terminal event of the decision follows from how its first unsuccessful action ended.
_CLOSES = {ActionState.FAILED: _FAIL, ActionState.EXPIRED: _EXPIRE, ActionState.CANCELLED: _CANCEL}


def record(work: Work, news: Act) -> list[int]:
    """Add an event to what this turn writes; the actions that it makes ready.

    An action that needs one that failed will never start, and ends with it. One that would have been tried again, and
    of which nobody knows whether an earlier attempt has done it, is not given up but in doubt (I8).
    """
    if work.unsettled and news.ordinal in work.unsettled and _given_up(work, news):
        detail = "it is not tried again; an earlier attempt may have done it"
        news = Act(news.ordinal, _DOUBT, news.fence, news.code, next_us=0, detail=detail)
    if work.total == 1:  # nearly always: nothing waits for it
        to = work.add(news)
        if news.event in _ENDS:
            work.note(news.ordinal, to, news.code, news.detail)
        return []
    ready: list[int] = []
    ends = [news]
    while ends:
        news = ends.pop()
        to = work.add(news)
        if news.event not in _ENDS:
            continue
        later = work.note(news.ordinal, to, news.code, news.detail)
        if to == _SUCCEEDED:
            ready += later
        else:
            ends += [
                Act(o, _CANCEL, work.open.actions[o].fence, Code.DEPENDENCY_FAILED)
                for o in later
                if work.state(o) == _WAITING
            ]
    return ready


def _given_up(work: Work, news: Act) -> bool:
    """Whether this ends an action without the world having said so."""
    return news.event in _GIVES_UP and news.report is None and work.state(news.ordinal) in _IDLE


def settled_enough(work: Work) -> bool:
    """Whether no further action needs to start for the decision's outcome to be known."""
    plan = work.open.plan
    if plan is None or work.open.cancel_asked:
        return True
    if plan.rule == "quorum":
        missing = plan.quorum - work.succeeded
        return missing <= 0 or missing > work.total - work.finished
    return work.failure is not None


def drop_waiting(work: Work, code: str, running: Iterable[Any]) -> None:
    """End the actions that have not started and will not be needed; `running` are all calls on their way.

    After the first time only those are looked at that something happened to in this turn, or that were still running.
    """
    work.ready.clear()
    left = work.left
    ordinals = range(work.total) if left is None else sorted(left.union(work.states))
    idle = [ordinal for ordinal in ordinals if work.state(ordinal) in _IDLE]
    called = {attempt.ordinal for attempt in running if attempt.work is work} if idle else _NONE
    work.left = called.intersection(idle) if called else _NONE
    for ordinal in idle:
        if ordinal not in called and work.state(ordinal) in _IDLE:  # else it has ended with one that it needs
            record(work, Act(ordinal, _CANCEL, work.open.actions[ordinal].fence, code))


def conclude(work: Work, at_us: int) -> list[Verb]:
    """What ends the decision, or begins to undo it, when all its actions have ended; else nothing."""
    found = work.open
    plan = found.plan
    if plan is None or work.finished < work.total or work.concluded:
        return []
    acts = work.take_acts()
    enough = plan.quorum if plan.rule == "quorum" else work.total
    if work.succeeded >= enough:
        work.concluded = True
        return [Close(found.decision.id, _SUCCEED, outcome_of(work, "succeeded", None, None, at_us, acts), acts)]
    state, code, detail = work.failure or (ActionState.CANCELLED, None, None)
    if plan.rule == "all_or_compensate" and work.succeeded:
        done: list[Verb] = [Progress(found.decision.id, acts, at_us)] if acts else []
        return [*done, Undo(found.decision.id, at_us, code)]
    work.concluded = True
    event = _CLOSES[ActionState(state)]
    return [Close(found.decision.id, event, outcome_of(work, str(state), code, detail, at_us, acts), acts)]


def outcome_of(
    work: Work, result: str, code: str | None, detail: str | None, at_us: int, acts: tuple[Act, ...]
) -> Outcome:
    """The outcome record, with the true amounts of all actions."""
    found = work.open
    return Outcome(
        decision=found.decision.id,
        result=result,
        at_us=at_us,
        code=code,
        value=_value(work, acts),
        settled=_settled(work, acts),
        attempts=found.attempts(),
        started_us=found.started_us,
        detail=detail,
    )


def _value(work: Work, acts: tuple[Act, ...]) -> Any:
    if work.total == 1:
        return acts[-1].value if acts and acts[-1].value is not None else work.open.actions[0].value
    if work.total > VALUES_LISTED_MAX:
        return {"succeeded": work.succeeded, "total": work.total}
    values = [action.value for action in work.open.actions]
    for news in acts:
        if news.value is not None:
            values[news.ordinal] = news.value
    return values


def _settled(work: Work, acts: tuple[Act, ...]) -> tuple[Reservation, ...]:
    actions = work.open.actions
    if len(acts) == 1 == work.total and not acts[0].settled and not actions[0].settled:  # nearly always
        return ()
    if not any(news.settled for news in acts) and not any(action.settled for action in actions):
        return ()
    sums = dict(work.open.used())
    for news in acts:
        for budget, scope, amount in news.settled:
            sums[budget, scope] = sums.get((budget, scope), 0) + amount
    return tuple(Reservation(budget, scope, kept_amount(amount)) for (budget, scope), amount in sums.items())


def expired(work: Work, at_us: int) -> Close:
    """The end of work that did not start in time: others were before it in its effector's queue, or something else."""
    work.concluded = True
    code = Code.DISPLACED if work.queued or work.displaced else Code.EXPIRED
    outcome = Outcome(decision=work.open.decision.id, result="expired", at_us=at_us, code=code)
    return Close(work.open.decision.id, Event.EXPIRE, outcome)
