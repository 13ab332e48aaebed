"""Signed callbacks over real sockets: each outcome of a source, in order, at least once, whatever fails or restarts."""

import asyncio
from dataclasses import replace
from ipaddress import ip_address

import pytest
from standardwebhooks import Webhook
from tests.outbound.site import Site, hang_up
from tests.surfaces.outside import SECRET, Note, notes, reaching, telling

from lictor import DeclarationError, env
from lictor.journal.memory import MemoryDisk


@pytest.fixture(autouse=True)
def secret(monkeypatch):
    monkeypatch.setenv("CALLBACK_SECRET", SECRET)


async def decided(node, *texts: str, source: str = "agent-7") -> None:
    for text in texts:
        await (await node.submit(Note(text), source=source, key=text)).outcome()


def told(site: Site, path: str = "/agent-7") -> list[str]:
    return [came.json()["data"]["key"] for came in site.came if came.path == path]


def ids(site: Site) -> list[str]:
    return [came.headers["webhook-id"] for came in site.came]


def test_each_outcome_of_the_source_is_told_in_order_and_signed():
    async def main():
        async with Site() as site:
            site.says("/agent-7", 204)
            async with reaching(telling(notes(), site, "agent-7")) as node:
                await decided(node, "other", source="agent-8")
                await decided(node, *"abcde")
                await site.arrived(5)
            assert told(site) == list("abcde")
            for came in site.came:
                said = Webhook(SECRET).verify(came.body, came.headers)  # the other side's library
                assert (said["type"], said["data"]["source"], said["data"]["outcome"]["result"]) == (
                    "outcome",
                    "agent-7",
                    "succeeded",
                )
            assert len(set(ids(site))) == 5

    asyncio.run(main())


def test_it_is_told_until_it_is_taken_and_order_is_kept():
    async def main():
        async with Site() as site:
            for rude in (500, 503, 302, 404):
                site.says("/agent-7", rude)
            site.says("/agent-7", 503, retry_after="2\u00b2")  # a digit to Python, and no number
            site.does("/agent-7", hang_up)
            site.says("/agent-7", 200)
            async with reaching(telling(notes(), site, "agent-7", retry_max_s=2.0)) as node:
                await decided(node, *"ab")
                await site.arrived(8)
            assert told(site) == ["a"] * 7 + ["b"]
            assert len(set(ids(site))) == 2

    asyncio.run(main())


def test_a_restart_goes_on_where_it_was():
    async def main():
        disk = MemoryDisk()
        async with Site() as site:
            site.says("/agent-7", 200)
            async with reaching(telling(notes(), site, "agent-7"), disk) as node:
                await decided(node, *"ab")
                await site.arrived(2)
                await marked(node, 2)
            async with reaching(telling(notes(), site, "agent-7"), disk) as node:
                await decided(node, "c")
                await site.arrived(3)
            assert told(site) == list("abc")

    asyncio.run(main())


async def marked(node, count: int) -> None:
    """Wait until it is on record that so many outcomes were told."""
    rows = await node.outcomes("agent-7")
    while node.journal.state.marks.get("callback:agent-7") != rows[count - 1].cursor:
        await asyncio.sleep(0)


def test_what_was_not_taken_before_a_restart_is_told_after_it():
    async def main():
        disk = MemoryDisk()
        async with Site() as site:
            site.says("/agent-7", 200)
            site.says("/agent-7", 500)
            async with reaching(telling(notes(), site, "agent-7"), disk) as node:
                await decided(node, *"abc")
                await site.arrived(2)
            async with Site() as later:
                later.says("/agent-7", 200)
                async with reaching(telling(notes(), later, "agent-7"), disk):
                    await later.arrived(2)
                assert (told(site)[0], told(later)) == ("a", ["b", "c"])
                assert ids(site)[-1] == ids(later)[0]

    asyncio.run(main())


def test_a_callback_that_fails_is_seen_and_holds_up_nobody():
    async def main():
        async with Site() as site:
            site.says("/agent-7", 500, times=4)
            site.says("/agent-7", 200)
            site.says("/agent-8", 200)
            async with reaching(telling(notes(), site, "agent-7", "agent-8", retry_max_s=1.0)) as node:
                await decided(node, "a")
                while not _failing(node):
                    await asyncio.sleep(0)
                assert node.health().ready
                await decided(node, *"xyz", source="agent-8")
                while told(site, "/agent-8") != list("xyz"):
                    await asyncio.sleep(0)
                while _failing(node):
                    await asyncio.sleep(0)
                assert 'lictor_outside_total{channel="callback",name="agent-7",what="failed"} 4.0' in node.metrics()
                assert 'name="agent-7",what="delivered"} 1.0' in node.metrics()

    asyncio.run(main())


def _failing(node) -> bool:
    return "CALLBACK_FAILING" in [reason.code for reason in node.health().reasons]


def test_what_is_not_allowed_inside_and_what_would_go_in_clear_text_is_no_callback():
    async def main(url: str, allow: tuple[str, ...]):
        app = notes()
        app.callback("agent-7", url, secret=env("CALLBACK_SECRET"), allow=allow)
        async with reaching(app):
            pass

    for url, allow in (
        ("http://public.example/", ()),
        ("http://127.0.0.1:80/", ("10.0.0.0/8",)),
        ("https://a:b@c/", ()),
    ):
        with pytest.raises(DeclarationError):
            asyncio.run(main(url, allow))


@pytest.mark.parametrize("why", ["guard", "secret"])
def test_what_may_not_be_sent_is_not_sent_and_is_seen(why, monkeypatch):
    async def main():
        async with Site() as site:
            options = {}
            if why == "secret":
                monkeypatch.delenv("CALLBACK_SECRET")
            else:  # the name is allowed, and leads to where clouds keep their metadata
                options["allow"] = (f"127.0.0.1:{site.port}", "home.example")
            app = telling(notes(), site, "agent-7", **options)
            async with reaching(app) as node:
                if why == "guard":
                    post = node.outreach._parts[0]._posts["agent-7"]
                    post._url = "http://home.example/"
                    post._outbound = replace(post._outbound, resolve=metadata)
                await decided(node, "a")
                while not _failing(node):
                    await asyncio.sleep(0)
                (reason,) = node.health().reasons
                assert ("link-local" if why == "guard" else "no secret") in reason.text
            assert site.connections == 0

    asyncio.run(main())


async def metadata(_host, _port):
    return [ip_address("169.254.169.254")]
