"""One effector under overload, in virtual time: what is let in is done in time, whatever is offered."""

import itertools

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings
from tests.capacity.offered import Load, Offer, run

from lictor.capacity import fairness, feasibility, lane, service, tenants
from lictor.capacity.feasibility import late
from lictor.capacity.lane import Lane


def offer(tenant="a", *, deadline_s=60.0, priority=2, depth=0):
    return Offer(tenant, int(deadline_s * 1e6), 1.0, priority, depth, priority)


def learned(*, slots=1, seconds=1.0, tenants="a", lane=None):
    """A lane that knows how long calls take, with all slots taken and work waiting."""
    lane = lane or Lane(slots)
    for n in range(40):
        for tenant in tenants:
            lane.take(0)
            lane.note(offer(tenant), seconds, n * seconds)
    for _ in range(slots):
        lane.take(0)
    return lane


@pytest.mark.parametrize("factor", [1.2, 2.0, 10.0, 20.0])
def test_goodput_holds_at_any_load(factor):
    result = run(Load(factor, until=170.0))
    assert result.goodput >= 0.97  # 2,400 calls of varying length: two standard errors below 1.01
    assert result.good_work / result.busy >= 0.97
    assert result.busy >= 0.995 * result.capacity
    assert result.stale == result.inversions == result.infeasible == 0
    assert result.late <= 0.001
    assert result.queue_max <= result.load.slots * result.load.deadline * 2  # nothing is known at the beginning


def test_near_capacity_little_is_shed():
    result = run(Load(0.95, until=420.0))
    assert result.what["shed"] <= 0.005 * result.what["good"]


@pytest.mark.parametrize("means", [{"short": 0.2, "long": 1.8}, {"short": 0.01, "long": 1.99}])
@pytest.mark.parametrize("factor", [2.0, 10.0])
def test_goodput_holds_in_count_and_in_work_when_calls_differ_a_hundredfold(means, factor):
    load = Load(factor, until=170.0, deadline=9.0, tenants=dict.fromkeys(means, 1.0), means=means)
    result = run(load)
    assert result.good_work >= 0.95 * result.capacity
    assert result.what["cut"] <= 0.02 * result.what["good"]
    if factor == 10.0 and means["short"] > 0.1:  # both have more than their share to do
        assert abs(result.served["short"] - result.served["long"]) <= 0.02 * result.busy


def test_the_highest_classes_are_kept():
    result = run(Load(10.0, until=170.0, classes=dict.fromkeys(range(4), 1.0)))
    assert result.by_class[0] >= 0.97 * result.capacity
    assert result.inversions == 0


def test_who_offers_a_hundred_times_as_much_gets_no_more():
    tenants = {"noisy": 100.0} | {f"t{n}": 1.0 for n in range(9)}
    load = Load(120.0, until=100.0, tenants=tenants)
    served = run(load).served
    assert max(served.values()) - min(served.values()) <= (load.slots + 1) * load.deadline


def test_tenants_share_by_weight():
    weights = {"a": 1.0, "b": 2.0, "c": 5.0}
    load = Load(10.0, until=170.0, tenants=dict.fromkeys(weights, 1.0), weights=weights)
    result = run(load)
    per_weight = [result.served[tenant] / weight for tenant, weight in weights.items()]
    assert sum(per_weight) ** 2 / (3 * sum(x * x for x in per_weight)) >= 0.999


# -- each safeguard, taken away ---------------------------------------------------------------------------------------


def wasted(load, **options):
    result = run(load, **options)
    return 1 - result.good_work / result.capacity


def test_without_admission_the_queue_grows_and_is_served_when_it_is_nearly_too_late():
    result = run(Load(10.0, until=100.0), judge=lambda *_: None)
    assert result.queue_max > 5 * result.load.slots * result.load.deadline
    assert result.what["cut"] > 0.2 * result.starts


def test_without_the_check_at_dispatch_what_cannot_be_in_time_is_started(monkeypatch):
    monkeypatch.setattr(service, "_MEDIAN", 0.0)
    assert run(Load(10.0, until=100.0), judge=lambda *_: None).what["cut"] > 0.5 * run(Load(10.0, until=100.0)).starts


def test_without_pressure_a_tenth_of_the_work_is_cut(monkeypatch):
    load = Load(10.0, until=170.0)
    held = run(load)
    monkeypatch.setattr(service, "JUDGED", 0.0)
    loose = run(load)
    assert held.what["cut"] < 0.04 * held.starts
    assert loose.what["cut"] > 0.1 * loose.starts


def test_without_a_memory_of_each_tenants_cost_long_work_is_wasted(monkeypatch):
    means = {"short": 0.01, "long": 1.99}
    load = Load(10.0, until=100.0, deadline=9.0, tenants=dict.fromkeys(means, 1.0), means=means)
    assert wasted(load) < 0.05
    monkeypatch.setattr(fairness.FairQueue, "learn", lambda queue, *_: queue.cost)
    assert wasted(load) > 0.2


def test_without_correction_of_what_was_charged_the_dear_tenant_gets_most(monkeypatch):
    means = {"short": 0.2, "long": 1.8}
    load = Load(10.0, until=100.0, deadline=9.0, tenants=dict.fromkeys(means, 1.0), means=means)
    learn = fairness.FairQueue.learn
    monkeypatch.setattr(fairness.FairQueue, "settle", lambda q, p, t, c: (learn(q, p, t, c), None)[1])
    monkeypatch.setattr(fairness.FairQueue, "reckoned", lambda q, p, t: q.cost)
    monkeypatch.setattr(tenants.Tenant, "cost", property(lambda t: 1.0, lambda t, v: None), raising=False)
    served = run(load).served
    assert served["long"] > 2 * served["short"]


def test_without_room_to_wait_slots_stand_idle(monkeypatch):
    load = Load(3.0, until=170.0, slots=1, deadline=2.0)
    busy = run(load).busy
    monkeypatch.setattr(lane, "WAITING_MIN", 0.0)
    monkeypatch.setattr(service.ServiceTime, "reckoned", lambda found, longest: max(found.typical, longest))
    assert run(load).busy < 0.95 * busy


# -- what admission says ----------------------------------------------------------------------------------------------


def test_what_would_wait_too_long_is_told_when_it_would_not():
    lane = learned()
    for _ in range(10):
        lane.push(offer())
    found = late(offer(deadline_s=5.0), [lane], 0)
    assert found.code == "INFEASIBLE"
    assert found.retry_after_s == pytest.approx(11 + 1 - 5, rel=0.1)  # eleven calls of a second before it, and its own
    assert late(offer(deadline_s=15.0), [lane], 0) is None
    for second in range(int(found.retry_after_s + 1)):  # nobody else comes
        lane.note(offer(), 1.0, 40.0 + second)
        lane.take(lane.pop(0).depth)
    assert late(offer(deadline_s=5.0), [lane], 0) is None


@given(st.floats(0.0, 1.0), st.floats(0.0, 1.0))
def test_those_shed_together_do_not_come_back_together(one, other):
    lane = learned()
    for _ in range(10):
        lane.push(offer())
    first, second = (late(offer(deadline_s=5.0), [lane], 0, draw=draw).retry_after_s for draw in (one, other))
    assert abs(first - second) == pytest.approx(abs(one - other) * 7.0, rel=0.1, abs=1e-6)
    assert min(first, second) >= late(offer(deadline_s=5.0), [lane], 0).retry_after_s


def test_time_until_tokens_flow_counts():
    lane = Lane(4)
    assert late(offer(deadline_s=5.0), [lane], 0) is None
    assert late(offer(deadline_s=5.0), [lane], 0, tokens_s=6.0) is not None


def test_a_tenants_backlog_is_capped_at_its_share_of_the_time():
    lane = learned(tenants="ab")
    lane.push(offer("b"))
    admitted = 0
    while late(offer("a", deadline_s=40.0), [lane], 0) is None:
        lane.push(offer("a"))
        admitted += 1
    assert 15 <= admitted <= 21  # half of what a slot does in forty seconds
    assert late(offer("b", deadline_s=40.0), [lane], 0) is None
    alone = learned()
    for _ in range(30):
        alone.push(offer("a"))
    assert late(offer("a", deadline_s=40.0), [alone], 0) is None


def test_what_is_expected_counts_until_the_next_turn():
    lane = learned()
    for _ in range(10):
        lane.expect(offer())
    assert late(offer(deadline_s=5.0), [lane], 0) is not None
    assert lane.before(offer())
    assert not lane.before(offer(priority=1))
    lane.begin_turn()
    assert late(offer(deadline_s=5.0), [lane], 0) is None


def test_what_waits_elsewhere_counts():
    lane = learned()
    lane.park(2, "a", 10)
    assert late(offer(deadline_s=5.0), [lane], 0) is not None
    assert lane.before(offer())
    lane.park(2, "a", -10)
    assert late(offer(deadline_s=5.0), [lane], 0) is None


def test_a_free_slot_is_never_refused_for_what_calls_took_before():
    slow = learned(seconds=30.0)
    slow.give_back()
    assert late(offer(deadline_s=5.0), [slow], 0) is None  # it is how a lane learns that calls are quick again
    slow.push(offer(deadline_s=5.0))
    assert slow.pop(0) is not None
    slow.push(offer(deadline_s=5.0))
    slow.push(offer(deadline_s=100.0))
    slow.push(offer(deadline_s=100.0))
    assert slow.pop(0).deadline_us == 100_000_000
    assert [work.deadline_us for work in slow.take_displaced()] == [5_000_000]
    assert slow.take_displaced() == []


def test_a_displaced_child_does_not_deadlock_and_a_slot_is_kept_for_each_depth():
    lane = Lane(3, nests=2)
    for depth in (0, 1, 2):
        for _ in range(5):
            lane.push(offer(depth=depth))
    started = []
    while (work := lane.pop(0)) is not None:
        lane.take(work.depth)
        started.append(work.depth)
    assert started == [2, 2, 2]
    parents = Lane(3, nests=2)
    for _ in range(5):
        parents.push(offer())
    while (work := parents.pop(0)) is not None:
        parents.take(work.depth)
    assert parents.free == 2
    parents.push(offer(depth=1))
    assert parents.pop(0).depth == 1


@settings(max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from("abc"), st.integers(0, 2), st.booleans()), max_size=60))
def test_nothing_waits_while_a_slot_is_free_and_no_slot_is_lost(steps):
    lane, running = Lane(4, nests=2), []
    for n, (priority, tenant, depth, ends) in enumerate(steps):
        lane.push(offer(tenant, priority=priority, depth=depth))
        if ends and running:
            lane.note(running.pop(), 0.5, float(n))
        while (work := lane.pop(0)) is not None:
            lane.take(work.depth)
            running.append(work)
        assert lane.free + len(running) == 4
        waits = [d for d in range(3) if (lane._nested[d] if d else lane.ready).size]
        assert not any(lane.open(depth) for depth in waits)


def test_pressure_rests_where_so_few_are_late_as_was_asked_for():
    found = service.ServiceTime()
    found.turned = 1.0
    lates = 0
    for n in range(200_000):
        late_now = (n * 7919) % 10_007 < 10_007 * 0.02 * (1 - found.pressure / service.PRESSURE_MAX)
        found.ended(late=late_now)
        lates += late_now if n >= 100_000 else 0
    assert service.LATE_MAX / 2 <= lates / 100_000 <= service.LATE_MAX * 2


@given(st.lists(st.floats(1e-5, 6e4), min_size=1, max_size=300))
def test_quantiles_are_ordered_and_bounded_by_what_was_seen(ratios):
    found = service.ServiceTime()
    for ratio in ratios:
        found.note(ratio, 1.0)
    assert found.typical <= found.careful
    assert found.typical >= min(ratios) / 1.1
    for pressure, longest in itertools.product((0.0, 0.5, 1.0, 1.5, 2.0), (0.1, 10.0)):
        found.pressure = pressure
        assert found.typical <= found.reckoned(longest) * (1 + 1e-9)
        assert found.reckoned(longest) <= max(found.typical, longest) * (1 + 1e-9)


def test_what_is_shed_is_told_in_codes():
    assert feasibility.late(offer(deadline_s=-1.0), [Lane(1)], 0).code == "INFEASIBLE"
