"""Calls by run and step, by a caller's own key, and without either: which are the same, and what is told of them."""

from __future__ import annotations

import asyncio

import pytest
from tests.rig import simulate

from lictor import App, NotFoundError, deny
from lictor.surfaces.requests import Requests


class Desk:
    """One governed function whose effects are counted, and a way to ask."""

    def __init__(self, rig, **terms) -> None:
        self.rig = rig
        self.done: list[str] = []
        self.app = App("desk")

        async def work(what: str, times: int = 1) -> str:
            self.done.append(what)
            return f"{what} {times}"

        self.app.govern(work, **terms)

    async def start(self) -> Requests:
        self.node = await self.rig.start(self.app)
        self.requests = Requests(self.node)
        return self.requests

    async def call(self, what: str = "x", wait_s: float = 5.0, **asked):
        payload = {"what": what, **asked.pop("more", {})}
        return await self.rig.on(self.requests.ask("call", kind="work", payload=payload, wait_s=wait_s, **asked))


def at_a_desk(test, **terms):
    async def main(rig):
        desk = Desk(rig, **terms)
        await desk.start()
        await test(desk)

    simulate(main)


def test_without_a_run_the_same_call_is_the_same_while_it_is_recent():
    async def main(desk):
        first = await desk.call()
        assert (first["status"], first["outcome"]["value"]) == ("succeeded", "x 1")
        same = await desk.call(more={"times": 1})
        assert (same["id"], same["duplicate"]) == (first["id"], True)
        assert (await desk.call(source="other"))["id"] != first["id"]
        for count in range(2, 7):
            await desk.rig.clock.sleep(601)
            later = await desk.call()
            assert not later["duplicate"]
            assert (await desk.call())["id"] == later["id"]
            assert desk.done.count("x") == count + 1

    at_a_desk(main)


def test_what_is_held_stays_the_same_call_however_long_that_takes():
    async def main(desk):
        held = await desk.call()
        assert held["status"] == "held"
        await desk.rig.clock.sleep(7_200)
        assert (await desk.call())["id"] == held["id"]
        await desk.rig.on(desk.node.approve(held["id"], by="eva"))
        assert (await desk.call())["status"] == "succeeded"
        assert desk.done == ["x"]

    at_a_desk(main, approve_if=lambda: True)


def test_in_a_run_the_same_call_is_the_same_for_good_and_a_refused_one_is_tried_anew():
    async def main(desk):
        await desk.rig.on(desk.node.halt(by="eva"))
        refused = await desk.call(run="r")
        assert refused["refusal"]["code"] == "HALTED"
        await desk.rig.on(desk.node.resume(by="eva"))
        done = await desk.call(run="r")
        await desk.rig.clock.sleep(100_000)
        assert (await desk.call(run="r"))["id"] == done["id"]
        assert (await desk.call(run="r", step="2"))["id"] != done["id"]
        assert desk.done == ["x", "x"]

    at_a_desk(main)


def test_calls_at_once_are_one():
    async def main(desk):
        told = await asyncio.gather(*(desk.call(run="r") for _ in range(10)))
        assert len({one["id"] for one in told}) == 1
        assert desk.done == ["x"]

    at_a_desk(main)


def test_a_key_of_the_callers_own_gets_its_original_answer():
    async def main(desk):
        first, again = await desk.call(key="k"), await desk.call(key="k")
        assert first["id"] == again["id"]
        other = await desk.call("y", key="k")
        assert other["refusal"]["code"] == "KEY_REUSED"

    at_a_desk(main)


def test_what_a_decision_became_is_told_by_its_id():
    async def main(desk):
        ask = desk.requests.ask
        held = await desk.call(source="me")
        assert (await desk.rig.on(ask("outcome", what=held["id"])))["status"] == "held"
        with pytest.raises(NotFoundError):
            await desk.rig.on(ask("outcome", what=held["id"], source="other"))
        waiting = desk.rig.loop.create_task(desk.rig.on(ask("outcome", what=held["id"], source="me", wait_s=60)))
        await desk.rig.clock.sleep(1)
        await desk.rig.on(desk.node.approve(held["id"], by="eva"))
        assert (await waiting)["outcome"]["value"] == "x 1"
        assert (await desk.rig.on(ask("outcome", what=held["id"])))["outcome"]["value"] == "x 1"
        other = await desk.call("y")
        await desk.rig.on(desk.node.cancel(other["id"], by="eva"))
        assert (await desk.rig.on(ask("outcome", what=other["id"])))["status"] == "cancelled"
        late = await desk.call("z")
        assert (await desk.rig.on(ask("outcome", what=late["id"], wait_s=1)))["status"] == "held"
        assert max(map(len, desk.node.pipeline.handles._of.values())) == 1, "who waited in vain follows no more"

    at_a_desk(main, approve_if=lambda: True)


def test_what_a_refused_decision_became_is_told_too():
    async def main(desk):
        refused = await desk.call()
        told = await desk.rig.on(desk.requests.ask("outcome", what=refused["id"], wait_s=5))
        assert told["refusal"]["allowed"] == {"what": "nothing"}

    at_a_desk(main, check=lambda: deny("NEVER", allowed={"what": "nothing"}))
