"""The live index: bands of load, alerts without false ones, in a plain model and in a real node on simulated time."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from math import isclose
from random import Random

import pytest
from tests.rig import Payout, payouts, simulate

from lictor.monitoring.past_quality import past_quality
from lictor.monitoring.quality_meter import BANDS, QualityMeter
from lictor.records import Decision, ShedCount

START = 1_700_000_000


def decision(second: int, priority: int = 2, worth: float | None = None) -> Decision:
    return Decision(
        id=1,
        kind="Payout",
        version=1,
        tenant="t",
        source="s",
        key=None,
        digest=b"",
        payload=b"",
        received_us=second * 1_000_000,
        deadline_us=(second + 60) * 1_000_000,
        priority=priority,
        worth=worth,
    )


class Model:
    """A system that serves at most `capacity` a second of what is offered, as a model; each second it is told."""

    def __init__(self, capacity: float = 100.0, seed: int = 1) -> None:
        self.meter = QualityMeter()
        self.capacity = capacity
        self.draw = Random(seed)
        self.second = START
        self.waits_s = 3.0
        #: The seconds in which what waits arrived.
        self.waiting: deque[int] = deque()
        self.alerts: list[tuple[int, bool]] = []

    def run(self, seconds: int, load: float, *, served: Callable[[float], float] = lambda capacity: capacity,
            fails: float = 0.0) -> None:  # fmt: skip
        """So long at a load, where `served(capacity)` can be done of it a second and a share of that fails."""
        for _ in range(seconds):
            at, mean = self.second, load * self.capacity
            arrived = max(0, round(self.draw.gauss(mean, mean**0.5)))
            room = max(0, round(self.waits_s * self.capacity) - len(self.waiting))
            let_in, done = min(arrived, room), round(self.draw.gauss(served(self.capacity), self.capacity**0.5 / 2))
            self.waiting.extend([at] * let_in)
            ended = [self.waiting.popleft() for _ in range(min(done, len(self.waiting)))]
            failed = [arrived for arrived in ended if self.draw.random() < fails]
            self.meter.turned(at, [("Payout", 2, None, 1)] * let_in, len(ended) - len(failed), self.waits_s)
            for arrival in failed:
                self.meter.lost(decision(arrival), 1, "wasted")
            if arrived > let_in:
                count = arrived - let_in
                self.meter.shed([ShedCount(at, "s", "Payout", "INFEASIBLE", count, "", 2.0 * count)])
            self.second += 1
            for raised, _ in self.meter.alerts:
                self.alerts.append((self.second, raised))
            self.meter.alerts.clear()

    def eq(self) -> dict[float, float]:
        return {row.load_to: row.quality.eq for row in self.meter.seen(self.second).curve}


def test_nothing_is_said_before_capacity_is_known() -> None:
    model = Model()
    model.run(5, 0.5)
    seen = model.meter.seen(model.second)
    assert (seen.load, seen.capacity_per_s, seen.curve) == (None, None, ())


def test_a_system_that_sheds_what_it_cannot_do_keeps_its_quality_at_every_load() -> None:
    model = Model()
    for load in (0.5, 0.9, 1.5, 2.0, 4.0, 10.0, 20.0, 30.0, 4.0, 0.5):
        model.run(120, load)
    assert model.alerts == []
    found = model.eq()
    assert len(found) >= 6
    assert min(found.values()) > 0.97
    seen = model.meter.seen(model.second)
    assert 0.95 * 100 < seen.capacity_per_s < 1.1 * 100
    assert seen.knee is None


def test_a_system_that_collapses_is_told_once_with_its_cause_and_again_when_it_is_back() -> None:
    model = Model()
    model.run(300, 0.9)
    model.run(60, 1.2)
    began = model.second
    model.run(200, 3.0, served=lambda capacity: 0.3 * capacity)
    (raised,) = model.alerts
    assert raised[1] is True
    assert raised[0] - began < 60
    seen = model.meter.seen(model.second)
    assert seen.alert.eq < 0.9 < seen.alert.eq_good
    assert seen.alert.cause == "overhead"  # it was turned away while there had been capacity for it
    assert seen.knee is not None
    model.run(300, 0.9)
    assert [up for _, up in model.alerts] == [True, False]
    assert model.meter.seen(model.second).alert is None


def test_a_collapse_that_outlasts_its_load_keeps_the_alert() -> None:
    """Metastable: the load is gone, quality is not back."""
    model = Model()
    model.run(300, 0.9)
    model.run(100, 3.0, served=lambda capacity: 0.3 * capacity)
    model.run(600, 0.9, served=lambda capacity: 0.3 * capacity)
    assert [up for _, up in model.alerts] == [True]
    model.run(300, 0.9)
    assert [up for _, up in model.alerts] == [True, False]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("fails", [0.0, 0.03, 0.1])
def test_there_are_no_false_alarms(seed: int, fails: float) -> None:
    """Loads that wander for hours, failures that do not depend on load, also around the bound itself."""
    model = Model(seed=seed, capacity=30.0)
    wander = Random(seed)
    for _ in range(30):
        model.run(60, wander.choice((0.3, 0.6, 0.9, 1.1, 1.4, 2.0, 5.0)), fails=fails)
    assert model.alerts == []


def test_an_alert_does_not_flap_where_quality_is_around_the_bound() -> None:
    model = Model()
    model.run(600, 0.9)
    model.run(1_200, 2.0, served=lambda capacity: 0.965 * capacity)
    assert len(model.alerts) <= 1


def test_what_an_arrival_became_counts_where_it_arrived() -> None:
    model = Model()
    model.run(60, 0.9)
    at = model.second
    model.meter.turned(at, [("Payout", 2, None, 1)] * 200, 0)
    model.second += 1
    model.run(100, 0.4)
    before = model.eq()
    for _ in range(200):
        model.meter.lost(decision(at), 1, "late")
    after = model.eq()
    assert after[0.5] == pytest.approx(before[0.5])
    assert any(after[band] < before[band] for band in before if band > 0.5)


def test_refusals_are_no_loss_and_what_is_open_counts_as_kept() -> None:
    model = Model()
    model.run(60, 0.9)
    shed = [ShedCount(model.second, "s", "Payout", "NOT_PERMITTED", 1_000, "", 2_000.0)]
    model.meter.shed(shed)
    model.meter.turned(model.second, [("Payout", 2, None, 1)] * 50, 0)
    model.second += 1
    model.run(20, 0.9)
    assert model.meter.seen(model.second).now.eq == 1.0


def test_what_is_in_doubt_past_its_deadline_is_unknown_only_while_it_is() -> None:
    model = Model()
    model.run(120, 0.9)
    open_ = [(decision(model.second - 30), 1)] * 100
    told = model.meter.seen(model.second, open_)
    assert told.now.losses["unknown"] > 0.005
    assert model.meter.seen(model.second).now.losses["unknown"] == 0.0


def test_valuable_work_that_was_turned_away_for_less_valuable_work_is_unfair() -> None:
    meter, second = QualityMeter(), START
    for _ in range(120):
        meter.turned(second, [("Payout", 3, None, 1)] * 50, 50)
        meter.shed([ShedCount(second, "s", "Payout", "OVERLOADED", 50, "", 200.0)])
        second += 1
    found = meter.seen(second).now
    assert found.eq < 0.3
    assert found.losses["unfair"] > 0.6


def test_all_of_it_is_bounded() -> None:
    meter, draw = QualityMeter(), Random(3)
    for second in range(START, START + 5_000):
        worth = draw.uniform(0, 1e6)
        meter.turned(second, [("Payout", 2, worth, 1 + second % 7)], 1)
        meter.lost(decision(second, worth=worth), 1, "late")
    assert len(meter._places) <= 3_600
    assert len(meter._coming) <= 5
    assert len(meter._loads) <= 10
    assert len(meter.bands) == len(BANDS) + 1
    assert all(len(band.offered) < 100 and len(band.lost) < 100 for band in meter.bands)


def test_a_node_keeps_its_quality_under_four_times_its_capacity() -> None:
    async def main(rig):
        app = payouts(rig.world, kind={"expires_in_s": 1.0}, slots=8)
        node = await rig.start(app)

        async def offer(seconds: float, per_s: float) -> None:
            for number in range(int(seconds * per_s)):
                rig.world.says(f"a-{number}-{per_s}", 0.1)
                rig.machine.spawn(node.submit(Payout(f"a-{number}-{per_s}")))
                await asyncio.sleep(1 / per_s)

        await offer(40, 40)
        await offer(20, 320)
        await asyncio.sleep(5)
        return node.quality(), node.metrics(), node.health()

    found, metrics, health = simulate(main)
    assert 0.7 * 80 < found.capacity_per_s < 1.05 * 80  # 8 slots of 0.1 s, cautiously
    top = found.curve[-1]
    assert top.load_to >= 5.0
    assert top.quality.eq > 0.9
    assert found.alert is None
    assert "lictor_execution_quality " in metrics
    assert 'lictor_quality_loss{cause="late"}' in metrics
    assert "QUALITY_FALLS" not in {reason.code for reason in health.reasons}


def test_a_declared_value_is_what_counts() -> None:
    async def main(rig):
        app = payouts(rig.world, kind={"value": "amount", "expires_in_s": 1.0})
        await rig.start(app)
        handles = [await rig.submit(Payout("a", 250)), await rig.submit(Payout("b", -1))]
        return [handle.decision.worth for handle in handles]

    assert simulate(main) == [250.0, None]


def test_sheds_are_recorded_with_their_value() -> None:
    async def main(rig):
        app = payouts(rig.world, kind={"value": lambda payout: payout.amount * 2, "expires_in_s": 0.5}, slots=1)
        node = await rig.start(app)
        rig.world.says("a", *[0.4] * 9)
        await rig.outcome(Payout("a", 7))
        for _ in range(4):
            rig.machine.spawn(node.submit(Payout("a", 7)))
        await rig.settle(3)
        rows = [row.verb async for row in node.journal.scan()]
        return [count for verb in rows if type(verb).__name__ == "Shed" for count in verb.counts]

    counts = simulate(main)
    assert counts
    assert isclose(sum(count.value for count in counts), 14.0 * sum(count.count for count in counts))


def test_a_journal_tells_the_same_curve_as_the_node_that_wrote_it() -> None:
    async def main(rig):
        app = payouts(rig.world, kind={"expires_in_s": 1.0}, slots=8)
        node = await rig.start(app)
        for number in range(30 * 40 + 15 * 200):
            account = f"a-{number}"
            rig.world.says(account, "fail" if number % 10 == 0 else 0.1)
            rig.machine.spawn(node.submit(Payout(account)))
            await asyncio.sleep(1 / 40 if number < 30 * 40 else 1 / 200)
        await asyncio.sleep(5)
        return node.quality(), await past_quality(node.journal)

    live, past = simulate(main)
    assert past.capacity_per_s == pytest.approx(live.capacity_per_s, rel=0.05)
    assert max(row.quality.losses["wasted"] for row in live.curve) > 0.02
    assert past.now.eq == pytest.approx(live.now.eq, abs=0.02)
    assert [row.load_to for row in past.curve][-1] == [row.load_to for row in live.curve][-1]
