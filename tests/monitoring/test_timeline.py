"""A timeline tells what happened, all of it, in order, and no secret."""

import json
import re
from datetime import UTC, datetime

import pytest
from tests.monitoring.desk import CANARY, Order, desk, done, node_on, simulate

from lictor import Change, NotFoundError, Report
from lictor.journal.memory import MemoryDisk


def texts(timeline):
    """The sentences without their times, ids and digests."""
    return [re.sub(r"\b[0-9a-f]{16}\b", "VERSION", entry.text) for entry in timeline.entries]


async def told(node, handle):
    timeline = await node.timeline(handle.id)
    whole = str(timeline) + json.dumps(timeline.data())
    assert CANARY not in whole
    assert [e.at_us for e in timeline.entries] == sorted(e.at_us for e in timeline.entries)
    assert len(timeline.lines()) == 1 + len(timeline.entries)
    return timeline


def test_the_story_of_a_success():
    async def main(clock):
        async with node_on(desk(), clock, learn_every_s=0.1) as node:
            handle = await done(node, 20, key="inv-1", confidence=0.9, expects={"amount": 20})
            await clock.sleep(1)
            return await told(node, handle)

    timeline = simulate(main)
    assert texts(timeline) == [
        (
            'Order from desk for acme, key inv-1: {"units":20,"world":"good","api_token":"[redacted]"}, '
            'confidence 0.9, expects {"amount":20}, due in 30 s'
        ),
        "  within allowed, read limits@VERSION",
        "  seen allowed",
        "  affordable allowed, read cash.left = 10000",
        (
            "admitted: 3 gates, reserved 20 of cash/acme (left 9,980), plan: place(20, good, token=[redacted]), "
            "started at once"
        ),
        'succeeded 0.0 ms after its start: {"id":"o-1","session_id":"[redacted]"}',
        "learned: desk has succeeded in 1 of 1 Order, 0 late, Brier 0.010",
    ]
    assert timeline.lines()[0].startswith("2026-01-01 decision ")
    assert timeline.lines()[1].startswith("00:00:00.000 Order from desk")
    events = [entry["event"] for entry in timeline.data()["entries"]]
    assert events == ["received", "ruling", "ruling", "ruling", "admitted", "outcome", "lesson"]


def test_the_story_of_a_refusal():
    async def main(clock):
        async with node_on(desk(), clock) as node:
            return await told(node, await done(node, 500))

    timeline = simulate(main)
    assert texts(timeline)[1:] == [
        '  within denied TOO_BIG, saw {"most":100,"password":"[redacted]"}, read limits@VERSION',
        "refused TOO_BIG: 1 gate",
    ]


def test_the_story_of_a_retry_and_of_a_failure():
    async def main(clock):
        async with node_on(desk(), clock) as node:
            return [texts(await told(node, await done(node, 20, world))) for world in ("busy", "bad")]

    retried, failed = simulate(main)
    assert retried[5].startswith("place failed BUSY (busy, token=[redacted]), again at 00:00:00.")
    assert retried[6] == "attempt 2 of place started"
    assert re.fullmatch(
        r'succeeded \d+\.\d ms after its start, 2 attempts: \{"id":"o-1","session_id":"\[redacted\]"\}', retried[7]
    )
    assert failed[5] == "place failed NO (no, password=[redacted])"
    assert failed[6] == "failed NO 0.0 ms after its start, no, password=[redacted], released 20 of cash/acme"


def test_the_story_of_doubt_and_of_asking():
    async def main(clock):
        async with node_on(desk(), clock) as node:
            return await told(node, await done(node, 20, "lost"))

    story = texts(simulate(main))
    assert story[5].startswith(
        "place is in doubt: EFFECT_FAILED (ConnectionError: https://ann:[redacted]@broker closed), asked at"
    )
    assert story[6].startswith("succeeded")
    assert story[6].endswith("settled 20 of cash/acme")


def test_the_story_of_a_person_and_of_the_world():
    async def main(clock):
        async with node_on(desk(), clock) as node:
            handle = await node.submit(Order(60, "slow"), source="desk", tenant="acme")
            held = texts(await told(node, handle))
            await clock.sleep(2)
            await node.approve(handle.id, by="ann", reason=f"by phone, pin={CANARY} password={CANARY}")
            await clock.sleep(1)
            pending = texts(await told(node, handle))
            await node.resolve("W-1", Report(id="f-1", final=False, settled={"cash": 25}))
            await node.resolve("W-1", Report(id="f-2", final=True, result="succeeded", settled={"cash": 35}))
            await handle.outcome()
            return held, pending, texts(await told(node, handle))

    held, pending, story = simulate(main)
    assert held[-2:] == ["held LARGE: 3 gates, waits for a person to approve seen", "now held, due in 30 s"]
    assert '  seen held LARGE, saw {"units":60}' in held
    assert any(line.startswith("seen approved by ann: by phone") for line in pending)
    assert pending[-2:] == ["place is pending as W-1, asked at 00:01:42.000", "now running (pending), due in 27 s"]
    assert "report f-1 on place, settled 25 of cash/acme" in story
    assert any(line.startswith("succeeded") and line.endswith("settled 60 of cash/acme") for line in story)


def test_the_story_of_what_was_cancelled_and_superseded():
    async def main(clock):
        async with node_on(desk(), clock) as node:
            later = {"not_before_us": clock.wall_us() + 20_000_000}
            cancelled = await node.submit(Order(1), source="desk", tenant="acme", **later)
            await node.cancel(cancelled.id, by="bob", reason="no longer needed")
            await node.halt("effector:place", by="eve")
            old = await node.submit(Order(2), source="desk", tenant="acme")
            new = await node.submit(Order(3), source="desk", tenant="acme", supersedes=old.id)
            return [texts(await told(node, handle)) for handle in (cancelled, old, new)]

    cancelled, old, new = simulate(main)
    assert cancelled[-2:] == [
        "deferred NOT_BEFORE: 3 gates, again at 00:00:20.000",
        "cancelled before it started by bob: no longer needed",
    ]
    assert old[-1].startswith("cancelled: superseded by ")
    assert new[-1] == "now admitted, due in 30 s"


def test_what_an_outcome_moved_is_told_with_it():
    app = desk()

    @app.lesson(Order)
    def fit(learned):
        return {}, [Change(app.size, 0.5, "a loss", latch=True)] if learned.outcome.result == "failed" else []

    async def main(clock):
        async with node_on(app, clock) as node:
            await done(node, 1)
            bad = await done(node, 2, "bad")
            await done(node, 3)
            await clock.sleep(3)
            return texts(await told(node, bad))

    assert simulate(main)[-1] == "adjusted: size of desk from 1 to 0.5 by fit: a loss, latched until a person resets it"


def test_a_restart_tells_the_same_story():
    app, disk = desk(), MemoryDisk()

    async def main(clock):
        async with node_on(app, clock, disk) as node:
            handle = await done(node, 20, "busy")
            before = None
            await clock.sleep(2)
            before = await told(node, handle)
        async with node_on(desk(), clock, disk) as node:
            return before, await told(node, handle)

    before, after = simulate(main)
    assert after == before


def test_nobody_knows_a_decision_that_was_none():
    async def main(clock):
        async with node_on(desk(), clock) as node:
            with pytest.raises(NotFoundError):
                await node.timeline(12345)

    simulate(main)


def test_days_and_times_are_in_utc():
    from lictor.monitoring.line import clock_time, day, duration

    at = datetime(2026, 11, 24, 10, 31, 2, 114_999, tzinfo=UTC)
    at_us = int(at.timestamp()) * 1_000_000 + at.microsecond
    assert (day(at_us), clock_time(at_us)) == ("2026-11-24", "10:31:02.114")
    spans = {
        0: "0.0 ms",
        1_500: "1.5 ms",
        999_900: "999.9 ms",
        30_000_000: "30 s",
        600_000_000: "10 min",
        10_800_000_000: "3 h",
    }
    assert {span: duration(span) for span in spans} == spans
