"""What a closed trade teaches, through a node: a source that is wrong gets smaller, and in the end is refused."""

import asyncio
from dataclasses import replace

import pytest
from tests.desks.trading.test_gates import CLOCK, bench, trade

from lictor import App, Learned, Outcome
from lictor.desks.trading.lessons import mark_of


def taught(means, name, value, move_bps, memory, *, paid_bps=0.1, filled=1_000):
    """One call of a lesson with a trade that moved like that."""
    spec = next(lesson for lesson in means.app.lessons if lesson.name == name)
    shortfall = {"filled": filled, "parts_bps": {"spread": paid_bps * filled / value.qty}}
    mark = {"move_bps": move_bps, "shortfall": shortfall, "impact_x_bps": 0.5}
    outcome = Outcome(decision=1, result="succeeded", at_us=0, value=[{"filled": filled, "fills": []}, mark])
    return spec.learn(Learned(None, value, outcome, memory, {}))


@pytest.fixture
def means():
    async def main():
        async with bench() as found:
            return found.means, trade(found)

    return asyncio.run(main())


def test_an_edge_that_does_not_come_shrinks_the_size_and_one_that_comes_leaves_it(means):
    found, wanted = means
    memory, changes = taught(found, "edge", wanted, -1.0, {})
    assert changes[0].adjustable is found.size
    assert changes[0].value == pytest.approx((15 - 1) / (15 + 1))
    assert memory["came_true"] is False
    _, changes = taught(found, "edge", wanted, 1.5, {})
    assert changes[0].value == 1.0


def test_a_source_whose_edge_is_surely_below_zero_is_demoted_for_good(means):
    found, wanted = means
    memory, changes = {}, []
    for number in range(found.policy.lessons_min):
        memory, changes = taught(found, "edge", wanted, -1.0 - 0.01 * (number % 3), memory)
        memory.pop("came_true")
        enough = number + 1 >= found.policy.lessons_min
        assert [change.adjustable.name for change in changes] == ["size", *(["demoted"] * enough)]
    assert changes[-1].latch


def test_impact_is_learned_from_what_was_paid_beyond_half_the_spread(means):
    found, wanted = means
    memory, changes = {}, []
    for _ in range(60):
        memory, changes = taught(found, "impact", wanted, 0.0, memory, paid_bps=wanted.spread_bps / 2 + 0.25)
    assert changes[0].value == pytest.approx((0.5 * 2 + 1.0) / (2 + 1), rel=0.01)  # half of Y = 1, shrunk to it


def test_a_trade_without_a_mark_teaches_nothing(means):
    found, wanted = means
    spec = next(lesson for lesson in found.app.lessons if lesson.name == "edge")
    lost = Outcome(decision=1, result="expired", at_us=0, value=None)
    memory, changes = spec.learn(Learned(None, wanted, lost, {"count": 3}, {}))
    assert (memory, list(changes)) == ({"count": 3, "came_true": None}, [])
    assert mark_of(Learned(None, wanted, lost, {}, {})) is None


def test_the_next_verdict_reads_the_size_that_was_learned():
    async def main():
        async with bench() as found:
            assert isinstance(found.means.app, App)
            await found.node.reset_adjustment("size", "model", value=0.5, by="a person")
            handle = await found.ask(replace(trade(found), signal_us=CLOCK.wall_us()))
            return handle.verdict

    verdict = asyncio.run(main())
    ruling = next(r for r in verdict.rulings if r.gate == "sized" and r.result == "amend")
    assert (ruling.seen["learned"], ruling.seen["without_learning"]) == (0.5, 1_000_000)
    assert next(r for r in ruling.reads if r.name == "size").value == 0.5
