"""Fair queueing: everyone gets what they are entitled to, nobody starves, and idling earns nothing."""

import itertools
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
        queue.charge(2, tenant, cost - 1.0)
        spent[tenant] += cost
    total, weight = sum(spent.values()), sum(weights.values())
    for tenant in weights:
        slack = 3 * (1 + weights[tenant] / min(weights.values()))  # one call of the most costly kind each
        assert abs(spent[tenant] - total * weights[tenant] / weight) <= slack


@given(ITEMS, st.integers(0, 3))
def test_ahead_counts_the_same_and_higher_classes(items, priority):
    queue = FairQueue()
    for n, (of, tenant, deadline) in enumerate(items):
        queue.push(n, of, tenant, deadline)
    assert queue.ahead(priority) == sum(of <= priority for of, _, _ in items)
    assert queue.size == len(items)


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
