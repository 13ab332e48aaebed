"""Performs attempts: calls an effector under its time-out and says in one `News` what came of it.

Knows nothing of the journal.

Whatever an effector does maps to exactly one event in one place, `_told`: this is the closed set.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

from lictor.declarations.budgets import Balance
from lictor.declarations.effectors import Call, EffectFailed, Effector, Pending
from lictor.errors import Code, InvariantViolation
from lictor.lifecycle import DecisionState
from lictor.records import Amount, Report
from lictor.runtime.clock import Clock
from lictor.runtime.ids import id_text
from lictor.runtime.offload import Lane

from .planning import arguments
from .work import Work


#: Calls that have ended are forgotten from this many on, without waiting for the timer.
_SWEEP_AT = 256


class News(NamedTuple):
    """What came of an attempt, or of asking about one.

    `event`: succeed, pend, fail (certainly no effect, final), retry (certainly no effect, may be tried again),
    unknown, give_back, or report.
    """

    work: Work
    ordinal: int
    fence: int
    event: str
    code: str | None = None
    value: Any = None
    settled: tuple[tuple[Balance, str | None, Amount], ...] = ()
    wait_s: float | None = None
    detail: str | None = None
    report: Report | None = None


def action_key(decision: int, ordinal: int) -> str:
    """The idempotency key of an action: the same for every attempt (I7)."""
    return f"{id_text(decision)}.{ordinal}"


class Attempt:
    """One running call."""

    __slots__ = ("call", "done", "effector", "fence", "ordinal", "started", "task", "told", "work")

    def __init__(
        self, work: Work, ordinal: int, fence: int, effector: Effector[..., Any], call: Call, started: float
    ) -> None:
        self.work = work
        self.ordinal = ordinal
        self.fence = fence
        self.effector = effector
        self.call = call
        self.started = started
        self.task: asyncio.Task[None] | None = None
        self.told = False
        self.done = False


class Timeouts:
    """The time-outs of one effector's calls: all equally long, so they end in the order in which they began and one timer is enough."""

    __slots__ = ("_armed", "_clock", "_end", "_seconds", "_watched")

    def __init__(self, clock: Clock, seconds: float, end: Callable[[Attempt], None]) -> None:
        self._clock = clock
        self._seconds = seconds
        self._end = end
        self._watched: deque[Attempt] = deque()
        self._armed = False

    def watch(self, attempt: Attempt) -> None:
        """End this call when it takes too long."""
        watched = self._watched
        watched.append(attempt)
        if not self._armed:
            self._armed = True
            self._clock.call_later(self._seconds, self._sweep)
        elif len(watched) > _SWEEP_AT and watched[0].done:
            while watched and watched[0].done:
                watched.popleft()

    def _sweep(self) -> None:
        self._armed = False
        now = self._clock.monotonic()
        watched = deque(attempt for attempt in self._watched if not attempt.done)
        self._watched = watched
        while watched and now - watched[0].started >= self._seconds:
            self._end(watched.popleft())
        if watched:
            self._armed = True
            self._clock.call_later(watched[0].started + self._seconds - now, self._sweep)


class Attempts:
    """The running calls of one node."""

    def __init__(
        self,
        clock: Clock,
        tell: Callable[[News], None],
        freed: Callable[[str, float], None],
        may_begin: Callable[[Work, str], bool],
    ) -> None:
        self._clock = clock
        self._tell = tell
        self._freed = freed
        self._may_begin = may_begin
        self._lanes: dict[str, Lane] = {}
        self._timeouts: dict[str, Timeouts] = {}
        self.running: set[Attempt] = set()

    def use_lane(self, effector: str, lane: Lane) -> None:
        """Sync functions of this effector run there."""
        self._lanes[effector] = lane

    def begin(self, work: Work, ordinal: int, fence: int, effector: Effector[..., Any]) -> None:
        """Start the attempt; its lease is durable by now."""
        attempt = Attempt(work, ordinal, fence, effector, self.call(work, ordinal, fence), self._clock.monotonic())
        self.running.add(attempt)
        work.running += 1
        attempt.task = asyncio.get_running_loop().create_task(self._run(attempt))

    @staticmethod
    def call(work: Work, ordinal: int, fence: int) -> Call:
        """The call context of an action's attempt."""
        found = work.open
        decision, action = found.decision, found.actions[ordinal]
        call = Call(
            decision.id,
            ordinal,
            action.attempts,
            fence,
            decision.tenant,
            decision.source,
            decision.deadline_us,
            action_key,
        )
        call.ref = action.ref
        return call

    async def _run(self, attempt: Attempt) -> None:
        work, effector = attempt.work, attempt.effector
        try:
            if not self._may_begin(work, effector.name):
                self._told(attempt, "give_back")
                return
            self._assert_admitted(work)
            self._watch(attempt)
            await self._perform(attempt)
        finally:
            attempt.done = True
            self.running.discard(attempt)
            work.running -= 1
            self._freed(effector.name, self._clock.monotonic() - attempt.started)

    def _watch(self, attempt: Attempt) -> None:
        """Time the call."""
        effector = attempt.effector
        timeouts = self._timeouts.get(effector.name)
        if timeouts is None:
            timeouts = self._timeouts[effector.name] = Timeouts(self._clock, effector.timeout_s, self._time_out)
        timeouts.watch(attempt)

    async def _perform(self, attempt: Attempt) -> None:
        """Call the user's function; every way out of it tells exactly one event."""
        effector, call = attempt.effector, attempt.call
        plan = attempt.work.open.plan
        if plan is None:
            return
        action = plan.actions[attempt.ordinal]
        args, kwargs = arguments(action, attempt.work.results()) if action.inputs else (action.args, action.kwargs)
        try:
            if effector.is_async:
                result = await effector.perform(call, *args, **kwargs)
            else:
                result = await self._lanes[effector.name].run(lambda: effector.perform(call, *args, **kwargs))
        except EffectFailed as failed:
            self._told(
                attempt,
                "retry" if failed.retry else "fail",
                failed.code,
                wait_s=failed.retry_after_s,
                detail=failed.message,
            )
        except asyncio.CancelledError:
            if not attempt.told:
                raise
        except Exception as error:  # noqa: BLE001 - an effector is user code; its effect may or may not have begun
            self._told(attempt, "unknown", Code.EFFECT_FAILED, detail=f"{type(error).__name__}: {error}"[:500])
        else:
            if isinstance(result, Pending):
                self._told(attempt, "pend", value=result.ref, wait_s=result.poll_after_s)
            else:
                self._told(attempt, "succeed", value=result)

    def _told(
        self,
        attempt: Attempt,
        event: str,
        code: str | None = None,
        *,
        value: Any = None,
        wait_s: float | None = None,
        detail: str | None = None,
    ) -> None:
        """Tell once; what a call does after its time-out changes nothing (I9)."""
        if attempt.told:
            return
        attempt.told = True
        settled = tuple(attempt.call.settled)
        self._tell(News(attempt.work, attempt.ordinal, attempt.fence, event, code, value, settled, wait_s, detail))

    def _time_out(self, attempt: Attempt) -> None:
        """The effect may have begun. The slot stays taken until the call really returns."""
        self._told(attempt, "unknown", Code.TIMEOUT, detail=f"no answer within {attempt.effector.timeout_s} s")
        if attempt.effector.is_async and attempt.task is not None:
            attempt.task.cancel()

    @staticmethod
    def _assert_admitted(work: Work) -> None:
        """I1, in the line before the effect: an admitted verdict on exactly this content."""
        found = work.open
        if found.verdict.result != "admitted" or found.verdict.digest != found.decision.digest:
            raise InvariantViolation("I1", f"decision {found.decision.id} starts without a verdict on its content")
        if found.state != DecisionState.RUNNING:
            raise InvariantViolation("I1", f"decision {found.decision.id} starts while {found.state}")

    def ask(self, work: Work, ordinal: int, question: Callable[..., Any], what: str) -> None:
        """Ask the world about an action (`reconcile`), or to stop or undo it (`cancel`, `undo`).

        Tells `report`, or `unknown` on no answer.
        """
        fence = work.open.actions[ordinal].fence
        effector = what
        attempt = Attempt(work, ordinal, fence, _ASKING, self.call(work, ordinal, fence), self._clock.monotonic())
        self.running.add(attempt)
        attempt.task = asyncio.get_running_loop().create_task(self._ask(attempt, question, effector))

    async def _ask(self, attempt: Attempt, question: Callable[..., Any], what: str) -> None:
        plan = attempt.work.open.plan
        try:
            if plan is None:
                return
            args, kwargs = arguments(plan.actions[attempt.ordinal], attempt.work.results())
            answer = question(attempt.call, *args, **kwargs)
            if asyncio.iscoroutine(answer):
                answer = await answer
            if what == "undo":
                self._told(attempt, "compensated")
            elif isinstance(answer, Report):
                self._report(attempt, answer)
            else:
                self._told(attempt, "no_answer", detail=what)
        except asyncio.CancelledError:
            raise
        except Exception as error:  # noqa: BLE001 - user code; not knowing is what it answers then
            event = "undo_failed" if what == "undo" else "no_answer"
            self._told(attempt, event, Code.EFFECT_FAILED, detail=f"{what}: {type(error).__name__}: {error}"[:500])
        finally:
            self.running.discard(attempt)

    def _report(self, attempt: Attempt, report: Report) -> None:
        attempt.told = True
        settled = tuple(attempt.call.settled)
        self._tell(
            News(
                attempt.work,
                attempt.ordinal,
                attempt.fence,
                "report",
                report.code,
                report.value,
                settled,
                report=report,
            )
        )

    async def stop(self) -> None:
        """Cancel what runs and wait for it; what was not told stays started and is in doubt at the next open."""
        tasks = [attempt.task for attempt in self.running if attempt.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _never(_call: Call) -> None:
    """Questions have no effector of their own."""


_ASKING: Effector[..., Any] = Effector("asking", _never, idempotent=True, timeout_s=60.0, slots=1)
