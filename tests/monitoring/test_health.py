"""Alive is not ready: each reason takes away what it should, and nothing more."""

import asyncio

import pytest
from tests.monitoring.desk import Order, desk, done, node_on, simulate

from lictor import JournalError
from lictor.monitoring.health import STUCK_S


def told(health):
    return health.alive, health.ready, {reason.code for reason in health.reasons}


def test_a_node_that_works_is_alive_and_ready():
    async def main(clock):
        node = node_on(desk(), clock)
        before = told(node.health())
        async with node:
            during = told(node.health())
        return before, during, told(node.health())

    before, during, after = simulate(main)
    assert before == (True, False, {"NOT_STARTED", "REFERENCE_STALE"})
    assert during == (True, True, set())
    assert after[:2] == (True, False)


def test_draining_is_alive_and_not_ready():
    async def main(clock):
        async with node_on(desk(), clock) as node:
            await node.drain()
            return told(node.health())

    assert simulate(main) == (True, False, {"DRAINING"})


def test_a_failed_journal_is_not_alive():
    async def main(clock):
        async with node_on(desk(), clock) as node:
            node._fail(JournalError("the disk failed"))
            return node.health()

    health = simulate(main)
    assert told(health) == (False, False, {"JOURNAL_FAILED"})
    assert "the disk failed" in health.data()["reasons"][0]["text"]


def test_a_defect_is_not_alive_either():
    async def main(clock):
        async with node_on(desk(), clock) as node:
            node._fail(RuntimeError("a defect"))
            return told(node.health())

    assert simulate(main) == (False, False, {"FAILED"})


@pytest.mark.parametrize(
    ("scope", "reduce_only", "ready", "code"),
    [
        ("all", False, False, "HALTED"),
        ("all", True, True, "REDUCE_ONLY"),
        ("kind:Order", False, True, "HALTED"),
        ("effector:place", False, True, "HALTED"),
    ],
)
def test_only_a_halt_of_everything_takes_readiness(scope, reduce_only, ready, code):
    async def main(clock):
        async with node_on(desk(), clock) as node:
            await node.halt(scope, by="ann", reduce_only=reduce_only)
            halted = told(node.health())
            await node.resume(scope, by="ann")
            return halted, told(node.health())

    assert simulate(main) == ((True, ready, {code}), (True, True, set()))


def test_a_stale_reference_is_not_ready_until_it_loads_again():
    broken = []

    def load():
        if broken:
            raise OSError("down")
        return {"limit": 100}

    async def main(clock):
        async with node_on(desk(load, max_age_s=10), clock) as node:
            await clock.sleep(20)
            fresh = told(node.health())
            broken.append(True)
            await clock.sleep(20)
            stale = node.health()
            refused = await node.submit(Order(1), source="desk")
            broken.clear()
            await clock.sleep(20)
            return fresh, stale, refused, told(node.health())

    fresh, stale, refused, again = simulate(main)
    assert fresh == again == (True, True, set())
    assert told(stale) == (True, False, {"REFERENCE_STALE"})
    assert "limits is 2" in stale.reasons[0].text
    assert refused.verdict.code == "REFERENCE_STALE", "health says what gates would do"


def test_a_turn_that_hangs_in_its_commit_is_not_alive():
    """A journal whose write never returns: the loop still answers, and says what is wrong."""

    async def main(clock):
        node = node_on(desk(), clock)
        async with node:
            write, hang = node.journal.write, asyncio.Event()

            async def hangs(verbs, at_us):
                await hang.wait()
                return await write(verbs, at_us)

            node.journal.write = hangs
            waiting = asyncio.create_task(node.submit(Order(1), source="desk"))
            await clock.sleep(STUCK_S / 2)
            slow = told(node.health())
            await clock.sleep(STUCK_S)
            stuck = told(node.health())
            node.journal.write = write
            hang.set()
            await (await waiting).outcome()
            return slow, stuck, told(node.health())

    slow, stuck, after = simulate(main)
    assert slow == after == (True, True, set())
    assert stuck == (False, False, {"TURN_STUCK"})


def test_what_a_person_should_look_at_takes_nothing():
    async def main(clock):
        async with node_on(desk(), clock) as node:
            await done(node, 10, "dear")
            node.pipeline.feedback.adjusting.demote("other", clock.wall_us(), "quality")
            return node.health()

    health = simulate(main)
    assert told(health) == (True, True, {"BUDGET_LATCHED", "SOURCE_DEMOTED"})
    assert {reason.text for reason in health.reasons} == {"cash/acme", "other"}
