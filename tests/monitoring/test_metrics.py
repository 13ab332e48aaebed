"""The exposition parses, and every number in it is what the journal says."""

import asyncio
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families
from tests.monitoring.desk import CANARY, Order, desk, done, node_on, simulate

from lictor import Report
from lictor.journal.memory import MemoryDisk, MemoryJournal
from lictor.journal.port import Admit, Close, Start
from lictor.monitoring import counts, metrics
from lictor.monitoring.counts import Counts
from lictor.monitoring.histogram import SECONDS, Histogram


def scraped(node):
    """(name, labels) -> value of every sample."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(node.metrics())
        for sample in family.samples
    }


def value(samples, name, **labels):
    return samples.get((name, tuple(sorted(labels.items()))))


def family(samples, name):
    return {key[1]: value for key, value in samples.items() if key[0] == name}


orders = st.lists(
    st.tuples(
        st.sampled_from([1, 20, 60, 500]),
        st.sampled_from(["good", "bad", "busy", "lost", "slow"]),
        st.sampled_from(["desk", "other"]),
        st.none() | st.sampled_from(["k1", "k2"]),
    ),
    max_size=15,
)


@settings(max_examples=40)
@given(orders, st.integers(0, 2**20))
def test_counters_are_what_history_says(orders, seed):
    disk = MemoryDisk()

    async def main(clock):
        async with node_on(desk(), clock, disk) as node:
            handles = [
                await node.submit(Order(units, world), source=source, key=key) for units, world, source, key in orders
            ]
            await clock.sleep(10)
            duplicates = sum(handle.duplicate for handle in handles)
            return scraped(node), duplicates

    samples, duplicates = simulate(main, seed)
    rows = asyncio.run(history(disk))
    ruled = Counter(
        (r.verb.decision.kind, r.verb.decision.source, str(r.verb.verdict.result), r.verb.verdict.code or "")
        for r in rows
        if isinstance(r.verb, Admit)
    )
    labels = ("kind", "source", "verdict", "code")
    shown = {
        tuple(dict(key)[label] for label in labels): count
        for key, count in family(samples, "lictor_verdicts_total").items()
        if dict(key)["verdict"] != "duplicate"
    }
    assert shown == dict(ruled)
    assert sum(family(samples, "lictor_verdicts_total").values()) == sum(ruled.values()) + duplicates
    closed = Counter(r.verb.outcome.result for r in rows if isinstance(r.verb, Close))
    ended = Counter()
    for key, count in family(samples, "lictor_outcomes_total").items():
        ended[dict(key)["result"]] += int(count)
    assert ended == closed
    started = sum(len(i.ordinals) for r in rows if isinstance(r.verb, Start) for i in r.verb.items)
    started += sum(r.verb.lease is not None for r in rows if isinstance(r.verb, Admit))
    assert sum(family(samples, "lictor_attempts_total").values()) == started
    assert value(samples, "lictor_outcome_seconds_count", kind="Order") == (sum(closed.values()) or None)
    answered = sum(ruled.values()) + duplicates
    assert value(samples, "lictor_verdict_seconds_count") == answered


async def history(disk):
    return [row async for row in MemoryJournal(disk).scan()]


def test_gauges_show_the_moment():
    async def main(clock):
        async with node_on(desk(), clock, learn_every_s=0.1) as node:
            await done(node, 20, "busy")
            await done(node, 20, "bad")
            for _ in range(3):
                await node.submit(Order(5, "slow"), source="desk", tenant="acme")
            await node.submit(Order(60), source="desk", tenant="acme")
            await node.halt("tenant:x", by="ann")
            await clock.sleep(1)
            return scraped(node), node.journal.state.balances["cash", "acme"].settled(None)

    samples, settled = simulate(main)
    assert value(samples, "lictor_backlog") == 3
    assert value(samples, "lictor_in_flight") == 0
    assert value(samples, "lictor_waiting") == 0
    assert value(samples, "lictor_journal_lag_seconds") == 0
    assert value(samples, "lictor_open_decisions", state="running") == 3
    assert value(samples, "lictor_open_decisions", state="held") == 1
    assert value(samples, "lictor_open_actions", state="pending") == 3
    assert (
        value(samples, "lictor_slots", effector="place") == value(samples, "lictor_slots_free", effector="place") == 2
    )
    assert value(samples, "lictor_attempts_total", effector="place", which="extra") == 1
    assert value(samples, "lictor_extra_work_tokens", effector="place") == 3 - 1  # deposits repay the loan first
    assert value(samples, "lictor_action_events_total", effector="place", event="back_off") == 1
    assert value(samples, "lictor_halted", scope="tenant:x", mode="halted") == 1
    assert value(samples, "lictor_balance", budget="cash", scope="acme", what="reserved") == 15
    assert value(samples, "lictor_balance", budget="cash", scope="acme", what="settled") == settled == 20
    assert value(samples, "lictor_balance", budget="cash", scope="acme", what="limit") == 10_000
    assert 0 < value(samples, "lictor_score", source="desk", score="success") < 1
    assert value(samples, "lictor_score", source="desk", score="quality") == 1


def test_a_turn_that_waits_for_its_commit_shows_as_lag():
    async def main(clock):
        async with node_on(desk(), clock) as node:
            write = node.journal.write

            async def slow(verbs, at_us):
                await clock.sleep(5)
                return await write(verbs, at_us)

            node.journal.write = slow
            waiting = asyncio.create_task(node.submit(Order(1), source="desk"))
            await clock.sleep(3)
            lag = value(scraped(node), "lictor_journal_lag_seconds")
            await waiting
            return lag, value(scraped(node), "lictor_commit_seconds_sum")

    lag, commits = simulate(main)
    assert lag == pytest.approx(3)
    assert commits >= 5


def test_two_nodes_have_registries_of_their_own():
    async def main(clock):
        async with node_on(desk(), clock) as one, node_on(desk(), clock) as other:
            await done(one, 1)
            return scraped(one), scraped(other)

    one, other = simulate(main)
    assert sum(family(one, "lictor_verdicts_total").values()) == 1
    assert family(other, "lictor_verdicts_total") == {}


def test_verdict_latency_is_the_engines_and_not_a_persons():
    async def main(clock):
        async with node_on(desk(), clock) as node:
            handle = await node.submit(Order(60), source="desk", tenant="acme")
            await clock.sleep(20)
            await node.approve(handle.id, by="ann")
            await handle.outcome()
            return scraped(node)

    samples = simulate(main)
    assert value(samples, "lictor_verdict_seconds_count") == 1
    assert value(samples, "lictor_verdict_seconds_sum") < 1
    assert value(samples, "lictor_outcome_seconds_sum", kind="Order") >= 20


def test_series_are_bounded(monkeypatch):
    monkeypatch.setattr(counts, "SERIES_MAX", 5)
    monkeypatch.setattr(metrics, "SERIES_MAX", 5)

    async def main(clock):
        async with node_on(desk(), clock) as node:
            for place in range(20):
                await node.submit(Order(1), source=f"s{place}", tenant=f"t{place}")
            await clock.sleep(1)
            return scraped(node)

    samples = simulate(main)
    verdicts = family(samples, "lictor_verdicts_total")
    assert len(verdicts) == 6
    assert sum(verdicts.values()) == 20
    assert value(samples, "lictor_verdicts_total", kind="Order", source="*", verdict="admitted", code="") == 15
    assert len(family(samples, "lictor_score")) == 5
    assert len({dict(key)["scope"] for key in family(samples, "lictor_balance")}) == 5


def test_no_canary_is_in_the_metrics():
    async def main(clock):
        async with node_on(desk(), clock) as node:
            for world in ("good", "bad", "lost", "busy"):
                await done(node, 5, world)
            await done(node, 500)
            return node.metrics()

    assert CANARY not in simulate(main)


@given(st.lists(st.floats(0, 1_000), max_size=50))
def test_a_histogram_counts_at_most_each_bound(values):
    histogram = Histogram()
    for seconds in values:
        histogram.add(seconds)
    shown = dict(histogram.buckets())
    for bound in SECONDS:
        assert shown[f"{bound:g}"] == sum(seconds <= bound for seconds in values)
    assert shown["+Inf"] == len(values)
    assert histogram.sum == pytest.approx(sum(values))


def test_reports_and_their_events_are_counted():
    async def main(clock):
        async with node_on(desk(), clock) as node:
            handle = await node.submit(Order(5, "slow"), source="desk", tenant="acme")
            await clock.sleep(1)
            await node.resolve("W-1", Report(id="f-1", final=False, settled={"cash": 2}))
            await node.resolve("W-1", Report(id="f-2", final=True, result="succeeded", settled={"cash": 3}))
            await handle.outcome()
            return scraped(node)

    samples = simulate(main)
    for event in ("pend", "report", "succeed"):
        assert value(samples, "lictor_action_events_total", effector="place", event=event) == 1


def test_counts_of_nothing_are_empty():
    empty = Counts(lambda _id: None)
    empty.turned([], [], [], 0, 0.0)
    assert empty.turns == 1
    assert empty.verdicts == {}
