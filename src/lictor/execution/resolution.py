"""What follows from news: retry within the budget of extra work, doubt, polling and asking, reports from the world.

In doubt is explicit (I8): an effector that is not idempotent is never called again for an action whose effect may have
begun, until the world has said that it never saw it. Past the deadline the world is only asked, nothing is sent again.
"""

from __future__ import annotations

from typing import Any

from lictor.capacity.extra_work import backoff_s
from lictor.declarations.effectors import Effector
from lictor.errors import Code, InvariantViolation
from lictor.journal.port import Act, Progress, Undo, Verb
from lictor.lifecycle import ACTION_TERMINAL, ActionState, Event
from lictor.records import Report
from lictor.runtime.randomness import Randomness

from .agenda import What
from .amounts import Settled
from .attempts import News
from .cutting import end_late
from .effector_lane import EffectorLane
from .executing import Executing
from .extra_attempts import ExtraAttempts
from .hearing import Heard, Hearing, not_found
from .undoing import Undoing
from .verifying import Verifying
from .watching import Watch
from .work import Work

#: Members of enumerations, read once: on CPython 3.11 reading one costs as much as a call.
_ABSENT = Event.ABSENT.value
_BACK_OFF = Event.BACK_OFF.value
_CANCEL = Event.CANCEL.value
_DOUBT = Event.DOUBT.value
_EXPIRE = Event.EXPIRE.value
_FAIL = Event.FAIL.value
_GIVE_BACK = Event.GIVE_BACK.value
_PEND = Event.PEND.value
_REPORT = Event.REPORT.value
_SUCCEED = Event.SUCCEED.value
_BACKING_OFF = ActionState.BACKING_OFF.value
_IN_DOUBT = ActionState.IN_DOUBT.value
_PENDING = ActionState.PENDING.value
_STARTED = ActionState.STARTED.value
_WAITING = ActionState.WAITING.value


#: Events that a final report may carry.
_REPORTED = {
    "succeeded": _SUCCEED,
    "failed": _FAIL,
    "cancelled": _CANCEL,
    "expired": _EXPIRE,
    "absent": _ABSENT,
}
#: What attempts tell of themselves.
_OF_CALLS = frozenset({"succeed", "pend", "fail", "retry", "unknown", "give_back"})
_UNKNOWN = frozenset({_IN_DOUBT, _PENDING})
_IDLE = frozenset({_WAITING, _BACKING_OFF})
#: Where an action is that the world may know of.
_REPORTABLE = _UNKNOWN | {_STARTED, _BACKING_OFF}


class Resolution:
    """The part of the executor that decides what to do about each piece of news."""

    def __init__(self, executor: Executing, randomness: Randomness) -> None:
        self._executor = executor
        self._randomness = randomness
        #: The world's names of pending actions.
        self.refs: dict[str, tuple[Work, int]] = {}
        self.hearing = Hearing()
        self._undoing = Undoing(executor, self._backoff_s)
        self.verifying = Verifying(executor)
        self.extra = ExtraAttempts(executor)
        for name, effector in executor.app.effectors.items():
            if effector.watched:
                watch = Watch(effector, executor, self.extra, executor.attempts.probe)
                executor.attempts.watching[name] = executor.lanes[name].watch = watch

    # -- news -----------------------------------------------------------------------------------------------------

    def take(self, news: News, at_us: int) -> None:
        """Turn one piece of news into events of its action."""
        work, ordinal, event = news.work, news.ordinal, news.event
        if event in _OF_CALLS:
            state, fence = work.state(ordinal), work.open.actions[ordinal].fence
            # I9: what a superseded attempt tells, or one whose action has ended, changes nothing.
            if news.fence == fence and (state == _STARTED or (news.late and state == _IN_DOUBT)):
                self._came_back(work, ordinal, news, at_us)
            return
        if event == "violated":
            raise InvariantViolation(news.code or "", news.detail or "")
        state = work.state(ordinal)
        if event in {"undone", "undo_failed"}:
            self._undoing.take(work, ordinal, news, at_us)
            return
        if news.fence != work.open.actions[ordinal].fence or state in ACTION_TERMINAL:
            return  # I9: a superseded attempt
        if event == "report" and news.report is not None:
            self.report(work, ordinal, news.report, at_us, self._executor.amounts.of_call(work, news.settled, at_us))
            if news.detail == "cancel" and work.state(ordinal) in ACTION_TERMINAL:
                self._executor.attempts.cut_off(work, ordinal)  # the world has stopped it: its slot is wanted
            if news.detail == "reconcile" and state in _UNKNOWN and work.state(ordinal) == state:
                self._ask_later(work, ordinal, at_us)  # it was no final one, or known
        elif event == "no_answer":
            self._no_answer(work, ordinal, news, at_us)

    def _came_back(self, work: Work, ordinal: int, news: News, at_us: int) -> None:
        """An attempt has ended, or a call that had timed out has returned after all."""
        plan = work.open.plan
        lane = self._executor.lanes[work.effector or (plan.actions[ordinal].effector if plan else "")]
        effector = lane.effector
        act, event = self._executor.act, news.event
        settled = self._executor.amounts.of_call(work, news.settled, at_us) if news.settled else ()
        if work.open.actions[ordinal].attempts == 1 and event != "give_back" and not news.late:
            lane.breaker.note(failed=event in {"retry", "unknown"})
            lane.pool.deposit()
            if work.depth:
                self.extra.nested(work)
        if event == "succeed":
            if not self.verifying.on or not self.verifying.doubts(work, ordinal, effector, news, at_us, settled):
                act(work, ordinal, _SUCCEED, value=news.value, settled=settled, detail=news.detail)
        elif event == "pend":
            next_us = at_us + int((news.wait_s or effector.poll_after_s) * 1e6)
            act(work, ordinal, _PEND, ref=news.value, next_us=next_us, settled=settled)
            self.refs[news.value] = (work, ordinal)  # a report may come in this very turn
            for early in self.hearing.early(news.value):
                self.hearing.changed(early, changed=self.report(work, ordinal, early.report, at_us))
        elif event == "fail" or (event == "retry" and news.late):
            # Where nobody can be asked, what an idempotent call says under the same key is said of the effect.
            known = ordinal not in work.unsettled or effector.asks is None
            if known or work.open.actions[ordinal].attempts == 1:
                work.unsettled -= {ordinal}
                act(work, ordinal, _FAIL, code=news.code, detail=news.detail, settled=settled)
            elif work.state(ordinal) != _IN_DOUBT:  # this attempt has not done it; who knows of those before
                self._doubt(work, ordinal, news, at_us)
        elif event == "give_back":
            act(work, ordinal, _GIVE_BACK)
            self._executor.tokens.give_back(work.takes)
        elif event == "retry":
            if news.busy:
                self._hold(lane, news.wait_s or 0.0, at_us)
            self._again(work, ordinal, effector, news, at_us, settled)
        elif not news.late:
            self._unknown(work, ordinal, effector, news, at_us, settled)

    def effector(self, work: Work, ordinal: int) -> Effector[..., Any]:
        """The effector of an action."""
        plan = work.open.plan
        return self._executor.app.effectors[plan.actions[ordinal].effector if plan else ""]

    # -- extra attempts -------------------------------------------------------------------------------------------

    def _backoff_s(self, attempt: int, effector: Effector[..., Any]) -> float:
        return backoff_s(attempt, effector.retry_base_s, effector.retry_max_s, self._randomness.uniform(0.0, 1.0))

    def _again(
        self, work: Work, ordinal: int, effector: Effector[..., Any], news: News, at_us: int, settled: Settled
    ) -> None:
        """May be tried again: after a jittered wait, if deadline, breaker and budgets allow."""
        wait_s = max(self._backoff_s(work.open.actions[ordinal].attempts, effector), news.wait_s or 0.0)
        next_us = at_us + int(wait_s * 1e6)
        refusal: str | None = news.code or Code.EFFECT_FAILED
        if next_us < work.open.decision.deadline_us:
            refusal = self.extra.refused(work, effector)
        if refusal is None:
            known = () if news.event == "unknown" else settled  # the next attempt at the same effect tells its amounts
            if news.event == "unknown":
                work.unsettled |= {ordinal}
            self._executor.act(
                work, ordinal, _BACK_OFF, code=news.code, detail=news.detail, next_us=next_us, settled=known
            )
        elif news.event == "unknown" or ordinal in work.unsettled:  # money that may be spent is not given back (I8)
            self._doubt(work, ordinal, news, at_us)
        else:
            self._executor.act(work, ordinal, _FAIL, code=refusal, detail=news.detail, settled=settled)

    def spent(self, work: Work) -> None:
        """Extra attempts of an earlier incarnation stay spent."""
        self.extra.recovered(work)

    def _hold(self, lane: EffectorLane, seconds: float, at_us: int) -> None:
        """The world is busy and has said for how long: until then this effector starts nothing."""
        until_us = at_us + int(seconds * 1e6)
        if until_us > lane.held_until_us:
            lane.hold(until_us)
            self._executor.clock.call_later(seconds, lambda: self._release(lane, until_us))

    def _release(self, lane: EffectorLane, until_us: int) -> None:
        if lane.held_until_us == until_us:  # else it was told to wait longer since
            lane.release()
            self._executor.wake()

    # -- doubt ----------------------------------------------------------------------------------------------------

    def _unknown(
        self, work: Work, ordinal: int, effector: Effector[..., Any], news: News, at_us: int, settled: Settled
    ) -> None:
        """The effect may have begun: again under the same key where that is safe, else in doubt."""
        if effector.idempotent and at_us < work.open.decision.deadline_us:
            self._again(work, ordinal, effector, news, at_us, settled)
        else:
            self._doubt(work, ordinal, news, at_us)

    def _doubt(self, work: Work, ordinal: int, news: News, at_us: int) -> None:
        """Nothing is settled yet: whoever resolves it tells the true amounts, and they count once."""
        next_us = at_us if self.effector(work, ordinal).asks is not None else None
        self._executor.act(work, ordinal, _DOUBT, code=news.code, detail=news.detail, next_us=next_us)

    def _no_answer(self, work: Work, ordinal: int, news: News, at_us: int) -> None:
        """Nobody knows yet: ask again later, or leave it to a named person after `resolve_within_s`."""
        if work.state(ordinal) in _UNKNOWN and news.detail != "cancel":
            self._ask_later(work, ordinal, at_us)

    def _ask_later(self, work: Work, ordinal: int, at_us: int) -> None:
        effector = self.effector(work, ordinal)
        until_us = (work.open.started_us or at_us) + int(effector.resolve_within_s * 1e6)
        if at_us < until_us:
            later_us = at_us + int(effector.poll_after_s * 1e6) if effector.asks is not None else until_us
            self._executor.agenda.add(later_us, "ask", work.open.decision.id, ordinal)
        elif work.state(ordinal) == _PENDING:
            detail = "nobody answers for it; it waits for a person: lictor resolve"
            self._executor.act(work, ordinal, _DOUBT, code=Code.UNRESOLVED, detail=detail)

    # -- reports --------------------------------------------------------------------------------------------------

    def hear(self, heard: Heard, at_us: int) -> Work | None:
        """Take up a report that was brought; the work that it is about, if there is such."""
        where, executor = heard.where, self._executor
        work, ordinal = (
            self.refs.get(where, (None, 0)) if isinstance(where, str) else (executor.work.get(where), heard.ordinal)
        )
        if work is not None and 0 <= ordinal < work.total and not work.concluded:
            by = heard.by if heard.by != "world" else None
            self.hearing.changed(heard, changed=self.report(work, ordinal, heard.report, at_us, by=by))
        elif isinstance(where, str):
            self.hearing.keep(heard, (call for call in executor.attempts.running if call.what == "perform"))
        else:
            not_found(heard)
        return work

    def report(
        self, work: Work, ordinal: int, report: Report, at_us: int, settled: Settled = (), by: str | None = None
    ) -> bool:
        """Take a report, from a question or unasked; False when it changes nothing, because it is known or too late."""
        action, state = work.open.actions[ordinal], work.state(ordinal)
        seen = any(news.report == report.id for news in work.acts if news.ordinal == ordinal)
        if state not in _REPORTABLE or seen or (action.reports is not None and report.id in action.reports):
            return False
        event = _REPORTED[report.result or "failed"] if report.final else _REPORT
        claim = self.verifying.claimed(work, ordinal) if self.verifying.on and report.final else None
        if event == _ABSENT:
            return self._absent(work, ordinal, report, at_us, by)
        if event == _EXPIRE and state == _STARTED:
            event = _FAIL
        settled += self._executor.amounts.of_report(work, report, at_us)
        value = report.value
        if claim is not None and event == _SUCCEED:
            settled, value = settled or claim.settled, claim.value if value is None else value
        next_us = action.next_us if event == _REPORT else None
        if event == _REPORT and state == _IN_DOUBT:  # the world knows it: no longer in doubt
            event, next_us = _PEND, at_us + int(self.effector(work, ordinal).poll_after_s * 1e6)
        self._executor.act(
            work,
            ordinal,
            event,
            code=report.code or (Code.EFFECT_FAILED if event == _FAIL else None),
            value=value,
            settled=settled,
            next_us=next_us,
            report=report.id,
            detail=f"said by {by}" if by else None,
        )
        return True

    def _absent(self, work: Work, ordinal: int, report: Report, at_us: int, by: str | None) -> bool:
        """The world never saw it: it may be sent, unless its time or its extra work is spent."""
        if work.state(ordinal) not in _UNKNOWN:
            return False  # the attempt is still running, or will be; asking early proves nothing
        refusal = Code.EXPIRED if at_us >= work.open.decision.deadline_us else None
        event = _EXPIRE if refusal else _ABSENT
        if refusal is None and ordinal not in work.cut_off:
            refused = self.extra.refused(work, self.effector(work, ordinal))
            event = _FAIL if refused else event
            if refused:
                code = work.open.actions[ordinal].code
                refusal = Code.UNVERIFIED if code == Code.UNVERIFIED else Code.RETRY_BUDGET
        work.cut_off -= {ordinal}
        work.unsettled -= {ordinal}
        next_us = at_us if event == _ABSENT else None
        detail = f"said by {by}" if by else None
        self._executor.act(work, ordinal, event, report=report.id, code=refusal, next_us=next_us, detail=detail)
        return True

    # -- what is due ----------------------------------------------------------------------------------------------

    def due(self, what: What, work: Work, ordinal: int, at_us: int) -> None:
        """A time that was noted has come."""
        if what == "expire":
            self._expire_waiting(work)
        elif what == "displaced":
            if work.state(ordinal) in _IDLE:
                self._executor.act(work, ordinal, _EXPIRE, code=Code.DISPLACED)
        elif what == "cut":
            end_late(self._executor.attempts, self.effector(work, ordinal), work, ordinal)
        elif what == "undo":
            self.undo_next(work)
        elif what == "retry":
            self._retry(work, ordinal, at_us)
        elif work.state(ordinal) in _UNKNOWN:
            effector = self.effector(work, ordinal)
            attempts = self._executor.attempts
            if effector.asks is None or not attempts.ask(work, ordinal, effector, effector.asks, "reconcile"):
                self._ask_later(work, ordinal, at_us)

    def _retry(self, work: Work, ordinal: int, at_us: int) -> None:
        deadline_us = work.open.decision.deadline_us
        if work.state(ordinal) != _BACKING_OFF:
            return
        if at_us >= deadline_us:
            self._executor.act(work, ordinal, _EXPIRE, code=Code.EXPIRED)
            return
        self._executor.agenda.add(deadline_us, "expire", work.open.decision.id)
        if ordinal in work.unmet:
            return  # it was doubted before it could start; it comes when what it needs has succeeded
        work.make_ready(ordinal)
        self._executor.queue(work)

    def _expire_waiting(self, work: Work) -> None:
        """The deadline has come. A decision of which nothing has started is closed as a whole by the executor."""
        if work.open.started and work.undoing is None:
            running = {a.ordinal for a in self._executor.attempts.running if a.work is work}
            code = Code.DISPLACED if work.queued else Code.EXPIRED
            for ordinal in range(work.total):
                if work.state(ordinal) in _IDLE and ordinal not in running:
                    self._executor.act(work, ordinal, _EXPIRE, code=code)

    def progressed(self, work: Work, verb: Progress | Undo) -> None:
        """Events are durable: note when to come back, and what to ask."""
        if isinstance(verb, Undo):
            self.undo(work)
        elif work.undoing is not None:
            self.undo_next(work)
        else:
            for news in verb.acts:
                self._noted(work, news)

    def _noted(self, work: Work, news: Act) -> None:
        agenda, id_ = self._executor.agenda, work.open.decision.id
        if news.event in {_BACK_OFF, _ABSENT}:
            agenda.add(news.next_us or 0, "retry", id_, news.ordinal)
        elif news.event in {_PEND, _DOUBT}:
            if news.next_us is not None:
                agenda.add(news.next_us, "ask", id_, news.ordinal)
        elif news.event == _GIVE_BACK:
            work.make_ready(news.ordinal)
            agenda.add(work.open.decision.deadline_us, "expire", id_)
            self._executor.queue(work)
        ref = work.open.actions[news.ordinal].ref
        if ref is not None:
            self.refs[ref] = (work, news.ordinal)

    # -- cancel and undo ------------------------------------------------------------------------------------------

    def cancel(self, work: Work) -> None:
        """A started decision is to be cancelled: ask the effectors of what runs; the true result is kept."""
        for ordinal, action in enumerate(work.open.actions):
            if action.state in {_STARTED, _PENDING, _IN_DOUBT}:
                effector = self.effector(work, ordinal)
                if effector.stops is not None:
                    self._executor.attempts.ask(work, ordinal, effector, effector.stops, "cancel")
        self._executor.touch(work)

    def undo(self, work: Work) -> None:
        """It is durable that a decision is to be undone, now or before a restart."""
        self._undoing.begin(work)

    def undo_next(self, work: Work) -> None:
        """Undo the latest success that is not undone yet, unless a halt forbids it."""
        self._undoing.go_on(work)

    def undone(self, work: Work, at_us: int) -> list[Verb]:
        """What there is to write for the undoing of a decision."""
        return self._undoing.written(work, at_us)

    def forget(self, work: Work) -> None:
        """A decision is closed."""
        extra = self.extra
        if extra.spent or extra.nesting or extra.roots:
            extra.forget(work.open.decision.id)
        if not self.refs:
            return
        for action in work.open.actions:
            if action.ref is not None and self.refs.get(action.ref, (None, 0))[0] is work:
                del self.refs[action.ref]
