"""Fair queueing: everyone gets what they are entitled to, nobody starves, and idling earns nothing."""

import itertools
import sys
from collections import Counter

import hypothesis.strategies as st
from hypothesis import given

from lictor.capacity.fairness import AGEING, TOP, FairQueue

WEIGHTS = st.dictionaries(st.sampled_from("abcde"), st.sampled_from([0.5, 1.0, 2.0, 4.0]), min_size=2)


@given(WEIGHTS, st.integers(20, 200))
def test_busy_tenants_share_by_weight(weights, count):
    queue = FairQueue(weights)
    for tenant in weights:
        for n in range(count):
            queue.push((tenant, n), 2, tenant, n)
    served = Counter(queue.pop()[0] for _ in range(count))  # nobody has run out yet
    total = sum(weights.values())
    for tenant, weight in weights.items():
        assert abs(served[tenant] - count * weight / total) <= 1 + weight / min(weights.values())


@given(st.integers(1, 500))
def test_a_newcomer_does_not_wait_for_the_backlog_of_another(backlog):
    queue = FairQueue()
    for n in range(backlog):
        queue.push(("big", n), 2, "big", n)
    for _ in range(backlog // 2):
        queue.pop()
    queue.push(("small", 0), 2, "small", 10**9)
    assert "small" in [queue.pop()[0] for _ in range(2) if queue.size]


@given(st.integers(1, 100))
def test_idling_earns_nothing(idle):
    queue = FairQueue()
    queue.push("a", 2, "a", 0)
    queue.pop()
    for n in range(idle):
        queue.push("b", 2, "b", n)
        queue.pop()
    for n in range(10):
        queue.push("a", 2, "a", n)
        queue.push("b", 2, "b", n)
    assert [queue.pop() for _ in range(6)].count("a") <= 4


ITEMS = st.lists(st.tuples(st.integers(0, 3), st.sampled_from("abc"), st.integers(0, 50)), max_size=60)


@given(ITEMS)
def test_everything_comes_out_once_the_top_class_first_and_the_earliest_deadline_within_a_tenant(items):
    queue = FairQueue()
    for ticket, (priority, tenant, deadline) in enumerate(items):
        queue.push((priority, tenant, deadline, ticket), priority, tenant, deadline)
    out = []
    while queue.size:
        first = queue.peek()
        out.append(queue.pop())
        assert out[-1] == first
    assert queue.pop() is None
    assert queue.peek() is None
    assert sorted(out) == sorted((*item, ticket) for ticket, item in enumerate(items))
    top = [item for item in out if item[0] == TOP]
    assert out[: len(top)] == top
    for tenant in "abc":
        for priority in range(4):
            mine = [item[2:] for item in out if item[:2] == (priority, tenant)]
            assert mine == sorted(mine)


@given(st.lists(st.integers(1, 3), min_size=1, max_size=200))
def test_a_lower_class_passes_a_higher_one_only_once_in_so_many(classes):
    queue = FairQueue()
    for n, priority in enumerate(classes):
        queue.push(priority, priority, "a", n)
    out = [queue.pop() for _ in classes]
    assert sorted(out) == sorted(classes)
    passed_by = [n for n, priority in enumerate(out) if any(later < priority for later in out[n + 1 :])]
    assert all(after - before > AGEING for before, after in itertools.pairwise(passed_by))


def test_low_work_does_not_starve_below_the_top_class():
    queue = FairQueue()
    queue.push("low", 3, "a", 0)
    for n in range(100):
        queue.push(n, 2, "a", n)
    assert "low" in [queue.pop() for _ in range(AGEING + 1)]
    queue.push("low", 3, "a", 0)
    for n in range(200):
        queue.push("top", TOP, "a", n)
    assert {queue.pop() for _ in range(200)} == {"top"}


@given(WEIGHTS, st.dictionaries(st.sampled_from("abcde"), st.sampled_from([0.5, 1.0, 3.0])))
def test_what_a_tenant_gets_is_measured_in_what_its_work_truly_costs(weights, costs):
    queue, spent = FairQueue(weights), Counter()
    for tenant in weights:
        for n in range(600):
            queue.push(tenant, 2, tenant, n)
    for _ in range(300):
        tenant = queue.pop()
        cost = costs.get(tenant, 1.0)
        queue.settle(2, tenant, cost)
        spent[tenant] += cost
    total, weight = sum(spent.values()), sum(weights.values())
    for tenant in weights:
        slack = 3 * (1 + weights[tenant] / min(weights.values()))  # one call of the most costly kind each
        assert abs(spent[tenant] - total * weights[tenant] / weight) <= slack


@given(ITEMS, st.integers(0, 3))
def test_what_waits_in_the_same_and_higher_classes_is_counted(items, priority):
    queue = FairQueue()
    for n, (of, tenant, deadline) in enumerate(items):
        queue.push(n, of, tenant, deadline)
    queue.expect(1, "a")
    queue.park(2, "b", 3)
    assert queue.waiting(priority) == sum(of <= priority for of, _, _ in items) + (priority >= 1) + 3 * (priority >= 2)
    assert queue.size == len(items)
    queue.park(2, "b", -3)
    queue.begin_turn()
    assert queue.waiting(3) == len(items)


COSTS = st.dictionaries(st.sampled_from("abc"), st.sampled_from([0.01, 1.0, 10.0]))


@given(ITEMS, st.integers(1, 3), st.sampled_from("abcd"), COSTS)
def test_what_is_predicted_to_be_ahead_is_what_is_served_first(items, priority, tenant, costs):
    queue = FairQueue()
    for of in range(4):
        for who, cost in costs.items():
            queue.learn(of, who, cost)
    for n, (of, who, deadline) in enumerate(items):
        queue.push((of, who, n), of, who, deadline)
    predicted = queue.ahead(priority, tenant)
    queue.push("new", priority, tenant, 100)
    before = 0.0
    aged = False
    while queue.pop() != "new":
        aged |= queue.aged
        before += queue.taken
    if aged:
        return  # lower work had its turn by age
    most = max([1.0, *costs.values()])
    tenants = {who for of, who, _ in items if of == priority} | {tenant}
    assert before - most * len(tenants) - 1e-6 <= predicted  # one piece of work for each tenant of the class
    assert predicted <= sum(costs.get(who, 1.0) for of, who, _ in items if of <= priority) + 1e-6


def test_a_tenant_with_little_is_not_told_to_wait_for_the_backlog_of_another():
    queue = FairQueue({"small": 3.0})
    for n in range(100):
        queue.push(n, 2, "big", n)
    assert queue.ahead(2, "small") == 1
    assert queue.ahead(2, "big") == 100
    queue.push("s", 2, "small", 0)
    assert queue.ahead(2, "small") == 2
    assert queue.ahead(2, "big") == 101
    assert queue.share(2, "big") == (100, 0.25)
    assert queue.share(2, "small") == (1, 0.75)
    assert queue.ahead(1, "small") == 0
    assert queue.ahead(3, "small") == 101


@given(st.integers(2, 6), st.lists(st.tuples(st.integers(0, 5), st.floats(0.001, 1.0)), min_size=50, max_size=300))
def test_a_backlogged_tenant_lags_by_no_more_than_one_call_a_slot_and_one(tenants, done):
    """Whatever calls cost, and in whatever order they return: all cost as much as any, unknown until they end."""
    slots, queue, spent = 3, FairQueue(), Counter()
    queue.cost = 0.001
    for tenant in range(tenants):
        for n in range(len(done) + slots):
            queue.push(tenant, 2, str(tenant), n)
    running = [queue.pop() for _ in range(slots)]
    for which, cost in done:
        tenant = running.pop(which % slots)
        queue.settle(2, str(tenant), cost)
        spent[tenant] += cost
        running.append(queue.pop())
        least, most = (pick(spent[t] for t in range(tenants)) for pick in (min, max))
        assert most - least <= (slots + 1) * 1.0 + 1e-6


@given(st.lists(st.floats(0.001, 1.0), min_size=20, max_size=100))
def test_a_share_is_of_true_costs_however_unequal(costs):
    queue, spent = FairQueue(), Counter()
    for n in range(10_000):
        queue.push("dear", 2, "dear", n)
        queue.push("cheap", 2, "cheap", n)
    for most in costs * 20:
        tenant = queue.pop()
        cost = most * (1.0 if tenant == "dear" else 0.001)
        queue.settle(2, tenant, cost)
        spent[tenant] += cost
    assert abs(spent["dear"] - spent["cheap"]) <= 2.0


def test_what_did_not_run_is_not_charged():
    queue = FairQueue()
    for n in range(10):
        queue.push("a", 2, "a", n)
        queue.push("b", 2, "b", n)
    for _ in range(6):
        if queue.pop() == "a":
            queue.give_back(2, "a")
        else:
            queue.settle(2, "b", 1.0)
    assert queue._classes[2].tenants["a"].time == 0.0
    assert queue._classes[2].tenants["a"].cost == 1.0


def test_who_is_turned_away_keeps_its_place_and_who_idles_does_not():
    queue = FairQueue()
    queue.credit = 5.0
    for tenant in ("shed", "idle"):
        queue.push(tenant, 2, tenant, 0)
        queue.pop()
        queue.settle(2, tenant, 1.0)
    queue.turned_away(2, "shed")
    for n in range(3):
        queue.push("busy", 2, "busy", n)
        queue.pop()
        queue.settle(2, "busy", 1.0)
    queue.push("busy", 2, "busy", 0)
    queue.push("idle", 2, "idle", 0)
    queue.push("shed", 2, "shed", 0)
    assert queue.pop() == "shed"
    times = {name: tenant.time for name, tenant in queue._classes[2].tenants.items()}
    assert times["idle"] == queue._classes[2].time + 0.0 or times["idle"] > times["shed"] - 1.0
    for _ in range(100):  # and what it may claim is bounded
        queue.push("busy", 2, "busy", 1)
        queue.pop()
        queue.settle(2, "busy", 1.0)
    queue.turned_away(2, "shed")
    for _ in range(100):
        queue.push("busy", 2, "busy", 1)
        queue.pop()
        queue.settle(2, "busy", 1.0)
    queue.push("shed", 2, "shed", 0)
    assert queue._classes[2].tenants["shed"].time >= queue._classes[2].time - queue.credit


@given(st.integers(1, 40))
def test_no_tenant_starves_within_its_class(tenants):
    queue = FairQueue()
    for tenant in range(tenants):
        for n in range(5):
            queue.push(tenant, 2, str(tenant), n)
    assert len({queue.pop() for _ in range(tenants)}) == tenants


def test_idle_tenants_are_forgotten():
    queue = FairQueue()
    for n in range(5_000):
        queue.push(n, 2, str(n), 0)
        queue.pop()
    assert len(queue._classes[2].tenants) <= 1_025


def test_dispatch_costs_no_more_with_ten_thousand_tenants_than_with_ten():
    def steps(tenants):
        queue = FairQueue()
        for n in range(3):
            for tenant in range(tenants):
                queue.push(tenant, 2, str(tenant), n)
        count = 0

        def tracer(frame, event, argument):
            nonlocal count
            count += event == "opcode"
            frame.f_trace_opcodes, frame.f_trace_lines = True, False
            return tracer

        before = sys.gettrace()
        sys.settrace(tracer)
        try:
            for n in range(100):
                tenant = queue.pop()
                queue.settle(2, str(tenant), 0.5)
                queue.push(tenant, 2, str(tenant), n)
                queue.ahead(2, str(tenant))
        finally:
            sys.settrace(before)
        return count / 100

    few, many = steps(10), steps(10_000)
    assert few > 100
    assert many <= 1.2 * few
