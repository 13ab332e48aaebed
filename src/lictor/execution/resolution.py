"""What follows from news: retry within the budget of extra work, doubt, polling and asking, cancelling, undoing.

In doubt is explicit (I8): an effector that is not idempotent is never called again for an action whose effect may
have begun, until the world has said that it never saw it. Past the deadline the world is only asked, nothing is sent
again.
"""

from __future__ import annotations

from typing import Any

from lictor.capacity.extra_work import EXTRA_PER_ROOT_MAX, backoff_s
from lictor.declarations.budgets import scope_of
from lictor.declarations.effectors import Effector
from lictor.errors import Code
from lictor.journal.port import Act, Close, Progress, Undo, Verb
from lictor.lifecycle import ActionState, Event
from lictor.records import Amount, Report
from lictor.runtime.randomness import Randomness

from .agenda import What
from .attempts import News
from .executing import Executing
from .progress import outcome_of
from .work import Work

#: Events that a final report may carry.
_REPORTED = {
    "succeeded": Event.SUCCEED,
    "failed": Event.FAIL,
    "cancelled": Event.CANCEL,
    "expired": Event.EXPIRE,
    "absent": Event.ABSENT,
}


class Resolution:
    """The part of the executor that decides what to do about each piece of news."""

    def __init__(self, executor: Executing, randomness: Randomness) -> None:
        self._executor = executor
        self._randomness = randomness
        #: The world's names of pending actions.
        self.refs: dict[str, tuple[Work, int]] = {}
        self._extra: dict[int, int] = {}

    # -- news -----------------------------------------------------------------------------------------------------

    def take(self, news: News, at_us: int) -> None:
        """Turn one piece of news into events of its action."""
        work, ordinal = news.work, news.ordinal
        action = work.open.actions[ordinal]
        if news.fence != action.fence or (action.done and news.event not in {"compensated", "undo_failed"}):
            return  # I9: a superseded attempt
        effector = self._effector(work, ordinal)
        lane = self._executor.lanes[effector.name]
        settled = self._settled(work, news.settled)
        event = news.event
        if action.attempts == 1 and event in {"succeed", "pend", "fail", "retry", "unknown"}:
            lane.breaker.note(failed=event in {"retry", "unknown"})
        if event == "succeed":
            self._executor.act(work, ordinal, Event.SUCCEED, value=news.value, settled=settled)
        elif event == "pend":
            next_us = at_us + int((news.wait_s or effector.poll_after_s) * 1e6)
            self._executor.act(work, ordinal, Event.PEND, ref=news.value, next_us=next_us, settled=settled)
        elif event == "fail":
            self._executor.act(work, ordinal, Event.FAIL, code=news.code, detail=news.detail, settled=settled)
        elif event == "give_back":
            self._executor.act(work, ordinal, Event.GIVE_BACK)
        elif event == "retry":
            self._again(work, ordinal, effector, news, at_us, settled)
        elif event == "unknown":
            self._unknown(work, ordinal, effector, news, at_us, settled)
        elif event == "report" and news.report is not None:
            self.report(work, ordinal, news.report, at_us, settled)
        elif event == "no_answer":
            self._no_answer(work, ordinal, effector, news, at_us)
        else:
            self._undo_news(work, ordinal, news, at_us)

    def scope_of(self, work: Work, budget: str) -> str:
        """The scope of a budget that a decision's settlements go to.

        The one it reserved from, else the one it falls into.
        """
        for reservation in work.open.verdict.reservations:
            if reservation.budget == budget:
                return reservation.scope
        decision = work.open.decision
        per = self._executor.app.balances[budget].per
        return scope_of(
            per, decision, None if per in {"all", "tenant", "source", "kind"} else self._executor.value_of(decision)
        )

    def _settled(self, work: Work, settled: tuple[Any, ...]) -> tuple[tuple[str, str, Amount], ...]:
        return tuple(
            (b.name, scope if scope is not None else self.scope_of(work, b.name), amount)
            for b, scope, amount in settled
        )

    def _effector(self, work: Work, ordinal: int) -> Effector[..., Any]:
        plan = work.open.plan
        return self._executor.app.effectors[plan.actions[ordinal].effector if plan else ""]

    def _again(
        self,
        work: Work,
        ordinal: int,
        effector: Effector[..., Any],
        news: News,
        at_us: int,
        settled: tuple[Any, ...],
    ) -> None:
        """Certainly no effect, may be tried again: after a jittered wait, if deadline, breaker and budgets allow."""
        refusal = self._no_retry(work, effector)
        action = work.open.actions[ordinal]
        wait_s = backoff_s(
            action.attempts, effector.retry_base_s, effector.retry_max_s, self._randomness.uniform(0.0, 1.0)
        )
        next_us = at_us + int(max(wait_s, news.wait_s or 0.0) * 1e6)
        if refusal is None and next_us >= work.open.decision.deadline_us:
            refusal = news.code or Code.EFFECT_FAILED
        if refusal is not None:
            self._executor.act(work, ordinal, Event.FAIL, code=refusal, detail=news.detail, settled=settled)
            return
        self._executor.act(
            work, ordinal, Event.BACK_OFF, code=news.code, detail=news.detail, next_us=next_us, settled=settled
        )

    def _no_retry(self, work: Work, effector: Effector[..., Any]) -> str | None:
        """Why there is no extra attempt.

        Takes a token from the pool and one from the root decision's share when there is.
        """
        lane = self._executor.lanes[effector.name]
        root = self._root(work)
        if lane.breaker.open or self._extra.get(root, 0) >= EXTRA_PER_ROOT_MAX or not lane.pool.withdraw():
            return Code.RETRY_BUDGET
        self._extra[root] = self._extra.get(root, 0) + 1
        return None

    def _root(self, work: Work) -> int:
        decision = work.open.decision
        while decision.parent is not None and (parent := self._executor.work.get(decision.parent)) is not None:
            decision = parent.open.decision
        return decision.id

    def _unknown(
        self,
        work: Work,
        ordinal: int,
        effector: Effector[..., Any],
        news: News,
        at_us: int,
        settled: tuple[Any, ...],
    ) -> None:
        """The effect may have begun: again under the same key where that is safe, else in doubt."""
        if effector.idempotent and self._executor.clock.wall_us() < work.open.decision.deadline_us:
            if effector.asks is None:
                self._again(work, ordinal, effector, news, at_us, settled)
                return
            if self._no_retry(work, effector) is None:
                wait_s = backoff_s(
                    work.open.actions[ordinal].attempts,
                    effector.retry_base_s,
                    effector.retry_max_s,
                    self._randomness.uniform(0.0, 1.0),
                )
                self._executor.act(
                    work,
                    ordinal,
                    Event.BACK_OFF,
                    code=news.code,
                    detail=news.detail,
                    next_us=at_us + int(wait_s * 1e6),
                    settled=settled,
                )
                return
        next_us = at_us if effector.asks is not None else None
        self._executor.act(
            work, ordinal, Event.DOUBT, code=news.code, detail=news.detail, next_us=next_us, settled=settled
        )

    # -- reports --------------------------------------------------------------------------------------------------

    def report(
        self, work: Work, ordinal: int, report: Report, at_us: int, settled: tuple[tuple[str, str, Amount], ...] = ()
    ) -> None:
        """Take a report, from a question or unasked; one that was seen before changes nothing."""
        action = work.open.actions[ordinal]
        seen = {news.report for news in work.acts if news.ordinal == ordinal}
        if action.done or report.id in seen or (action.reports is not None and report.id in action.reports):
            return
        settled += tuple((budget, self.scope_of(work, budget), amount) for budget, amount in report.settled.items())
        if not report.final:
            if action.state == ActionState.IN_DOUBT:  # the world knows it, so it is no longer in doubt
                effector = self._effector(work, ordinal)
                next_us = at_us + int(effector.poll_after_s * 1e6)
                self._executor.act(
                    work, ordinal, Event.PEND, report=report.id, value=report.value, settled=settled, next_us=next_us
                )
                return
            self._executor.act(
                work,
                ordinal,
                Event.REPORT,
                report=report.id,
                value=report.value,
                settled=settled,
                next_us=action.next_us,
            )
            return
        event = _REPORTED[report.result or "failed"]
        if event == Event.ABSENT:
            self._absent(work, ordinal, report, at_us)
            return
        if event == Event.EXPIRE and action.state == ActionState.STARTED:
            event = Event.FAIL
        code = report.code or (None if event == Event.SUCCEED else Code.EFFECT_FAILED if event == Event.FAIL else None)
        self._executor.act(work, ordinal, event, report=report.id, value=report.value, code=code, settled=settled)

    def _absent(self, work: Work, ordinal: int, report: Report, at_us: int) -> None:
        """The world never saw it: it may be sent, unless its time has passed."""
        if work.open.actions[ordinal].state == ActionState.STARTED:
            return  # the attempt is still running; asking early proves nothing
        if at_us >= work.open.decision.deadline_us:
            self._executor.act(work, ordinal, Event.EXPIRE, report=report.id, code=Code.EXPIRED)
            return
        self._executor.act(work, ordinal, Event.ABSENT, report=report.id, next_us=at_us)

    def _no_answer(self, work: Work, ordinal: int, effector: Effector[..., Any], news: News, at_us: int) -> None:
        """Nobody knows yet: ask again later, or leave it to a named person after `resolve_within_s`."""
        action = work.open.actions[ordinal]
        if action.state not in {ActionState.IN_DOUBT, ActionState.PENDING} or news.detail == "cancel":
            return
        started_us = work.open.started_us or at_us
        if at_us - started_us < effector.resolve_within_s * 1e6:
            self._executor.agenda.add(at_us + int(effector.poll_after_s * 1e6), "ask", work.open.decision.id, ordinal)
        elif action.state == ActionState.PENDING:
            self._executor.act(
                work, ordinal, Event.DOUBT, code=Code.UNRESOLVED, detail="waits for a person: lictor resolve"
            )

    # -- what is due ----------------------------------------------------------------------------------------------

    def due(self, what: What, work: Work, ordinal: int, at_us: int) -> None:
        """A time that was noted has come."""
        if what == "expire":
            self._expire_waiting(work)
            return
        action = work.open.actions[ordinal]
        if what == "retry" and action.state == ActionState.BACKING_OFF:
            if at_us >= work.open.decision.deadline_us:
                self._executor.act(work, ordinal, Event.EXPIRE, code=Code.EXPIRED)
            else:
                work.make_ready(ordinal)
                self._executor.queue(work)
        elif what == "ask" and action.state in {ActionState.IN_DOUBT, ActionState.PENDING}:
            asks = self._effector(work, ordinal).asks
            if asks is not None:
                self._executor.attempts.ask(work, ordinal, asks, "reconcile")

    def _expire_waiting(self, work: Work) -> None:
        """The deadline has come. A decision of which nothing has started is closed as a whole by the executor."""
        if work.open.started:
            running = {a.ordinal for a in self._executor.attempts.running if a.work is work}
            for ordinal, action in enumerate(work.open.actions):
                if action.state == ActionState.WAITING and ordinal not in running:
                    self._executor.act(work, ordinal, Event.EXPIRE, code=Code.EXPIRED)

    def progressed(self, work: Work, verb: Progress | Undo) -> None:
        """Events are durable: note when to come back, and what to ask."""
        if isinstance(verb, Undo):
            work.undoing = [o for o, a in enumerate(work.open.actions) if a.state == ActionState.SUCCEEDED]
            self._undo_next(work)
            return
        if work.undoing is not None:
            self._undo_next(work)
            return
        for news in verb.acts:
            self._noted(work, news)

    def _noted(self, work: Work, news: Act) -> None:
        agenda, id_ = self._executor.agenda, work.open.decision.id
        if news.event in {Event.BACK_OFF, Event.ABSENT}:
            agenda.add(news.next_us or 0, "retry", id_, news.ordinal)
        elif news.event in {Event.PEND, Event.DOUBT} and news.next_us is not None:
            agenda.add(news.next_us, "ask", id_, news.ordinal)
        elif news.event == Event.GIVE_BACK:
            work.make_ready(news.ordinal)
            agenda.add(work.open.decision.deadline_us, "expire", id_)
            if not self._executor.halted(work):
                self._executor.queue(work)
        ref = work.open.actions[news.ordinal].ref
        if ref is not None:
            self.refs[ref] = (work, news.ordinal)

    # -- cancel and undo ------------------------------------------------------------------------------------------

    def cancel(self, work: Work) -> None:
        """A started decision is to be cancelled: ask the effectors of what runs; the true result is kept."""
        for ordinal, action in enumerate(work.open.actions):
            stops = self._effector(work, ordinal).stops
            if stops is not None and action.state in {ActionState.STARTED, ActionState.PENDING, ActionState.IN_DOUBT}:
                self._executor.attempts.ask(work, ordinal, stops, "cancel")
        self._executor.touch(work)

    def _undo_next(self, work: Work) -> None:
        """Undo the latest success that is not undone yet; one at a time, in reverse."""
        if work.undoing:
            ordinal = work.undoing[-1]
            if work.open.actions[ordinal].state == ActionState.SUCCEEDED:
                work.acts.append(Act(ordinal, Event.COMPENSATE, work.open.actions[ordinal].fence))
                self._executor.touch(work)
            else:
                self._call_undo(work, ordinal)

    def resume_undo(self, work: Work) -> None:
        """Undoing was cut off by a restart."""
        self._undo_next(work)

    def _call_undo(self, work: Work, ordinal: int) -> None:
        undoes = self._effector(work, ordinal).undoes
        if undoes is not None:
            self._executor.attempts.ask(work, ordinal, undoes, "undo")

    def _undo_news(self, work: Work, ordinal: int, news: News, at_us: int) -> None:
        fence = work.open.actions[ordinal].fence
        if news.event == "compensated":
            work.acts.append(Act(ordinal, Event.COMPENSATED, fence))
        elif news.event == "undo_failed":
            work.acts.append(Act(ordinal, Event.FAIL, fence, "COMPENSATION_FAILED", detail=news.detail))
        del at_us

    def undone(self, work: Work, acts: tuple[Act, ...], at_us: int) -> Verb | None:
        """The closing verb when the last undo has come back; else None, and the next one is called after the commit."""
        if work.undoing is None:
            return None
        for news in acts:
            if news.event in {Event.COMPENSATED, Event.FAIL}:
                work.undoing.remove(news.ordinal)
        failed = next((news for news in acts if news.event == Event.FAIL), None)
        if failed is not None:
            work.concluded = True
            outcome = outcome_of(work, "failed", failed.code, failed.detail, at_us, acts)
            return Close(work.open.decision.id, Event.FAIL, outcome, acts)
        if not work.undoing:
            work.concluded = True
            _, code, detail = work.failure or ("", None, None)
            outcome = outcome_of(work, "compensated", code, detail, at_us, acts)
            return Close(work.open.decision.id, Event.COMPENSATED, outcome, acts)
        return None

    def forget(self, work: Work) -> None:
        """A decision is closed."""
        self._extra.pop(work.open.decision.id, None)
        for action in work.open.actions:
            if action.ref is not None:
                self.refs.pop(action.ref, None)
