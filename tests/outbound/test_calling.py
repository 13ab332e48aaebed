"""Calls over real sockets: what is let out, what comes back, and whether it may have acted."""

import asyncio
import socket
from ipaddress import ip_address

import pytest
from tests.outbound.site import Site, certificate, drip, hang, hang_up

from lictor.errors import BlockedError, LostError, UnreachableError
from lictor.outbound import Guard, Outbound

LOOPBACK = "127.0.0.1"


def leads_to(*addresses: str):
    """A resolver that gives these, one list at each look-up; the last for ever."""
    asked = []

    async def resolve(host, port):
        asked.append(host)
        return [ip_address(text) for text in addresses[min(len(asked), len(addresses)) - 1].split()]

    resolve.asked = asked
    return resolve


def opened(site: Site, *more: str, **options) -> Outbound:
    return Outbound(Guard(allow=(f"{LOOPBACK}:{site.port}", *more)), **options)


def test_a_call_comes_back_with_status_headers_and_data():
    async def main():
        async with Site() as site:
            site.says("/a", 201, {"id": 7}, X_Seen="yes")
            answer = await opened(site).call(
                "POST", f"{site.url}/a?b=1", timeout_s=5, headers={"X-Key": "k"}, content=b'{"n":1}'
            )
            assert (answer.status, answer.data(), answer.headers["x-seen"], answer.whole) == (
                201,
                {"id": 7},
                "yes",
                True,
            )
            (came,) = site.came
            assert (came.method, came.path, came.json(), came.headers["x-key"]) == ("POST", "/a?b=1", {"n": 1}, "k")
            assert came.headers["host"] == f"{LOOPBACK}:{site.port}"

    asyncio.run(main())


def test_loopback_is_refused_before_anything_connects():
    async def main():
        async with Site() as site:
            for url in (
                site.url,
                f"http://localhost:{site.port}",
                f"http://2130706433:{site.port}",
                f"http://0x7f000001:{site.port}",
                f"http://0177.0.0.1:{site.port}",
                f"http://127.1:{site.port}",
                f"http://[::ffff:127.0.0.1]:{site.port}",
                f"http://１２７.0.0.1:{site.port}",  # noqa: RUF001 - what looks like digits is what is tried
                f"http://127。0。0。1:{site.port}",
            ):
                with pytest.raises(BlockedError):
                    await Outbound().call("GET", url, timeout_s=5)
                with pytest.raises(BlockedError):  # the port alone is open
                    await Outbound(Guard(allow=(f"1.1.1.1:{site.port}",))).call("GET", url, timeout_s=5)
            assert site.connections == 0

    asyncio.run(main())


@pytest.mark.parametrize("url", ["ftp://a.example/", "file:///etc/passwd", "gopher://a.example:70/", "//a.example", "",
                                 "http:///a", "http://user:secret@a.example/", "http://a.example:99999/"])  # fmt: skip
def test_what_is_no_plain_web_address_is_refused(url):
    with pytest.raises(BlockedError) as refused:
        asyncio.run(Outbound(resolve=leads_to("1.1.1.1")).call("GET", url, timeout_s=5))
    assert "secret" not in str(refused.value)


def test_a_name_that_is_rebound_between_the_check_and_the_connection_leads_nowhere():
    """Looked up once: what would be answered the second time is never asked."""

    async def main():
        async with Site() as site:
            # Where the check asked and the connection asked again, the second answer would reach the site.
            resolve = leads_to("198.18.255.254", LOOPBACK)
            guard = Guard(allow=(f"198.18.255.254:{site.port}", f"rebound.example:{site.port}"))
            with pytest.raises(UnreachableError):
                await Outbound(guard, resolve=resolve).call(
                    "GET", f"http://rebound.example:{site.port}/", timeout_s=0.3
                )
            assert (resolve.asked, site.connections) == (["rebound.example"], 0)

    asyncio.run(main())


@pytest.mark.parametrize("addresses", ["127.0.0.1", "1.1.1.1 127.0.0.1", "::1", "169.254.169.254", "::ffff:7f00:1"])
def test_a_public_name_that_leads_inside_is_refused(addresses):
    with pytest.raises(BlockedError, match="which is"):
        asyncio.run(
            Outbound(resolve=leads_to(addresses)).call("GET", "http://rebound.example/latest/meta-data", timeout_s=5)
        )


def test_tls_asks_for_the_name_and_connects_to_the_checked_address(tmp_path):
    async def main():
        serving, ca = certificate(tmp_path, "pay.example")
        seen = []
        serving.sni_callback = lambda _socket, name, _context: seen.append(name)
        async with Site(serving) as site:
            site.says("/", 200, {"ok": True})
            guard = Guard(allow=(f"pay.example:{site.port}", f"other.example:{site.port}"))
            outbound = Outbound(guard, ca=ca, resolve=leads_to(LOOPBACK))
            answer = await outbound.call("GET", f"https://pay.example:{site.port}/", timeout_s=5)
            assert answer.data() == {"ok": True}
            assert (seen, site.came[0].headers["host"]) == (["pay.example"], f"pay.example:{site.port}")
            with pytest.raises(UnreachableError, match="certificate"):  # the address is right, the name is not
                await outbound.call("GET", f"https://other.example:{site.port}/", timeout_s=5)
            with pytest.raises(UnreachableError, match="certificate"):  # nobody here vouches for it
                await Outbound(guard, resolve=leads_to(LOOPBACK)).call(
                    "GET", f"https://pay.example:{site.port}/", timeout_s=5
                )
            assert len(site.came) == 1

    asyncio.run(main())


def test_proxies_and_passwords_of_the_environment_are_not_used(monkeypatch, tmp_path):
    async def main():
        async with Site() as proxy, Site() as site:
            for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
                monkeypatch.setenv(name, proxy.url)
            (tmp_path / ".netrc").write_text(f"machine {LOOPBACK} login a password b")
            monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
            monkeypatch.setenv("HOME", str(tmp_path))
            site.says("/", 200)
            await opened(site).call("GET", f"{site.url}/", timeout_s=5)
            assert (proxy.connections, len(site.came)) == (0, 1)
            assert "authorization" not in site.came[0].headers

    asyncio.run(main())


def test_a_redirect_is_an_answer_unless_redirects_are_followed():
    async def main():
        async with Site() as site:
            site.says("/a", 302, location="/b")
            site.says("/b", 200, {"at": "b"})
            assert (await opened(site).call("GET", f"{site.url}/a", timeout_s=5)).status == 302
            followed = await opened(site, redirects_max=1).call("GET", f"{site.url}/a", timeout_s=5)
            assert followed.data() == {"at": "b"}
            posted = await opened(site, redirects_max=1).call("POST", f"{site.url}/a", timeout_s=5)
            assert posted.status == 302  # who knows whether it has acted

    asyncio.run(main())


@pytest.mark.parametrize("where", ["http://169.254.169.254/latest/", "http://127.0.0.1:{inside}/", "http://2130706433/",
                                   "file:///etc/passwd", "//[::1]:{inside}/", "http://a:b@1.1.1.1/"])  # fmt: skip
def test_each_hop_of_a_redirect_is_checked(where):
    async def main():
        async with Site() as site, Site() as inside:
            site.says("/a", 307, location=where.format(inside=inside.port))
            with pytest.raises(BlockedError):
                await opened(site, redirects_max=3).call("POST", f"{site.url}/a", timeout_s=5, content=b"x")
            assert (len(site.came), inside.connections) == (1, 0)

    asyncio.run(main())


def test_what_was_meant_for_one_origin_is_not_told_to_another():
    async def main():
        async with Site() as site, Site() as other:
            site.says("/a", 308, location=f"{other.url}/b")
            other.says("/b", 200)
            secret = {"Authorization": "Bearer s", "X-Api-Key": "s", "Cookie": "s", "Content-Type": "text/plain"}
            outbound = opened(site, f"{LOOPBACK}:{other.port}", redirects_max=1)
            await outbound.call("POST", f"{site.url}/a", timeout_s=5, headers=secret, content=b"x")
            (came,) = other.came
            assert (came.method, came.body, came.headers["content-type"]) == ("POST", b"x", "text/plain")
            assert not {"authorization", "x-api-key", "cookie"} & set(came.headers)
            assert came.headers["host"] == f"{LOOPBACK}:{other.port}"

    asyncio.run(main())


def test_redirects_end():
    async def main():
        async with Site() as site:
            site.says("/a", 302, location="/a")
            answer = await opened(site, redirects_max=3).call("GET", f"{site.url}/a", timeout_s=5)
            assert (answer.status, len(site.came)) == (302, 4)

    asyncio.run(main())


def test_where_nobody_listens_nothing_was_sent():
    async def main():
        with socket.socket() as bound:
            bound.bind((LOOPBACK, 0))
            port = bound.getsockname()[1]
            with pytest.raises(UnreachableError):
                await Outbound(Guard(allow=(f"{LOOPBACK}:{port}",))).call(
                    "POST", f"http://{LOOPBACK}:{port}/", timeout_s=5
                )

    asyncio.run(main())


def test_a_name_that_nobody_knows_was_not_sent():
    async def resolve(_host, _port):
        raise OSError("no such name")

    with pytest.raises(UnreachableError, match="no address"):
        asyncio.run(Outbound(resolve=resolve).call("GET", "http://nowhere.example/", timeout_s=5))


def test_a_look_up_that_hangs_was_not_sent():
    async def resolve(_host, _port):
        await asyncio.Event().wait()

    with pytest.raises(UnreachableError, match="within"):
        asyncio.run(Outbound(resolve=resolve).call("GET", "http://nowhere.example/", timeout_s=0.05))


@pytest.mark.parametrize("rude", [hang, hang_up, drip])
def test_what_was_sent_and_not_answered_is_lost(rude):
    async def main():
        async with Site() as site:
            site.does("/", rude)
            with pytest.raises(LostError):
                await opened(site).call("POST", f"{site.url}/", timeout_s=0.3)
            assert len(site.came) == 1

    asyncio.run(main())


def test_of_a_long_answer_only_so_much_is_read():
    async def main():
        async with Site() as site:
            site.says("/", 200, b"x" * 100_000)
            answer = await opened(site, answer_bytes_max=1_000).call("GET", f"{site.url}/", timeout_s=5)
            assert (answer.status, len(answer.body), answer.whole) == (200, 1_000, False)

    asyncio.run(main())


def test_each_call_has_a_connection_of_its_own():
    async def main():
        async with Site() as site:
            site.says("/", 200)
            outbound = opened(site)
            for _ in range(3):
                await outbound.call("GET", f"{site.url}/", timeout_s=5)
            assert site.connections == 3

    asyncio.run(main())
