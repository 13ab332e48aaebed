"""The rates of one node: tokens are taken for a start all together or not at all, and work that is short waits here.

Short work stands in the queue of the bucket that is empty, not in its effector's, where it would hold up others. When
tokens have come in they are taken for it, in class and tenant order, and it goes back to its effector's queue paid.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from lictor.capacity.fairness import FairQueue
from lictor.capacity.rates import TokenBucket
from lictor.declarations.budgets import Rate
from lictor.records import Decision, Take
from lictor.runtime.clock import Clock

from .work import Work

#: Full buckets that nobody waits at are forgotten beyond this many: a new one would be the same.
BUCKETS_MAX = 10_000
#: Work that has ended is looked for in the queues when there is this much of it.
LEFT_MIN = 1_024


@dataclass(slots=True)
class _Bucket:
    tokens: TokenBucket
    waiting: FairQueue[Work]
    timed: bool = False
    #: Tokens that this turn's admissions will take.
    coming: float = 0.0


class Tokens:
    """All token buckets of one node."""

    def __init__(
        self,
        rates: dict[str, Rate],
        clock: Clock,
        ready: Callable[[Work], None],
        weights: Mapping[str, float] | None = None,
    ) -> None:
        self._rates = rates
        self._weights = weights or {}
        self._clock = clock
        self._ready = ready
        self._buckets: dict[tuple[str, str], _Bucket] = {}
        self._forget_at = BUCKETS_MAX
        #: How much has ended while it waited here, since that was last looked for.
        self._left, self._look_at = 0, LEFT_MIN
        self._since: float | None = None
        self._expected: list[_Bucket] = []

    def start_empty(self) -> None:
        """After a restart: buckets begin to fill now, so that a crash loop cannot multiply a rate."""
        self._since = self._clock.monotonic()

    def take(self, takes: tuple[Take, ...]) -> bool:
        """Take them all for work that starts now; False when one is short, or others wait for it already."""
        now = self._clock.monotonic()
        for take in takes:
            bucket = self._bucket(take)
            if bucket.waiting.size or bucket.tokens.wait_s(take.count, now):
                return False
        for take in takes:
            self._bucket(take).tokens.take(take.count, now)
        return True

    def wait_s(self, takes: tuple[Take, ...], decision: Decision) -> float:
        """How long until these tokens flow for a decision that comes now, given who waits for them before it."""
        now, longest_s = self._clock.monotonic(), 0.0
        for take in takes:
            bucket = self._bucket(take)
            before = bucket.coming
            if bucket.waiting.size:
                before += bucket.waiting.ahead(decision.priority, decision.tenant)
            longest_s = max(longest_s, bucket.tokens.wait_s(before + take.count, now))
        return longest_s

    def expect(self, takes: tuple[Take, ...]) -> None:
        """Admitted in this turn, and will take them."""
        for take in takes:
            bucket = self._bucket(take)
            bucket.coming += take.count
            self._expected.append(bucket)

    def begin_turn(self) -> None:
        """What was expected has taken its tokens, or waits for them."""
        for bucket in self._expected:
            bucket.coming = 0.0
        self._expected.clear()

    def give_back(self, takes: tuple[Take, ...]) -> None:
        """They were not used after all."""
        for take in takes:
            self._bucket(take).tokens.give_back(take.count)

    def leave(self, work: Work) -> None:
        """Work has ended: what was taken for it comes back, and whoever still waits here is dropped in time (I17)."""
        if work.paid:
            self.give_back(work.takes)
        elif work.short:
            self._left += 1
            if self._left >= self._look_at:
                for bucket in self._buckets.values():
                    bucket.waiting.keep(lambda waits: not waits.concluded)
                self._left = 0
                self._look_at = max(LEFT_MIN, sum(bucket.waiting.size for bucket in self._buckets.values()))

    def wait(self, work: Work) -> None:
        """Let work that is short wait for its tokens; `ready` is called with it once they are taken for it."""
        if work.short:
            return
        work.short = True
        now = self._clock.monotonic()
        self._park(work, max(work.takes, key=lambda take: self._bucket(take).tokens.wait_s(take.count, now)), now)

    def _park(self, work: Work, short: Take, now: float) -> None:
        decision, bucket = work.open.decision, self._bucket(short)
        bucket.waiting.learn(decision.priority, decision.tenant, short.count)
        bucket.waiting.push(work, decision.priority, decision.tenant, decision.deadline_us)
        self._come_back(bucket, short.count, now)

    def _come_back(self, bucket: _Bucket, count: float, now: float) -> None:
        if not bucket.timed:
            bucket.timed = True
            self._clock.call_later(bucket.tokens.wait_s(count, now), lambda: self._flowed(bucket))

    def _flowed(self, bucket: _Bucket) -> None:
        """Tokens have come in: take them for whoever is first, as far as they go."""
        bucket.timed = False
        now = self._clock.monotonic()
        waiting = bucket.waiting
        while (work := waiting.peek()) is not None:
            if not work.concluded:
                short = next((t for t in work.takes if self._bucket(t).tokens.wait_s(t.count, now)), None)
                if short is not None:
                    if self._bucket(short) is bucket:
                        self._come_back(bucket, short.count, now)
                        return
                    waiting.pop()
                    self._park(work, short, now)
                    continue
                for take in work.takes:
                    self._bucket(take).tokens.take(take.count, now)
                work.paid, work.short = True, False
                self._ready(work)
            waiting.pop()

    def _bucket(self, take: Take) -> _Bucket:
        found = self._buckets.get((take.budget, take.scope))
        if found is None:
            rate = self._rates[take.budget]
            now = self._clock.monotonic()
            if len(self._buckets) >= self._forget_at:
                self._forget(now)
            at = now if self._since is None else self._since
            found = _Bucket(TokenBucket(rate.per_s, rate.burst, at, full=self._since is None), FairQueue(self._weights))
            self._buckets[take.budget, take.scope] = found
        return found

    def _forget(self, now: float) -> None:
        def idle(bucket: _Bucket) -> bool:
            return not bucket.waiting.size and not bucket.tokens.wait_s(bucket.tokens.burst, now)

        self._buckets = {name: bucket for name, bucket in self._buckets.items() if not idle(bucket)}
        self._forget_at = max(BUCKETS_MAX, 2 * len(self._buckets))
