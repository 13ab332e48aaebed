"""Performs attempts: calls an effector under its time-out and says in one `News` what came of it.

Knows nothing of the journal.

Whatever an effector does maps to exactly one event in one place, `_told`: this is the closed set.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Sequence
from typing import Any

from lictor.declarations.effectors import Call, EffectFailed, Effector, Pending
from lictor.declarations.plain import storable, text, told, wait_s
from lictor.declarations.secret import hidden
from lictor.errors import Code, InvariantViolation
from lictor.lifecycle import DecisionState
from lictor.records import Report
from lictor.runtime.cancellation import being_cancelled
from lictor.runtime.clock import Clock
from lictor.runtime.ids import id_text
from lictor.runtime.offload import Lane
from lictor.runtime.probe import Probe

from .attempt import Attempt, News, NotBegun, Pair, Watching, action_key
from .hearing import sound
from .planning import arguments
from .timeouts import Timeouts
from .work import Work
from .worker_process import WorkerProcess

__all__ = ["Attempt", "Attempts", "News", "action_key"]

#: Members of enumerations, read once: on CPython 3.11 reading one costs as much as a call.
_RUNNING = DecisionState.RUNNING.value


#: Seconds in which a call that was cancelled at the end has to return.
STOP_S = 5.0

#: What a call may still tell after its time-out, because it is certain.
_CERTAIN = frozenset({"succeed", "pend", "fail", "retry"})


#: Last events after which an effect may have happened: no second call follows them where that could double it.
_UNKNOWABLE = frozenset({"doubt", "pend"})


class Attempts:
    """The running calls of one node."""

    def __init__(
        self,
        clock: Clock,
        tell: Callable[[News], None],
        freed: Callable[[Work, str, float | None], None],
        may_begin: Callable[[Work, str], bool],
        probe: Probe,
    ) -> None:
        self.probe = probe
        self._clock = clock
        self._tell = tell
        self._freed = freed
        self._may_begin = may_begin
        self._lanes: dict[str, Lane] = {}
        self._workers: dict[str, WorkerProcess] = {}
        #: By effector, for those that are watched.
        self.watching: dict[str, Watching] = {}
        self._timeouts: dict[str, Timeouts[Attempt]] = {}
        self.running: set[Attempt] = set()
        #: The journal has failed and may be another node's by now (I19): what has not begun does not.
        self.closed = False

    def use_lane(self, effector: str, lane: Lane) -> None:
        """Sync functions of this effector run there."""
        self._lanes[effector] = lane

    def use_worker(self, effector: str, function: str, slots: int) -> None:
        """Calls of this effector run in so many processes."""
        worker = self._workers[effector] = WorkerProcess(function, slots)
        worker.start()

    def begin(self, work: Work, ordinal: int, fence: int, effector: Effector[..., Any]) -> None:
        """Start the attempt; its lease is durable by now."""
        attempt = Attempt(work, ordinal, fence, effector, self.call(work, ordinal, fence))
        self.running.add(attempt)
        work.running += 1
        attempt.task = asyncio.get_running_loop().create_task(self._run(attempt))

    def hedge(self, first: Attempt, pair: Callable[[Attempt, Attempt], Pair]) -> None:
        """Call a second time under the same fence and key; a slot and a token have been taken for it."""
        work, ordinal = first.work, first.ordinal
        call = self.call(work, ordinal, first.fence)
        second = Attempt(work, ordinal, first.fence, first.effector, call)
        first.pair = second.pair = pair(first, second)
        self.running.add(second)
        work.running += 1
        second.task = asyncio.get_running_loop().create_task(self._run(second))

    @staticmethod
    def call(work: Work, ordinal: int, fence: int) -> Call:
        """The call context of an action's attempt."""
        found = work.open
        decision, action = found.decision, found.actions[ordinal]
        return Call(
            decision.id,
            ordinal,
            action.attempts,
            fence,
            decision.tenant,
            decision.source,
            decision.deadline_us,
            action_key,
            action.ref,
        )

    async def _run(self, attempt: Attempt) -> None:
        work, effector = attempt.work, attempt.effector
        try:
            if self.closed or attempt.told or not self._may_begin(work, effector.name):
                self._told(attempt, "give_back")
                return
            self._assert_promises(attempt)
            timeouts = self._timeouts.get(effector.name)
            if timeouts is None:
                timeouts = self._timed(effector)
            attempt.begun = True
            attempt.started = self._clock.monotonic()  # not before: until now it waited for the loop
            timeouts.watch(attempt)
            if effector.watched:
                self.watching[effector.name].began(attempt)
            await self._perform(attempt)
        except InvariantViolation as violated:
            self._told(attempt, "violated", violated.name, detail=violated.detail)
        finally:
            attempt.done = True
            self.running.discard(attempt)
            work.running -= 1
            if effector.watched:
                self.watching[effector.name].ended(attempt)
            seconds = attempt.seconds
            if seconds is None and attempt.begun:
                seconds = self._clock.monotonic() - attempt.started
            self._freed(work, effector.name, seconds)

    def _timed(self, effector: Effector[..., Any]) -> Timeouts[Attempt]:
        """Where the calls of an effector are timed."""
        found = self._timeouts.get(effector.name)
        if found is None:
            found = self._timeouts[effector.name] = Timeouts(self._clock, effector.timeout_s, self._time_out)
        return found

    async def _perform(self, attempt: Attempt) -> None:
        """Call the user's function; every way out of it tells exactly one event."""
        effector, call = attempt.effector, attempt.call
        plan = attempt.work.open.plan
        if plan is None:
            return
        action = plan.actions[attempt.ordinal]
        try:
            args, kwargs = arguments(action, effector, attempt.work.result)
        except Exception as error:  # noqa: BLE001 - what is stored no longer fits the effector; nothing was called
            self._told(attempt, "fail", Code.ARGUMENTS_INVALID, detail=told(error))
            return
        try:
            if effector.is_async:
                result = await effector.perform(call, *args, **kwargs)
            elif effector.name in self._workers:
                worker = self._workers[effector.name]
                result = await worker.perform(call, args, kwargs, lambda: self._begins(attempt))
            else:
                result = await self._lanes[effector.name].run(lambda: self._in_lane(attempt, args, kwargs))
        except NotBegun:  # after its time-out that ends the doubt: certainly no effect
            self._told(attempt, "fail" if attempt.told else "give_back", Code.TIMEOUT, detail="it stood in its lane")
        except EffectFailed as failed:
            self._told(
                attempt,
                "retry" if failed.retry else "fail",
                text(failed.code),
                wait=failed.retry_after_s,
                detail=text(hidden(failed.message)),
                busy=failed.retry_after_s is not None and not failed.only_this,
            )
        except asyncio.CancelledError as error:  # of this call, or of something that the user's function waited for
            if being_cancelled() and not attempt.told:
                raise
            self._told(attempt, "unknown", Code.EFFECT_FAILED, detail=told(error))
        except Exception as error:  # noqa: BLE001 - an effector is user code; its effect may or may not have begun
            self._told(attempt, "unknown", Code.EFFECT_FAILED, detail=told(error))
        else:
            if isinstance(result, Pending):
                self._told(attempt, "pend", value=text(result.ref), wait=result.poll_after_s)
            else:
                self._told(attempt, "succeed", value=storable(result))

    def _begins(self, attempt: Attempt) -> None:
        """A sync call begins, unless its time-out or a halt came while it stood in its lane."""
        if attempt.told or self.closed or not self._may_begin(attempt.work, attempt.effector.name):
            raise NotBegun

    def _in_lane(self, attempt: Attempt, args: Sequence[Any], kwargs: dict[str, Any]) -> Any:
        """Call a sync function, and time it where it runs."""
        self._begins(attempt)
        perform: Any = attempt.effector.perform
        began = self._clock.monotonic()
        try:
            return perform(attempt.call, *args, **kwargs)
        finally:
            attempt.seconds = self._clock.monotonic() - began

    def _told(
        self,
        attempt: Attempt,
        event: str,
        code: str | None = None,
        *,
        value: Any = None,
        wait: float | None = None,
        detail: str | None = None,
        busy: bool = False,
    ) -> None:
        """Tell what came of the call; after its time-out only what is certain, and marked late (I9)."""
        late = attempt.told != ""
        if late and event not in _CERTAIN:
            return
        attempt.told = event
        settled, wait = tuple(attempt.call.settled), None if wait is None else wait_s(wait)
        work, ordinal, fence = attempt.work, attempt.ordinal, attempt.fence
        news = News(work, ordinal, fence, event, code, value, settled, wait, detail, None, late, busy)
        if attempt.pair is None:
            self._tell(news)
        elif (of_both := attempt.pair.settle(attempt, news)) is not None:
            self._tell(of_both)

    def _time_out(self, attempt: Attempt) -> None:
        """The effect may have begun. The slot stays taken until the call really returns."""
        detail = f"no answer within {attempt.effector.timeout_s} s"
        if attempt.what == "perform":
            self._told(attempt, "unknown", Code.TIMEOUT, detail=detail)
        else:
            self._unanswered(attempt, detail)
        if attempt.what != "perform" or attempt.effector.stoppable:
            self.cut(attempt)

    @staticmethod
    def cut(attempt: Attempt) -> None:
        """End a call that runs, if that can be done from outside.

        One that the loop has not come to yet sees by itself that it is over: cancelled now, it would not clear up.
        """
        if attempt.task is not None and attempt.begun:
            attempt.task.cancel()

    def cut_off(self, work: Work, ordinal: int, event: str = "", code: str | None = None) -> None:
        """End the calls of an action that can be ended from outside, and tell `event` of them, if any."""
        for attempt in [a for a in self.running if a.work is work and a.ordinal == ordinal and a.what == "perform"]:
            if attempt.effector.stoppable:
                if event:
                    self._told(attempt, event, code, detail="it still ran at its deadline")
                self.cut(attempt)

    @staticmethod
    def _assert_promises(attempt: Attempt) -> None:
        """In the line before the effect, what the journal has decided is asserted once more."""
        found, effector = attempt.work.open, attempt.effector
        decision, action = found.decision, found.actions[attempt.ordinal]
        if found.verdict.result != "admitted" or found.verdict.digest != decision.digest:
            raise InvariantViolation("I1", f"decision {decision.id} starts without a verdict on its content")
        if found.state != _RUNNING:
            raise InvariantViolation("I1", f"decision {decision.id} starts while {found.state}")
        if found.started_us is None or found.started_us >= decision.deadline_us:
            raise InvariantViolation(
                "I5", f"decision {decision.id} was started at {found.started_us}, past its deadline"
            )
        if attempt.call.decision != decision.id or attempt.call.ordinal != attempt.ordinal:
            raise InvariantViolation("I7", f"decision {decision.id} is attempted under the key of another action")
        if action.attempts > 1 and not effector.idempotent and action.event in _UNKNOWABLE:
            raise InvariantViolation("I8", f"action {attempt.ordinal} of {decision.id} is sent again while in doubt")

    # -- questions ------------------------------------------------------------------------------------------------

    def ask(
        self, work: Work, ordinal: int, effector: Effector[..., Any], question: Callable[..., Any], what: str
    ) -> bool:
        """Ask the world about an action (`reconcile`), or to stop or undo it (`cancel`, `undo`); one at a time each.

        Tells `report` or `undone`; `no_answer` or `undo_failed` where it raises, knows nothing, or takes longer than
        the effector's time-out. False when the same question is still on its way: a sync function that hangs.
        """
        if (ordinal, what) in work.asking:
            return False
        work.asking |= {(ordinal, what)}
        fence = work.open.actions[ordinal].fence
        attempt = Attempt(work, ordinal, fence, effector, self.call(work, ordinal, fence), what=what)
        attempt.started = self._clock.monotonic()
        self.running.add(attempt)
        attempt.task = asyncio.get_running_loop().create_task(self._ask(attempt, question))
        self._timed(effector).watch(attempt)
        return True

    async def _ask(self, attempt: Attempt, question: Callable[..., Any]) -> None:
        plan, effector, work = attempt.work.open.plan, attempt.effector, attempt.work
        try:
            attempt.begun = True
            if plan is None or attempt.told:  # it came to its time-out before the loop came to it
                return
            args, kwargs = arguments(plan.actions[attempt.ordinal], effector, work.result)
            lane = None if inspect.iscoroutinefunction(question) else self._lanes.get(effector.name)
            if lane is None:
                answer = question(attempt.call, *args, **kwargs)
            else:
                answer = await lane.run(lambda: question(attempt.call, *args, **kwargs))
            if inspect.isawaitable(answer):
                answer = await answer
            said = sound(answer) if isinstance(answer, Report) else answer
        except asyncio.CancelledError as error:  # likewise
            if being_cancelled() and not attempt.told:
                raise
            self._unanswered(attempt, told(error))
        except Exception as error:  # noqa: BLE001 - user code; not knowing is what it answers then
            again_s = error.retry_after_s if isinstance(error, EffectFailed) else None
            self._raised(attempt, error)
            self._unanswered(attempt, told(error), again_s)
        else:
            self._answered(attempt, said)
        finally:
            attempt.done = True
            work.asking -= {(attempt.ordinal, attempt.what)}
            self.running.discard(attempt)

    def _raised(self, attempt: Attempt, error: Exception) -> None:
        """A question raised: tell it once for each attempt that it is about, however often it is asked again."""
        about = (attempt.ordinal, attempt.what, attempt.fence)
        if about not in attempt.work.raised:
            attempt.work.raised.add(about)
            self.probe.note(
                "question_failed",
                decision=id_text(attempt.work.open.decision.id),
                action=attempt.ordinal,
                effector=attempt.effector.name,
                question=attempt.what,
                error=told(error),
            )

    def _answered(self, attempt: Attempt, answer: object) -> None:
        if attempt.told:
            return
        if attempt.what == "undo":
            self._told(attempt, "undone")
        elif isinstance(answer, Report):
            attempt.told = "report"
            settled = tuple(attempt.call.settled)
            work, ordinal, fence, what = attempt.work, attempt.ordinal, attempt.fence, attempt.what
            self._tell(News(work, ordinal, fence, "report", settled=settled, report=answer, detail=what))
        else:
            self._told(attempt, "no_answer", detail=attempt.what)

    def _unanswered(self, attempt: Attempt, detail: str, again_s: float | None = None) -> None:
        if not attempt.told and attempt.what == "undo":
            self._told(attempt, "undo_failed", Code.EFFECT_FAILED, detail=detail, wait=again_s)
        elif not attempt.told:
            self._told(attempt, "no_answer", Code.EFFECT_FAILED, detail=attempt.what)

    async def stop(self) -> None:
        """Cancel what runs and wait for it; what was not told stays started and is in doubt at the next open."""
        tasks = {attempt.task: attempt for attempt in self.running if attempt.task is not None}
        for task in tasks:
            task.cancel()
        _, left = await asyncio.wait(tasks, timeout=STOP_S) if tasks else ((), ())
        for task in left:  # it will not be stopped; nobody waits for it any longer
            self.probe.note("call_left_running", effector=tasks[task].effector.name, within_s=STOP_S)
        await asyncio.gather(*(worker.stop() for worker in self._workers.values()))
        for lane in self._lanes.values():
            lane.close()
