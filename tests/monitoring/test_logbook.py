"""One JSON line for each notable event, at the node's own time, without secrets, and never a flood."""

import json
import logging

import pytest
from tests.monitoring.desk import CANARY, Order, desk, done, node_on, simulate

from lictor import JournalError
from lictor.monitoring.logbook import LINES_PER_SECOND_MAX, Logbook
from lictor.monitoring.redaction import Redactor, Secret


class Kept(logging.Handler):
    def __init__(self):
        super().__init__()
        self.lines = []

    def emit(self, record):
        self.lines.append(json.loads(record.getMessage()))


@pytest.fixture
def lines():
    """What the logger `lictor` says, as data; every line is JSON."""
    logger, handler = logging.getLogger("lictor"), Kept()
    level, propagate = logger.level, logger.propagate
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    yield handler.lines
    logger.removeHandler(handler)
    logger.setLevel(level)
    logger.propagate = propagate


def events(lines):
    return [line["event"] for line in lines]


def test_what_people_do_and_what_goes_wrong_is_told(lines):
    app = desk()

    async def main(clock):
        async with node_on(app, clock) as node:
            held = await node.submit(Order(60), source="desk", tenant="acme")
            await node.approve(held.id, by="ann", reason=f"password={CANARY}")
            await held.outcome()
            await node.halt("kind:Order", by="bob", reason="audit", reduce_only=True)
            await node.resume("kind:Order", by="bob")
            await node.set_limit("cash", 500, scope="acme", by="eve")
            for world in ("bad", "lost", "dear"):
                await done(node, 10, world)
            waiting = await node.submit(Order(1), source="desk", not_before_us=clock.wall_us() + 9_000_000)
            await node.cancel(waiting.id, by="eve")
            await clock.sleep(2)

    simulate(main)
    assert events(lines) == [
        "approved", "reduce_only", "resumed", "limit_set", "outcome_failed", "in_doubt", "overrun", "cancel_asked",
    ]  # fmt: skip
    by_event = {line["event"]: line for line in lines}
    assert by_event["approved"]["by"] == "ann"
    assert by_event["approved"]["at"] == "2026-01-01T00:00:00.000Z"
    assert by_event["overrun"]["budget"] == "cash"
    assert by_event["outcome_failed"]["level"] == "warning"
    assert CANARY not in json.dumps(lines)


def test_an_overrun_is_told_once_until_its_latch_is_lifted(lines):
    async def main(clock):
        async with node_on(desk(), clock) as node:
            await done(node, 10, "dear")
            await done(node, 10, "dear")
            await node.set_limit("cash", 9_000, scope="acme", by="eve", reset_latch=True)
            await done(node, 10, "dear")

    simulate(main)
    assert events(lines) == ["overrun", "limit_set", "overrun"]


def test_a_reference_that_cannot_be_loaded_is_told(lines):
    def broken():
        raise OSError(f"token={CANARY}")

    async def main(clock):
        async with node_on(desk(broken), clock) as node:
            return await node.submit(Order(1), source="desk")

    assert simulate(main).verdict.code == "REFERENCE_MISSING"
    assert events(lines) == ["reference_failed"]
    assert lines[0]["reference"] == "limits"
    assert CANARY not in json.dumps(lines)


def test_a_node_that_fails_says_so(lines):
    async def main(clock):
        async with node_on(desk(), clock) as node:
            node._fail(JournalError("the disk failed"))

    simulate(main)
    assert (events(lines), lines[0]["level"]) == (["node_failed"], "error")


def test_a_line_for_each_decision_only_for_who_asks(lines):
    async def main(clock):
        async with node_on(desk(), clock) as node:
            await done(node, 10)

    simulate(main)
    assert lines == []
    logging.getLogger("lictor").setLevel(logging.DEBUG)
    simulate(main)
    assert events(lines) == ["ruled", "ended"]
    assert (lines[0]["verdict"], lines[1]["result"]) == ("admitted", "succeeded")


def test_a_flood_is_cut_and_counted(lines):
    async def main(clock):
        book = Logbook(clock, Redactor())
        for _ in range(LINES_PER_SECOND_MAX + 30):
            book.note("outcome_failed", n=1)
        book.note("halted", n=2)
        await clock.sleep(1)
        book.note("outcome_failed", n=3)
        book.note("outcome_failed", n=4)

    simulate(main)
    assert len(lines) == LINES_PER_SECOND_MAX + 3
    assert [line.get("cut_before") for line in lines[-2:]] == [30, None]


class Unspeakable:
    def __str__(self):
        raise RuntimeError("no text")


class Broken(logging.Handler):
    def handle(self, record):
        raise OSError("no space left")


def test_what_cannot_be_told_stops_nobody(lines):
    async def main(clock):
        book = Logbook(clock, Redactor())
        book.note("x", text="\ud800")
        book.note("x", value=Unspeakable())
        book.note("x", n=1)
        logging.getLogger("lictor").addHandler(broken := Broken())
        book.note("x", n=2)
        logging.getLogger("lictor").removeHandler(broken)
        return book.lost

    assert simulate(main) == 3
    assert [line["n"] for line in lines] == [1, 2]


def test_names_of_ones_own_and_secrets_are_redacted(lines):
    async def main(clock):
        Logbook(clock, Redactor(("account_holder",))).note("x", account_holder="Ann", key=Secret(CANARY), n=1)

    simulate(main)
    assert (lines[0]["account_holder"], lines[0]["key"], lines[0]["n"]) == ("[redacted]", "[redacted]", 1)


def test_two_runs_of_one_seed_write_the_same_log(lines):
    async def main(clock):
        async with node_on(desk(), clock) as node:
            for world in ("bad", "busy", "lost", "dear"):
                await done(node, 10, world)

    simulate(main, 7)
    first = list(lines)
    lines.clear()
    simulate(main, 7)
    assert lines == first


def test_a_node_hides_the_names_that_its_settings_add(lines):
    async def main(clock):
        async with node_on(desk(), clock, redact=("units",)) as node:
            held = await node.submit(Order(60), source="desk", tenant="acme")
            return str(await node.timeline(held.id))

    told = simulate(main)
    assert '"units":"[redacted]"' in told
    assert '"units":60' not in told
