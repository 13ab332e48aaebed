"""Compensation: what succeeded is undone one by one, the latest first, under the verdict that admitted it.

It is exempt from the deadline and from the budget of extra work; while its scope is halted it waits for the person who
resumes. `compensate` is called under the action's own key and may be called again after a crash, so it must be safe to
repeat. One that keeps failing leaves its action failed (`COMPENSATION_FAILED`); the others are undone all the same.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lictor.declarations.effectors import Effector
from lictor.errors import Code
from lictor.journal.port import Act, Close, Progress, Verb
from lictor.lifecycle import ActionState, Event

from .attempts import News
from .executing import Executing
from .progress import outcome_of
from .work import Work

#: Calls of one action's `compensate` before it is left failed.
UNDO_TRIES_MAX = 3


class Undoing:
    """Undoes decisions, one action at a time each."""

    def __init__(self, executor: Executing, backoff_s: Callable[[int, Effector[..., Any]], float]) -> None:
        self._executor = executor
        self._backoff_s = backoff_s

    def begin(self, work: Work) -> None:
        """It is durable that the decision is to be undone."""
        undone = {ActionState.SUCCEEDED, ActionState.COMPENSATING}
        work.undoing = [ordinal for ordinal, action in enumerate(work.open.actions) if action.state in undone]
        self.go_on(work)

    def go_on(self, work: Work) -> None:
        """Mark the latest that is not undone yet, or call its `compensate`; nothing while halted."""
        plan = work.open.plan
        if work.undoing and plan and not self._executor.halted(work, plan.actions[work.undoing[-1]].effector):
            ordinal = work.undoing[-1]
            if work.state(ordinal) == ActionState.SUCCEEDED:
                work.undo_tries = 0
                work.add(Act(ordinal, Event.COMPENSATE, work.open.actions[ordinal].fence))
            elif work.open.actions[ordinal].state == ActionState.COMPENSATING and not work.acts:
                self._call(work, ordinal)
        self._executor.touch(work)

    def _call(self, work: Work, ordinal: int) -> None:
        plan = work.open.plan
        effector = self._executor.app.effectors[plan.actions[ordinal].effector if plan else ""]
        if effector.undoes is None or self._executor.attempts.ask(work, ordinal, effector, effector.undoes, "undo"):
            return
        # The call before it has not ended: it still runs, or was told to end and is about to.
        later_us = self._executor.clock.wall_us() + int(effector.poll_after_s * 1e6)
        self._executor.agenda.add(later_us, "undo", work.open.decision.id, ordinal)

    def take(self, work: Work, ordinal: int, news: News, at_us: int) -> None:
        """A `compensate` has come back."""
        if work.state(ordinal) != ActionState.COMPENSATING:
            return
        fence = work.open.actions[ordinal].fence
        if news.event == "undone":
            work.add(Act(ordinal, Event.COMPENSATED, fence))
            return
        work.undo_tries += 1
        if work.undo_tries < UNDO_TRIES_MAX:
            plan = work.open.plan
            effector = self._executor.app.effectors[plan.actions[ordinal].effector if plan else ""]
            wait_s = max(self._backoff_s(work.undo_tries, effector), news.wait_s or 0.0)
            self._executor.agenda.add(at_us + int(wait_s * 1e6), "undo", work.open.decision.id, ordinal)
            return
        work.add(Act(ordinal, Event.FAIL, fence, Code.COMPENSATION_FAILED, detail=news.detail))

    def written(self, work: Work, at_us: int) -> list[Verb]:
        """The closing verb when the last undo has come back; else what happened so far."""
        id_ = work.open.decision.id
        acts = work.take_acts()
        for news in acts:
            if news.event in {Event.COMPENSATED, Event.FAIL} and work.undoing:
                work.undoing.remove(news.ordinal)
        if work.undoing:
            return [Progress(id_, acts, at_us)] if acts else []
        work.concluded = True
        ends = [(action.code, action.detail) for action in work.open.actions]
        ends += [(news.code, news.detail) for news in acts]
        failed = next((end for end in ends if end[0] == Code.COMPENSATION_FAILED), None)
        if failed is not None:
            outcome = outcome_of(work, "failed", *failed, at_us, acts)
            return [Close(id_, Event.FAIL, outcome, acts)]
        _, code, detail = work.failure or ("", None, None)
        return [Close(id_, Event.COMPENSATED, outcome_of(work, "compensated", code, detail, at_us, acts), acts)]
