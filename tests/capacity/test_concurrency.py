"""The limit of a downstream of unknown capacity is found, followed, and frozen where measuring means nothing.

Times are in mean service times. Targets: overload.md 3.4 (F4).
"""

import statistics

import pytest
from tests.capacity.downstream import Downstream

from lictor.capacity import concurrency
from lictor.capacity.concurrency import AdaptiveSlots

WITHIN = 0.1
WINDOWS = 5


class Driven:
    """Slots before a downstream, with more work than it can take unless `demand` says otherwise."""

    def __init__(self, servers: int, seed: int, *, start: int = 4, high: int = 512) -> None:
        self.slots, self.world = AdaptiveSlots(1, high, start), Downstream(servers, seed=seed)
        self.demand, self.late_s = 10**9, 0.0
        self.calls = self.answers = 0
        self.check_at = 0.0
        self.events: list[str] = []
        #: The limit after each window.
        self.limits: list[float] = []

    def run(self, *, seconds: float = float("inf"), windows: int = 10**9) -> None:
        """Until that much time has passed, or so many windows are over."""
        slots, world, until = self.slots, self.world, self.world.now + seconds
        last = slots.windows + windows
        while world.now < until and slots.windows < last:
            while slots.pace.in_flight < min(slots.level, self.demand):
                self.calls += 1
                slots.began(self.calls, world.now)
                world.begin(self.calls)
            before = slots.windows
            if self.check_at < world.next_at():
                world.now = self.check_at
                event = slots.check(world.now, late_s=self.late_s)
                self.check_at += slots.pace.every_s()
            else:
                event = slots.returned(world.next(), world.now)
                self.answers += 1
            self.events += [event] if event else []
            self.limits += [slots.limit] * (slots.windows - before)


def settled(servers: int, seed: int) -> Driven:
    driven = Driven(servers, seed)
    driven.run(seconds=450)
    assert driven.slots.limit == pytest.approx(servers, rel=2.5 * WITHIN, abs=2)
    return driven


def windows_until(driven: Driven, true: float) -> int:
    """Windows from a change until the limit is near the true one; the one in which it came is not counted."""
    driven.run(windows=1)
    driven.limits.clear()
    driven.run(windows=WINDOWS + 3)
    return next((n + 1 for n, limit in enumerate(driven.limits) if abs(limit / true - 1) <= WITHIN), 99)


@pytest.mark.parametrize(("before", "then"), [(200, 20), (20, 200), (100, 10), (10, 100), (60, 40)])
def test_it_is_within_a_tenth_in_five_windows_both_ways(before, then):
    took = []
    for seed in range(3):
        driven = settled(before, seed)
        driven.world.change(servers=then)
        took.append(windows_until(driven, then))
    assert statistics.median(took) <= WINDOWS


def test_calls_that_have_become_slower_are_not_a_queue():
    took = []
    for seed in range(3):
        driven = settled(50, seed)
        driven.world.change(factor=10.0)
        took.append(windows_until(driven, 50))
        assert driven.slots.service_s == pytest.approx(10, rel=0.3)
    assert statistics.median(took) <= WINDOWS


def test_no_more_is_lost_on_the_way_up_than_five_windows_would_do():
    for seed in range(2):
        driven = settled(20, seed)
        driven.run(windows=1)
        at, answers = driven.world.now, driven.answers
        driven.world.change(servers=200)
        driven.run(windows=1)
        window = driven.world.now - at
        driven.run(seconds=300)
        lost = (driven.world.now - at) - (driven.answers - answers) / 200
        assert lost <= 5 * window


def test_on_the_way_down_next_to_nothing_is_lost():
    driven = settled(200, 1)
    driven.world.change(servers=20)
    driven.run(seconds=10)
    answers = driven.answers
    driven.run(seconds=200)
    assert driven.answers - answers >= 0.95 * 20 * 200


def test_a_hang_closes_it_to_the_least_and_what_recovers_is_found_again():
    driven = settled(50, 2)
    driven.world.change(hangs=True)
    calls = driven.calls
    driven.run(seconds=100)
    assert "hanging" in driven.events
    assert driven.slots.level <= 2
    assert driven.calls - calls <= 40  # no more than were free
    driven.world.change(hangs=False)
    driven.run(windows=12)
    assert driven.slots.limit == pytest.approx(50, rel=0.3)


def after_a_hang(servers: int, seed: int) -> float:
    """Service times from the end of a long hang of 20 servers until the limit is near what there is then."""
    driven = settled(20, seed)
    driven.world.change(hangs=True)
    driven.run(seconds=100)
    assert driven.slots.limit == 1
    driven.world.change(hangs=False, servers=servers)
    began = driven.world.now
    while abs(driven.slots.limit / servers - 1) > 3 * WITHIN and driven.world.now < began + 2_000:
        driven.run(seconds=1)
    return driven.world.now - began


def test_after_a_long_hang_it_opens_in_a_few_rounds_of_answers():
    assert statistics.median(after_a_hang(20, seed) for seed in range(3)) <= 20


def test_what_comes_back_smaller_is_found_too():
    assert statistics.median(after_a_hang(6, seed) for seed in range(3)) <= 300


def test_without_a_slow_start_a_hang_is_paid_for_long_after(monkeypatch):
    monkeypatch.setattr(concurrency, "REOPENS", float("inf"))
    assert statistics.median(after_a_hang(20, seed) for seed in range(3)) > 100


def test_it_is_frozen_while_the_arrival_rate_or_a_budget_is_the_bottleneck():
    driven = settled(100, 1)
    limit = driven.slots.limit
    driven.demand = 20
    driven.run(seconds=1_000)
    assert driven.slots.limit == limit
    assert driven.slots.service_s == pytest.approx(1, rel=0.15)
    driven.demand = 10**9
    driven.run(windows=3)
    assert driven.slots.limit == pytest.approx(100, rel=0.25)


def test_it_is_frozen_while_the_node_itself_is_late():
    driven = settled(100, 1)
    limit = driven.slots.limit
    driven.late_s = 1.0
    driven.run(seconds=300)
    assert driven.slots.limit == limit


def test_it_stays_within_its_bounds():
    driven = Driven(10, 1, high=16)
    driven.run(seconds=300)
    assert max(driven.limits) <= 16
    driven.world.change(servers=200)
    driven.run(seconds=300)
    assert driven.slots.level <= 16
    assert driven.slots.limit == 16


def test_a_queue_that_was_there_from_the_start_is_found():
    driven = Driven(20, 1, start=100)
    driven.run(seconds=2_500)
    assert driven.slots.limit == pytest.approx(20, rel=0.25)


def test_without_trying_less_it_is_not(monkeypatch):
    monkeypatch.setattr(concurrency, "LESS", 1.0)
    driven = Driven(20, 1, start=100)
    driven.run(seconds=2_500)
    assert driven.slots.limit > 40


def test_without_trying_more_a_recovery_is_never_seen(monkeypatch):
    opened = AdaptiveSlots._open
    never = {"more": lambda slots, _: slots.limit}

    def opens(self, phase, level, now):
        opened(self, phase, never[phase](self, level) if phase in never else level, now)

    monkeypatch.setattr(AdaptiveSlots, "_open", opens)
    driven = Driven(20, 1, start=20)
    driven.run(seconds=200)
    driven.world.change(servers=200)
    driven.run(seconds=300)
    assert driven.slots.limit < 60


def test_answers_that_turn_work_away_are_no_answers():
    slots, now = AdaptiveSlots(1, 64, 8), 0.0
    for n in range(5_000):  # everything is refused at once
        slots.began(n, now)
        now += 0.001
        slots.returned(n, now, answered=False)
    assert slots.limit <= 8
