"""Extra work through an outage, partial failures and layers, in virtual time, on the real pool, breaker and backoff.

Targets: overload.md 3.5 (F5). Times are in seconds; a service takes 20 ms, and a decision has 30 of them.
"""

import heapq
import random

import pytest

from lictor.capacity.breaker import Breaker
from lictor.capacity.extra_work import EXTRA_PER_ROOT_MAX, START_BALANCE, ExtraWorkPool, backoff_s

SERVICE_S = 0.02
DEADLINE_S = 30 * SERVICE_S


class Client:
    """Calls arrive at `rate`, by Poisson or evenly; each that fails is tried again as the engine does."""

    def __init__(
        self,
        rate: float,
        seed: int,
        *,
        share: float = 0.05,
        breaker: bool = True,
        jitter: bool = True,
        even: bool = False,
    ) -> None:
        self.random = random.Random(seed)
        self.rate, self.jitter, self.even = rate, jitter, even
        self.pool, self.breaker, self.uses_breaker = ExtraWorkPool(share), Breaker(), breaker
        self.firsts = self.attempts = self.succeeded = self.failed = 0
        self.at: list[float] = []

    def gap(self) -> float:
        return 1.0 / self.rate if self.even else self.random.expovariate(self.rate)

    def run(self, seconds: float, fails) -> None:
        """`fails(now)` is the chance that an attempt fails."""
        now, events, ticket = 0.0, [], 0
        heapq.heappush(events, (self.gap(), 0, 0, 0.0))
        while events:
            now, _, attempt, began = heapq.heappop(events)
            if not attempt:
                if now > seconds:
                    continue
                self.firsts += 1
                attempt, began = 1, now
                ticket += 1
                heapq.heappush(events, (now + self.gap(), ticket, 0, 0.0))
            self.attempts += 1
            self.at.append(now)
            failed = self.random.random() < fails(now)
            if attempt == 1:
                self.breaker.note(failed=failed)
                self.pool.deposit()
            if not failed:
                self.succeeded += 1
                continue
            draw = self.random.random() if self.jitter else 1.0
            again = now + SERVICE_S + backoff_s(attempt, 0.1, 20.0, draw)
            allowed = again < began + DEADLINE_S and attempt <= EXTRA_PER_ROOT_MAX
            if allowed and not (self.uses_breaker and self.breaker.open) and self.pool.withdraw():
                ticket += 1
                heapq.heappush(events, (again, ticket, attempt + 1, began))
            else:
                self.failed += 1


@pytest.mark.parametrize("rate", [400, 760])
def test_a_total_outage_is_met_with_next_to_no_extra_attempts(rate):
    client = Client(rate, 1)
    client.run(20.0, lambda now: 1.0 if 5.0 <= now < 15.0 else 0.0)
    within = sum(5.0 <= at < 15.0 for at in client.at)
    firsts = client.firsts * 10.0 / 20.0
    assert within / firsts <= 1.02 + 3 / firsts**0.5  # and what is chance about the number of arrivals
    assert client.attempts / client.firsts <= 1.02


def test_without_the_breaker_it_is_the_share():
    client = Client(760, 1, breaker=False)
    client.run(20.0, lambda now: 1.0 if 5.0 <= now < 15.0 else 0.0)
    assert 1.02 < client.attempts / client.firsts <= 1.05 + 1e-9


@pytest.mark.parametrize("chance", [0.3, 0.45])
def test_where_many_fail_and_the_breaker_stays_closed_the_share_is_the_bound(chance):
    client = Client(500, 2)
    client.run(100.0, lambda now: chance)
    assert client.attempts / client.firsts <= 1.05


def test_one_in_a_hundred_that_fails_at_random_succeeds_in_the_end():
    client = Client(500, 3)
    client.run(400.0, lambda now: 0.01)
    assert client.succeeded / client.firsts >= 0.9999
    assert client.attempts / client.firsts <= 1.0 + 1.1 * 0.01


def test_five_in_a_hundred_cost_the_share_and_no_more():
    client = Client(500, 4)
    client.run(200.0, lambda now: 0.05)
    assert client.attempts / client.firsts <= 1.05
    assert client.succeeded / client.firsts >= 0.995


def test_after_an_outage_retries_resume():
    client = Client(500, 5)
    client.run(60.0, lambda now: 1.0 if now < 10.0 else 0.01)
    assert not client.breaker.open
    late = [at for at in client.at if at > 20.0]
    failed_late = client.failed
    assert len(late) > 1.005 * 500 * 40 * 0.98
    assert failed_late < 500 * 11


@pytest.mark.parametrize("trigger", [0.3, 2.0, 10.0])
def test_when_a_trigger_ends_no_peak_of_retries_comes(trigger):
    client = Client(800, 6, even=True)  # so that only retries make peaks
    client.run(trigger + 5.0, lambda now: 1.0 if now < trigger else 0.0)
    windows = [0] * 30
    for at in client.at:
        if trigger <= at < trigger + 3.0:
            windows[int((at - trigger) / 0.1)] += 1
    assert max(windows) / (sum(windows) / len(windows)) <= 1.5


def test_without_jitter_and_budget_there_is_one():
    client = Client(800, 6, share=1e6, breaker=False, jitter=False, even=True)
    client.run(3.0, lambda now: 1.0 if now < 0.3 else 0.0)
    windows = [0] * 20
    for at in client.at:
        if 0.3 <= at < 2.3:
            windows[int((at - 0.3) / 0.1)] += 1
    assert max(windows) / (sum(windows) / len(windows)) > 1.5


def test_the_start_balance_is_a_loan():
    pool, extra = ExtraWorkPool(0.05), 0
    for first in range(1, 2_000):
        pool.deposit()
        while pool.withdraw():
            extra += 1
        assert extra <= max(START_BALANCE, 0.05 * first + 1e-6)
