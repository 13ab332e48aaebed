"""Hedging: where a call takes longer than nearly all do, a second one under the same key, and the first answer counts.

Both calls are one attempt: one start record, one fence (docs/adr has why), so that to the journal there is one lease
holder and one result. A success or a pending name from either ends the attempt; the other call is cut off, or ignored
where it cannot be. That one of them certainly did nothing says nothing of the other: until both have ended without an
answer, the attempt goes on, and then the less certain of the two is what is known.

A second call is made only of an effector that is idempotent, when a slot is free that nobody waits for, with the
tokens of its rates and one of extra work. It does not lengthen the attempt: with the time-out of either both end.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec

from lictor.capacity.quantile import Quantile
from lictor.declarations.effectors import Effector
from lictor.declarations.hedge import Hedge
from lictor.errors import Code

from .attempt import Attempt, News
from .executing import Executing
from .extra_attempts import ExtraAttempts
from .work import Work

#: How certain it is that nothing has happened, the least certain last.
_WORSE = ("give_back", "retry", "fail", "unknown")
_ENDS = frozenset({"succeed", "pend", "violated"})
_SAMPLES = frozenset({"succeed", "pend", "fail"})


class Pair:
    """The two calls of one attempt."""

    def __init__(self, first: Attempt, second: Attempt, cut: Callable[[Attempt], None]) -> None:
        self._first, self._second = first, second
        self._cut = cut
        self._over: News | None = None
        #: What the one that has ended without an answer has told.
        self._held: News | None = None

    def is_first(self, call: Attempt) -> bool:
        """Whether it is the call that was made without a hedge."""
        return call is self._first

    def settle(self, call: Attempt, news: News) -> News | None:
        """One of the two tells something: what that says of the attempt, if anything yet."""
        other = self._second if call is self._first else self._first
        if self._over is not None:  # a late answer may still end a doubt, where it was the time-out that ended both
            return news if news.late and self._over.event == "unknown" else None
        held = self._held
        if news.event in _ENDS or news.code == Code.TIMEOUT:
            self._end(news, other)
            which = "first" if call is self._first else "second"
            detail = news.detail or f"hedged; the {which} call answered"
            return msgspec.structs.replace(news, detail=detail)
        if held is None and not other.done:
            self._held = news
            return None
        self._over = news
        return news if held is None else max(held, news, key=lambda told: _WORSE.index(told.event))

    def _end(self, news: News, other: Attempt) -> None:
        self._over = news
        if other.told == "" and not other.done:
            other.told = "lost"  # one that has not begun will not
            if other.begun and other.effector.stoppable:
                self._cut(other)


class Hedging:
    """Hedges the calls of one effector."""

    def __init__(self, effector: Effector[..., Any], hedge: Hedge, executor: Executing, extra: ExtraAttempts) -> None:
        self._effector = effector
        self._executor = executor
        self._extra = extra
        self._after = hedge.after
        self._usual = Quantile(hedge.percentile) if hedge.percentile is not None else None
        self._timers: dict[Attempt, asyncio.TimerHandle] = {}
        #: Second calls that were made.
        self.calls = 0

    def after_s(self) -> float | None:
        """After how long a call is hedged; None while that is not known."""
        return self._usual.value if self._usual is not None else float(self._after)

    def began(self, call: Attempt) -> None:
        """A call begins."""
        after_s = self.after_s()
        if call.pair is None and after_s is not None and after_s < self._effector.timeout_s:
            self._timers[call] = self._executor.clock.call_later(after_s, lambda: self._due(call))

    def ended(self, call: Attempt, seconds: float) -> None:
        """A call is over."""
        timer = self._timers.pop(call, None)
        if timer is not None:
            timer.cancel()
        usual = self._usual
        first = call.pair is None or call.pair.is_first(call)
        if usual is not None and first and (call.told in _SAMPLES or seconds > (usual.value or seconds)):
            usual.note(seconds)

    def _due(self, call: Attempt) -> None:
        """Still no answer: call again, if there is a free slot and a token."""
        self._timers.pop(call, None)
        work, executor = call.work, self._executor
        if call.done or call.told or work.concluded or executor.draining or not self._affordable(work):
            return
        executor.lanes[self._effector.name].take(work.depth)
        self.calls += 1
        executor.attempts.hedge(call, lambda first, second: Pair(first, second, executor.attempts.cut))

    def _affordable(self, work: Work) -> bool:
        lane, tokens = self._executor.lanes[self._effector.name], self._executor.tokens
        if not lane.open(work.depth) or lane.before(work.open.decision) or work.open.cancel_asked:
            return False
        if work.takes and not tokens.take(work.takes):
            return False
        if self._extra.refused(work, self._effector) is None:
            return True
        tokens.give_back(work.takes)
        return False
