"""Taking up the open decisions of a journal after a restart.

Nothing is lost, and what may have begun is never assumed either way.
"""

from __future__ import annotations

from lictor.errors import Code
from lictor.journal.open import Open
from lictor.journal.port import Act
from lictor.lifecycle import ActionState, DecisionState, Event

from .executing import Executing
from .resolution import Resolution
from .work import Work

#: Attempts that a crash cut off are made again at this pace, outside the pool of extra work.
RECOVERY_PER_S = 200.0

#: Where an action is that may be tried again after a restart.
_AGAIN = frozenset({ActionState.WAITING, ActionState.STARTED, ActionState.BACKING_OFF})


def recovered(executor: Executing, resolution: Resolution, found: Open, at_us: int) -> Work | None:
    """Queue, poll, ask or wait, as the decision's state says; its work, where this node can do it."""
    if found.state in {DecisionState.HELD, DecisionState.DEFERRED}:
        return None  # the pipeline keeps these
    work = Work(found)
    # A rate that is no longer declared limits nothing any more.
    work.takes = tuple(take for take in work.takes if take.budget in executor.app.rates)
    executor.order.enter(work)  # what waits for a deploy that declares it keeps its place too (I4)
    if not _declared(executor, found):
        executor.undeclared[found.decision.id] = work
        return None
    executor.work[found.decision.id] = work
    executor.agenda.add(found.decision.deadline_us, "expire", found.decision.id)
    if found.state == DecisionState.COMPENSATING:
        resolution.undo(work)
        return work
    for ordinal, action in enumerate(found.actions):
        _action(executor, resolution, work, ordinal, action.state, at_us)
    if found.cancel_asked:
        resolution.cancel(work)
    executor.queue(work)
    executor.touch(work)
    return work


def _declared(executor: Executing, found: Open) -> bool:
    plan = found.plan
    kinds, effectors = executor.app.kinds, executor.app.effectors
    return found.decision.kind in kinds and plan is not None and all(a.effector in effectors for a in plan.actions)


def _action(executor: Executing, resolution: Resolution, work: Work, ordinal: int, state: str, at_us: int) -> None:
    action = work.open.actions[ordinal]
    id_ = work.open.decision.id
    effector = resolution.effector(work, ordinal)
    if action.attempts and state in _AGAIN and effector.idempotent:
        work.unsettled |= {ordinal}  # which of its attempts were certain is not known any more
    if state == ActionState.STARTED:
        _cut_off(executor, work, ordinal, at_us)
    elif state == ActionState.BACKING_OFF:
        executor.agenda.add(action.next_us or at_us, "retry", id_, ordinal)
    elif state in {ActionState.PENDING, ActionState.IN_DOUBT}:
        executor.agenda.add(at_us, "ask", id_, ordinal)
        if action.ref is not None:
            resolution.refs[action.ref] = (work, ordinal)


def _cut_off(executor: Executing, work: Work, ordinal: int, at_us: int) -> None:
    """A crash cut the attempt off: its effect may have begun."""
    plan = work.open.plan
    effector = executor.app.effectors[plan.actions[ordinal].effector if plan else ""]
    fence = work.open.actions[ordinal].fence
    work.cut_off |= {ordinal}
    if effector.idempotent and at_us < work.open.decision.deadline_us:
        executor.recovering += 1
        next_us = at_us + int(executor.recovering / RECOVERY_PER_S * 1e6)
        work.add(Act(ordinal, Event.BACK_OFF, fence, Code.TIMEOUT, next_us=next_us, detail="cut off by a crash"))
    else:
        ask_us = at_us if effector.asks is not None else None
        work.add(Act(ordinal, Event.DOUBT, fence, Code.TIMEOUT, next_us=ask_us, detail="cut off by a crash"))
