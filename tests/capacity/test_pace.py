"""Slow and hanging are seen soon, and not where all is usual."""

import pytest
from tests.capacity.downstream import Downstream

from lictor.capacity.pace import DEVIATION_MIN, KNOWN_MIN, Pace
from lictor.capacity.quantile import Quantile

ANSWERS = 20_000


class Driven:
    """A pace with so many calls in flight, always."""

    def __init__(self, in_flight: int, seed: int, cv: float = 1.0) -> None:
        self.pace, self.world = Pace(), Downstream(in_flight, seed=seed, cv=cv)
        self.in_flight = in_flight
        self.calls = self.answers = 0
        self.check_at = 0.0
        self.events: list[tuple[str, float, int]] = []

    def run(self, *, answers: int | None = None, event: bool = False) -> None:
        """Until so many answers have come, or something was said."""
        pace, world, said = self.pace, self.world, len(self.events)
        while self.answers < answers if answers is not None else len(self.events) == said or not event:
            while pace.in_flight < self.in_flight:
                self.calls += 1
                pace.began(self.calls, world.now)
                world.begin(self.calls)
            if self.check_at < world.next_at():
                world.now = self.check_at
                found = pace.check(world.now)
                self.check_at += pace.every_s()
            else:
                found = pace.returned(world.next(), world.now)
                self.answers += 1
            if found is not None:
                self.events.append((found, world.now, self.answers))


def after(change: dict, in_flight: int, seed: int) -> tuple[str, float, int]:
    """What is said first after a change, after how long (in 99th percentiles of the service) and how many answers."""
    driven = Driven(in_flight, seed)
    driven.run(answers=ANSWERS)
    assert not driven.events
    at, answers, p99 = driven.world.now, driven.answers, driven.world.p99
    driven.world.change(**change)
    driven.run(event=True)
    event, now, then = driven.events[0]
    return event, (now - at) / p99, then - answers


@pytest.mark.parametrize("in_flight", [1, 3, 16, 64])
def test_ten_times_as_slow_is_seen_within_ten_answers(in_flight):
    for seed in range(2):
        event, _, answers = after({"factor": 10.0}, in_flight, seed)
        assert event in {"slow", "hanging"}
        assert answers <= 10


@pytest.mark.parametrize(("in_flight", "percentiles"), [(1, 8), (2, 8), (3, 2), (4, 2), (16, 2), (64, 2)])
def test_a_hang_is_seen_before_anything_comes(in_flight, percentiles):
    took = []
    for seed in range(2):
        event, waited, answers = after({"hangs": True}, in_flight, seed)
        assert event in {"slow", "hanging"}
        assert answers == 0
        took.append(waited)
    assert max(took) <= percentiles


def test_nothing_is_said_of_a_million_usual_answers():
    driven = Driven(4, seed=7)
    driven.run(answers=1_000_000)
    assert len(driven.events) <= 1


@pytest.mark.parametrize("cv", [0.0, 0.3, 2.0])
def test_nor_where_times_are_even_or_very_uneven(cv):
    driven = Driven(4, seed=3, cv=cv)
    driven.run(answers=30_000)
    assert not driven.events


def test_it_says_when_all_is_usual_again_and_what_usual_is():
    driven = Driven(4, seed=1)
    driven.run(answers=2_000)
    driven.world.change(hangs=True)
    driven.run(event=True)
    driven.world.change(hangs=False)
    driven.run(event=True)
    driven.world.change(factor=10.0)
    driven.run(event=True)
    driven.world.change(factor=1.0)
    driven.run(event=True)
    assert [event for event, _, _ in driven.events] == ["hanging", "usual", "slow", "usual"]
    assert driven.pace.usual_s() == pytest.approx(0.707, rel=0.2)  # the median of a mean of 1 at a variation of 1


def test_what_stays_slow_is_the_new_usual_and_what_becomes_faster_is_no_alarm():
    driven = Driven(4, seed=1)
    driven.run(answers=2_000)
    driven.world.change(factor=10.0)
    driven.run(answers=4_000)
    assert [event for event, _, _ in driven.events] == ["slow", "usual"]
    assert driven.pace.usual_s() == pytest.approx(7.07, rel=0.3)
    driven.world.change(factor=0.5)
    driven.run(answers=8_000)
    assert "hanging" not in [event for event, _, _ in driven.events]
    assert driven.pace.usual_s() == pytest.approx(0.35, rel=0.3)


def test_nothing_is_known_at_first_and_one_outlier_says_nothing():
    pace = Pace()
    assert pace.usual_s() is None
    for n in range(10 * KNOWN_MIN):
        pace.began(n, n)
        assert pace.returned(n, n + 0.1) is None
    pace.began("late", 0.0)
    assert pace.returned("late", 1_000.0) is None
    assert pace.returned("unknown", 1_000.0) is None
    assert pace.usual_s(2.326) < 0.1 * 2.72 ** (2.326 * DEVIATION_MIN * 1.2)


def test_what_was_cut_off_is_no_answer():
    pace = Pace()
    for n in range(10 * KNOWN_MIN):
        pace.began(n, n)
        pace.returned(n, n + 0.1)
    answered = pace.answered
    said = []
    for n in range(5):
        pace.began(n, 1_000.0 + n)
        said.append(pace.returned(n, 1_010.0 + n, answered=False))
    assert pace.answered == answered
    assert "slow" in said  # but it took at least so long


@pytest.mark.parametrize("share", [0.5, 0.9, 0.95, 0.99])
def test_a_quantile_is_followed_whatever_is_cut_off_above_it(share):
    world, quantile, samples = Downstream(1, seed=2), Quantile(share), []
    for _ in range(20_000):
        sample = world.service()
        samples.append(sample)
        quantile.note(min(sample, 1.1 * quantile.value) if quantile.value else sample)
    true = sorted(samples)[int(share * len(samples))]
    assert quantile.value == pytest.approx(true, rel=0.25)
    assert Quantile(0.5).value is None
