"""The real-time rig in small: real processes and sockets, and what holds on any machine, however busy it is."""

import json
import random
from array import array
from pathlib import Path

import pytest
from benchmarks.failures.part import Settings, findings
from benchmarks.failures.real import f2, f5, figures, plan, tally, wire
from benchmarks.failures.real.arm import ENDS, EXPIRED, FAILED, OPEN, REFUSED, SUCCEEDED
from benchmarks.failures.real.calibration import Capacity, in_time_share
from benchmarks.failures.real.cell import Cell, Ran, Sample, Stage
from benchmarks.failures.real.generator import Lag
from benchmarks.failures.real.runner import Results, lag_s, run_cells
from benchmarks.failures.real.schedule import Draw, Schedule, service_s

ROOT = Path(__file__).parents[2]
NEVER_US = 1 << 62


def test_nothing_that_lictor_admits_starts_late_and_all_that_it_receives_ends(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    said: list[str] = []
    results = run_cells(plan.smoke_cells(3), seed=3, out=tmp_path, tell=said.append, repeats_max=0)
    assert results.failures == {}
    assert len(said) == 2
    assert list(tmp_path.iterdir()) == []
    for name in ("naive", "lictor"):
        (ran,) = results.ran[name]
        assert ran.capacity_per_s > 0
        assert [sample.load for sample in ran.samples] == [0.8, 5.0]
        for sample in ran.samples:
            assert sample.received == sum(sample.ends.values()) > 0
            assert sample.started >= sample.ended
    (lictor,) = results.ran["lictor"]
    assert [sample.stale_starts for sample in lictor.samples] == [0, 0]
    assert [sample.ends["open"] for sample in lictor.samples] == [0, 0]
    assert lictor.samples[1].ends["refused"] > 0
    found = findings("real_f2", "real", Settings(seeds=1))
    figures.goodput(found, results)
    assert {curve.arm for curve in found.curves} == {"naive", "lictor"}
    shows = {shown.id: shown for shown in found.shows}
    assert shows["F2 stale starts at all loads, lictor"].met
    assert shows["F2 every decision received has ended, lictor"].met
    assert shows["F2 goodput 20x in count, lictor"].value is None
    assert not shows["F2 goodput 20x in count, lictor"].met
    assert shows["F2 stale starts at all loads, lictor sync"].value is None
    assert json.loads(json.dumps(found.facts["short_void_runs"])) >= 0


def test_a_cell_that_fails_leaves_its_last_word(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    cell = Cell(arm="nobody", workload=plan.SHORT, stages=(), seed=1, calibrate_s=0.1)
    stage = next(plan.steady((1.0,), plan.SHORT))
    broken = Cell(arm="nobody", workload=plan.SHORT, stages=(stage,), seed=1, calibrate_s=0.1)
    results = run_cells([cell, broken], seed=1, out=tmp_path, tell=lambda _line: None)
    assert "nobody" in results.failures["nobody"]
    assert results.ran["nobody"][0].samples == []


def sample(**more) -> Sample:
    fields = {"load": 1.0, "fresh": True, "received": 10, "ends": {}, "goodput": 1.0, "goodput_work": 1.0}
    fields |= {"quality": 1.0, "value_kept": 1.0, "losses": {}, "stale_starts": 0, "started": 10, "late_ends": 0}
    fields |= {"ended": 10, "attempts": 1.0, "refusal_p99": None, "success_p99": None, "settle": None}
    return Sample(**(fields | {"lag_p99_s": 0.0, "cpu_us": 1.0, "rss_mb": 1.0, "seconds": 1.0} | more))


def ran(*samples: Sample, arm: str = "lictor") -> Ran:
    return Ran(arm=arm, seed=1, capacity_per_s=800.0, capacity_work=16.0, samples=list(samples))


def test_a_run_whose_generator_lagged_is_void_and_repeated(tmp_path, monkeypatch):
    lags = iter([0.5, 0.0001])
    monkeypatch.setattr("benchmarks.failures.real.runner.run_cell", lambda *_: ran(sample(lag_p99_s=next(lags))))
    cell = Cell(arm="lictor", workload=plan.SHORT, stages=(), seed=1, calibrate_s=0.1)
    results = run_cells([cell], seed=1, out=tmp_path, tell=lambda _line: None)
    assert (results.void, results.doubtful) == (1, 0)
    assert [lag_s(one) for one in results.ran["lictor"]] == [0.0001]
    monkeypatch.setattr("benchmarks.failures.real.runner.run_cell", lambda *_: ran(sample(lag_p99_s=0.5)))
    results = run_cells([cell], seed=1, out=tmp_path, tell=lambda _line: None)
    assert (results.void, results.doubtful) == (3, 1)


def test_hysteresis_compares_the_way_down_with_an_idle_start():
    up = [sample(load=load, quality=1.0) for load in (0.8, 1.2, 10.0)]
    stairs = [(0.8, 0.5), (10.0, 0.1), (1.2, 0.9), (0.8, 0.97)]
    found = ran(*up, *(sample(load=load, quality=eq, fresh=False) for load, eq in stairs))
    assert figures.hysteresis(found) == pytest.approx(0.1)


class Log:
    """What a downstream and its clients saw, written by hand."""

    def __init__(self, started, ended, ends, heard) -> None:
        self.started_us, self.ended_us = array("q", started), array("q", ended)
        self.calls = array("H", [int(at < NEVER_US) for at in started])
        self.ends, self.heard_us, self.asks = array("b", ends), array("q", heard), len(ends)
        self.received = self.asks


def seen(log: Log, due_us: list[int], service: float = 0.02) -> tally.Seen:
    schedule = Schedule(Draw(seed=1, first=0, rate_per_s=1.0, seconds=0.0), plan.SHORT)
    schedule.due_us = array("q", due_us)
    schedule.service_s = array("d", [service] * len(due_us))
    schedule.classes = array("b", [0] * len(due_us))
    log.deadlines_us = array("q", [at + 100_000 for at in due_us])
    stage = Stage(load=1.0, before_s=0.0, window_s=1.0, after_s=0.0)
    return tally.Seen(schedule, stage, log, log, Capacity(4.0, 0.08, 0.0), plan.SHORT)


def test_each_end_is_counted_for_what_it_was():
    #        in time   late      stale     refused   open
    due = [100_000, 200_000, 300_000, 400_000, 500_000]
    started = [110_000, 290_000, 410_000, NEVER_US, NEVER_US]
    ended = [130_000, 310_000, 430_000, NEVER_US, NEVER_US]
    ends = [SUCCEEDED, SUCCEEDED, EXPIRED, REFUSED, OPEN]
    heard = [131_000, 311_000, 431_000, 400_500, NEVER_US]
    found = tally.sample(seen(Log(started, ended, ends, heard), due), Lag(0.0, 0.0, 0.0, 0))
    assert found.ends == dict(zip(ENDS, (1, 2, 1, 1, 0), strict=True))
    assert (found.stale_starts, found.started, found.late_ends, found.ended) == (1, 3, 2, 3)
    assert found.goodput == pytest.approx(1 / 4)
    assert found.goodput_work == pytest.approx(0.02 / 0.08)
    assert found.refusal_p99 == pytest.approx(0.025)
    assert found.quality == pytest.approx((4.0 - 10 * 4.0) / 16.0)  # one kept, one that did harm, of four that fit
    assert found.value_kept == pytest.approx(0.25)
    assert sum(found.losses.values()) == pytest.approx(1.0 - found.quality)


def test_what_nobody_can_keep_is_not_held_against_anyone():
    log = Log([100_000], [NEVER_US], [EXPIRED], [200_000])
    found = tally.sample(seen(log, [100_000], service=0.2), Lag(0.0, 0.0, 0.0, 0))
    assert (found.quality, found.goodput, found.late_ends) == (1.0, 0.0, 0)


def test_what_was_cut_at_its_deadline_is_lost_to_lateness():
    log = Log([100_000], [NEVER_US], [FAILED], [200_300])
    found = tally.sample(seen(log, [100_000]), Lag(0.0, 0.0, 0.0, 0))
    assert found.quality == 0.0
    assert found.losses["late"] == pytest.approx(1.0)
    assert found.late_ends == 0


def test_settled_is_when_goodput_has_come():
    ended = [500_000 + 250 * number for number in range(2_000)]
    log = Log(ended, ended, [SUCCEEDED] * len(ended), ended)
    one = seen(log, [at - 10_000 for at in ended])
    busy = one._replace(capacity=Capacity(4_000.0, 80.0, 0.0))
    assert busy.on_time()
    assert tally.settled(busy) == pytest.approx(25, abs=1)
    assert tally.settled(one._replace(capacity=Capacity(1e6, 1e6, 0.0))) is None


def test_a_schedule_is_the_same_for_a_seed_and_as_dense_as_asked():
    draw = Draw(seed=5, first=100, rate_per_s=2_000.0, seconds=2.0)
    one, two = Schedule(draw, plan.SHORT), Schedule(draw, plan.SHORT)
    assert one.due_us == two.due_us
    assert one.service_s == two.service_s
    assert 3_500 < len(one) < 4_500
    arrivals = one.arrivals(5)
    assert [arrival.number for arrival in arrivals] == list(range(100, 100 + len(one)))
    assert len({arrival.key for arrival in arrivals}) == len(one)
    mean_s = sum(one.service_s) / len(one)
    assert 0.018 < mean_s < 0.022


def test_the_share_that_can_be_in_time_is_the_lognormals():
    source = random.Random(1)
    drawn = [service_s(source, plan.SHORT) for _ in range(100_000)]
    fit = [one for one in drawn if one <= plan.SHORT.deadline_s]
    share, work_s = in_time_share(plan.SHORT)
    assert share == pytest.approx(len(fit) / len(drawn), abs=0.002)
    assert work_s == pytest.approx(sum(fit) / len(drawn), rel=0.01)
    assert in_time_share(plan.LONG) == (1.0, 0.2)


def test_frames_survive_any_cut():
    draw = Draw(seed=1, first=0, rate_per_s=100.0, seconds=0.5)
    arrivals = Schedule(draw, plan.SHORT).arrivals(1)
    import msgspec
    from benchmarks.failures.real.schedule import Arrival

    encoded = [msgspec.msgpack.encode(arrival) for arrival in arrivals]
    stream = wire.frame(wire.BEGUN, b"x") + wire.batch(encoded) + wire.frame(wire.END)
    frames, got = wire.Frames(), []
    for at in range(0, len(stream), 7):
        got += frames.feed(stream[at : at + 7])
    assert [what for what, _ in got] == [wire.BEGUN, wire.BATCH, wire.END]
    assert msgspec.msgpack.decode(got[1][1], type=list[Arrival]) == arrivals


def test_the_plan_has_every_arm_and_peer_that_is_promised():
    from benchmarks.failures.real.arms import ARMS

    short, long = list(plan.short_cells(range(1, 13))), list(plan.long_cells(1))
    assert {cell.arm for cell in (*short, *long)} <= set(ARMS)
    counts = {arm: sum(cell.arm == arm for cell in short) for arm in plan.ASYNCIO}
    assert counts.pop("lictor") == sum(cell.arm == "lictor sync" for cell in short) == 12
    assert set(counts.values()) == {4}
    seconds = sum(stage.seconds for cell in (*short, *long) for stage in cell.stages)
    assert seconds < 35 * 60
    assert {(cell.arm, cell.tuned) for cell in long} >= {
        (peer, tuned) for peer in plan.PEERS for tuned in (False, True)
    }
    windows = [(stage.window_s, cell.workload.deadline_s) for cell in (*short, *long) for stage in cell.stages]
    assert all(window_s >= 20 * deadline_s for window_s, deadline_s in windows)
    assert {cell.arm for cell in f5.cells(range(1, 2), quick=True)} == set(f5.ARMS)
    assert callable(f2.run)


def test_an_outage_is_shown_for_every_arm():
    results = Results()
    results.ran = {arm: [ran(sample(settle=3.0, attempts=1.02), arm=arm)] for arm in f5.ARMS}
    found = findings("real_f5", "real", Settings(seeds=1))
    f5.show(found, results)
    shows = {shown.id: shown for shown in found.shows}
    assert shows["F5 calls for each ask, outage and after, lictor"].met
    assert shows["F5 goodput is back after the outage, lictor"].value == 3.0
    results.ran["lictor"] = [ran(sample(settle=None, attempts=3.0))]
    found = findings("real_f5", "real", Settings(seeds=1))
    f5.show(found, results)
    shows = {shown.id: shown for shown in found.shows}
    assert not shows["F5 calls for each ask, outage and after, lictor"].met
    assert shows["F5 goodput is back after the outage, lictor"].value is None
