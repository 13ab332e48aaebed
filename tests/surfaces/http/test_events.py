"""Server-sent events: told after the commit, coalesced, resumed, and nothing of it while nobody watches."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager

from tests.surfaces.http.served import client, key
from tests.surfaces.http.test_api import DECISIONS, payout, run

from lictor.surfaces.http import api_events, events


@asynccontextmanager
async def watching(http, **headers):
    """The events of one viewer, as pairs of name and data."""
    async with http.stream("GET", "/v1/events", headers=headers) as response:
        assert response.headers["content-type"] == "text/event-stream"

        async def told():
            event: dict[str, str] = {}
            async for line in response.aiter_lines():
                if not line and "data" in event:
                    yield event["event"], json.loads(event["data"]), event.get("id")
                    event = {}
                elif line and not line.startswith(":"):
                    name, _, value = line.partition(": ")
                    event[name] = value

        yield told()


async def first(told, name):
    """What the next event of a name says."""
    return await anext(data async for called, data, _ in told if called == name)


async def until(told, id_, state):
    """The states of a decision, up to one."""
    states = []
    async for name, data, _ in told:
        if name == "decisions":
            states += [row["state"] for row in data["changed"] if row["id"] == id_]
            if states[-1:] == [state]:
                return states
    raise AssertionError(states)


def test_what_changes_is_told() -> None:
    async def scenario(http):
        assert not http.node.pipeline.monitoring.heard
        async with watching(http) as told:
            name, hello, id_ = await anext(told)
            made = (await http.post(DECISIONS, json=payout())).json()["id"]
            states = await until(told, made, "succeeded")
            await http.post("/v1/halts", json={"scope": "kind:Payout", "reason": "x"})
            notes = [data async for name_, data, _ in aiter_notes(told)]
        return name, hello, id_, states, notes

    async def aiter_notes(told):
        async for event in told:
            if event[0] == "notes":
                yield event
                return

    name, hello, id_, states, notes = run(scenario)
    assert name == "hello"
    assert hello["missed"] is False
    assert hello["id"] == id_
    assert states[-1] == "succeeded"
    assert notes[0][0]["event"] == "halted"
    assert notes[0][0]["scope"] == "kind:Payout"


def test_one_who_is_scoped_is_told_of_its_own_alone() -> None:
    async def scenario(http):
        token = await key(http.node, "acme", "submit", "read", sources=("local",), tenants=("acme",))
        async with client(http.server, token) as acme, watching(acme) as told:
            await anext(told)
            other = (await http.post(DECISIONS, json=payout())).json()["id"]
            hub = http.server.app.events
            while hub.id.endswith("-0"):  # so that it is another moment, of which there is nothing to tell
                await asyncio.sleep(0.02)
            own = (await acme.post(DECISIONS, json=payout())).json()["id"]
            seen = []
            async for _, data, _ in told:
                seen += [row["id"] for row in data["changed"]]
                if own in seen:
                    break
        return own, other, seen

    own, other, seen = run(scenario)
    assert own in seen
    assert other not in seen


def test_one_who_is_scoped_is_told_how_many_of_its_own_are_not_named(monkeypatch) -> None:
    monkeypatch.setattr(events, "NAMED_MAX", 1)
    monkeypatch.setattr(events, "MOMENT_S", 0.5)

    async def scenario(http):
        token = await key(http.node, "acme", "submit", "read", sources=("local",), tenants=("acme",))
        async with client(http.server, token) as acme, watching(acme) as told:
            await anext(told)
            await http.post(DECISIONS, json=payout())
            await acme.post(DECISIONS, json=payout())
            return await first(told, "decisions")

    told = run(scenario)
    assert told["changed"] == []
    assert told["more"] > 0


def test_who_comes_back_gets_what_it_missed() -> None:
    async def scenario(http):
        async with watching(http) as told:
            await anext(told)
            first = (await http.post(DECISIONS, json=payout())).json()["id"]
            async for name, data, id_ in told:
                if name == "decisions" and data["changed"][0]["state"] == "succeeded":
                    last = id_
                    break
        second = (await http.post(DECISIONS, json=payout(), params={"wait_s": 5})).json()["id"]
        hub = http.server.app.events
        while hub.id == last:
            await asyncio.sleep(0.02)
        async with watching(http, **{"last-event-id": last}) as told:
            hello = (await anext(told))[1]
            states = await until(told, second, "succeeded")
        async with watching(http, **{"last-event-id": "0-7"}) as told:
            lost = (await anext(told))[1]
        return first, hello, states, lost

    _, hello, states, lost = run(scenario)
    assert hello["missed"] is False
    assert states == ["succeeded"]
    assert lost["missed"] is True


def test_who_is_too_slow_is_dropped_with_a_reason() -> None:
    viewer = events.Viewer.__new__(events.Viewer)

    async def main():
        from lictor.surfaces.http.site import NOBODY

        viewer.__init__(NOBODY)
        for _ in range(events.BEHIND_MAX + 1):
            viewer.tell(b"x")
        return viewer.ended, len(viewer.behind)

    assert asyncio.run(main()) == ("TOO_SLOW", events.BEHIND_MAX)


def test_a_revoked_key_watches_no_more(monkeypatch) -> None:
    monkeypatch.setattr(api_events, "QUIET_S", 0.1)

    async def scenario(http):
        token = await key(http.node, "eye", "read")
        async with client(http.server, token) as eye, watching(eye) as told:
            await anext(told)
            await http.delete("/v1/keys/eye")
            return await first(told, "dropped")

    assert run(scenario) == {"code": "UNAUTHENTICATED"}


def test_a_server_that_stops_lets_its_viewers_go() -> None:
    async def scenario(http):
        async with watching(http) as told:
            await anext(told)
            stopping = asyncio.create_task(http.server.stop())
            names = [name async for name, _, _ in told]
            await asyncio.wait_for(stopping, 5)
        return names

    assert run(scenario)[-1] == "dropped"


def test_nothing_is_heard_while_nobody_watches(monkeypatch) -> None:
    monkeypatch.setattr(events, "LINGER_S", 0.05)
    monkeypatch.setattr(events, "MOMENT_S", 0.02)

    async def scenario(http):
        async with watching(http) as told:
            await anext(told)
            while_watched = len(http.node.pipeline.monitoring.heard)
        while http.server.app.events.listening:
            await asyncio.sleep(0.02)
        return while_watched, len(http.node.pipeline.monitoring.heard)

    assert run(scenario) == (1, 0)


def test_a_moment_names_some_and_counts_the_rest() -> None:
    async def scenario(http):
        async with watching(http) as told:
            await anext(told)
            lines = b"".join(json.dumps(payout(1, key=f"k{n}")).encode() + b"\n" for n in range(400))
            await http.post(DECISIONS, content=lines, headers={"content-type": "application/x-ndjson"})
            return await first(told, "decisions")

    data = run(scenario)
    assert len(data["changed"]) == events.NAMED_MAX
    assert data["more"] > 0
