"""An HTTP call as an effector, against a real server: what each answer makes of the decision."""

import asyncio
import socket
from dataclasses import dataclass, replace
from email.utils import formatdate

import pytest
from tests.outbound.site import Site, hang, hang_up

from lictor import App, Node, Settings, allow
from lictor.errors import DeclarationError
from lictor.outbound import Guard, Outbound, env, http_effector, secret_file
from lictor.testing import SimClock

SECRET = "sk_live_canary"


@dataclass(frozen=True)
class Charge:
    account: str
    amount: int = 1


def shop(
    site: Site | None = None, path: str = "/charges", *, port: int = 0, expires_in_s: float = 20, **options
) -> App:
    app = App("shop")
    app.decision(expires_in_s=expires_in_s)(Charge)

    @app.gate(Charge)
    def all_of_them(charge, state):
        return allow()

    port = site.port if site is not None else port
    base = f"http://127.0.0.1:{port}"
    for name in ("reconcile",):
        if name in options:
            options[name] = base + options[name]
    given = {
        "outbound": Outbound(Guard(allow=(f"127.0.0.1:{port}",))),
        "timeout_s": 5,
        "retry_base_s": 0.01,
        "slots": 4,
    }
    charge = http_effector(app, "charge", url=base + path, **given | options)
    fills = ["account"] if "{account}" in path else []

    @app.plan(Charge)
    def plan(value):
        named = {name: getattr(value, name) for name in fills}
        return charge.action({"to": value.account, "amount": value.amount}, **named)

    return app


async def outcome(app: App, value: Charge | None = None, look=None):
    """The outcome of one charge, and all that the journal holds as text."""
    async with Node(app, settings=Settings(tune_collector=False)) as node:
        handle = await node.submit(value or Charge("a-17"))
        if look is not None:
            return await look(node, handle)
        found = await handle.outcome()
        history = repr([row async for row in node.journal.scan()])
        return found, history


def test_a_success_has_the_answer_as_its_value_and_the_key_was_sent():
    async def main():
        async with Site() as site:
            site.says("/charges", 201, {"id": "ch_1", "status": "paid"})
            found, _ = await outcome(shop(site, idempotency_header="Idempotency-Key"))
            assert (found.result, found.value) == ("succeeded", {"id": "ch_1", "status": "paid"})
            (came,) = site.came
            assert (came.method, came.json()) == ("POST", {"to": "a-17", "amount": 1})
            assert came.headers["content-type"] == "application/json"
            assert len(came.headers["idempotency-key"]) == 15
            assert came.headers["idempotency-key"].endswith(".0")

    asyncio.run(main())


def test_names_of_the_address_are_filled_in_escaped():
    async def main():
        async with Site() as site:
            app = shop(site, "/accounts/{account}/charges?for={account}", meaning={404: "succeeded"})
            assert (await outcome(app, Charge("a/../b?c=1#d é")))[0].result == "succeeded"
            assert (
                site.came[0].path
                == "/accounts/a%2F..%2Fb%3Fc%3D1%23d%20%C3%A9/charges?for=a%2F..%2Fb%3Fc%3D1%23d%20%C3%A9"
            )
            for walking in ("..", ".", ""):
                found, _ = await outcome(shop(site, "/accounts/{account}/charges"), Charge(walking))
                assert (found.result, found.code) == ("failed", "ARGUMENTS_INVALID")
            assert len(site.came) == 1

    asyncio.run(main())


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 410, 422, 451, 307, 501])
def test_a_refusal_is_failed_with_its_status(status):
    async def main():
        async with Site() as site:
            site.says("/charges", status, {"error": "no"})
            found, _ = await outcome(shop(site))
            assert (found.result, found.code, len(site.came)) == ("failed", f"HTTP_{status}", 1)
            assert '{"error": "no"}' in found.detail

    asyncio.run(main())


@pytest.mark.parametrize(("status", "meaning", "result"), [(409, "succeeded", "succeeded"), (422, "retry", "succeeded"),
                                                           (500, "failed", "failed")])  # fmt: skip
def test_what_a_status_means_can_be_declared(status, meaning, result):
    async def main():
        async with Site() as site:
            site.says("/charges", status)
            site.says("/charges", 200)
            found, _ = await outcome(shop(site, meaning={status: meaning}, extra_work=1.0))
            assert found.result == result
            assert len(site.came) == (2 if meaning == "retry" else 1)

    asyncio.run(main())


@pytest.mark.parametrize("idempotent", [True, False])
@pytest.mark.parametrize("how", [500, 502, 504, 301, 303, 503, hang_up])
def test_what_nobody_knows_is_sent_again_only_where_the_other_side_takes_a_key(how, idempotent):
    async def main():
        async with Site() as site:
            site.says("/charges", how) if isinstance(how, int) else site.does("/charges", how)
            site.says("/charges", 200, "paid")
            header = {"idempotency_header": "Idempotency-Key"} if idempotent else {}
            app = shop(site, extra_work=1.0, **header)

            async def look(node, handle):
                if idempotent:
                    return (await handle.outcome()).result
                while node.journal.state.open[handle.id].actions[0].state != "in_doubt":
                    await asyncio.sleep(0)
                return "in_doubt"

            assert await outcome(app, look=look) == ("succeeded" if idempotent else "in_doubt")
            keys = {came.headers.get("idempotency-key") for came in site.came}
            assert (len(site.came), len(keys)) == ((2, 1) if idempotent else (1, 1))

    asyncio.run(main())


def test_no_connection_means_that_nothing_was_sent():
    """Even where nothing may be sent twice it is tried again, and never in doubt."""

    async def main():
        with socket.socket() as bound:
            bound.bind(("127.0.0.1", 0))
            port = bound.getsockname()[1]
            found, history = await outcome(shop(port=port, extra_work=1.0))
            assert (found.result, found.code) in {("failed", "UNREACHABLE"), ("failed", "RETRY_BUDGET")}
            assert found.attempts > 1
            assert "'doubt'" not in history

    asyncio.run(main())


def test_a_time_out_after_sending_is_in_doubt_and_is_asked_for():
    async def main():
        async with Site() as site:
            site.does("/charges", hang)
            site.says("/charges/of", 200, {"id": "ch_9", "secret_part": "x"})
            app = shop(site, timeout_s=0.3, reconcile="/charges/of?key={key}", keep=("id",))
            found, _ = await outcome(app)
            assert (found.result, found.value) == ("succeeded", {"id": "ch_9"})
            assert [came.method for came in site.came] == ["POST", "GET"]
            assert site.came[1].path.endswith(".0")

    asyncio.run(main())


def test_what_the_world_never_saw_is_sent_again():
    async def main():
        async with Site() as site:
            site.does("/charges", hang_up)
            site.says("/charges", 200, "paid")
            site.says("/charges/of", 404)
            found, _ = await outcome(shop(site, reconcile="/charges/of", extra_work=1.0))
            assert (found.result, found.value) == ("succeeded", "paid")
            assert [came.method for came in site.came] == ["POST", "GET", "POST"]

    asyncio.run(main())


def test_an_answer_to_the_question_is_read_as_declared():
    async def main():
        async with Site() as site:
            site.does("/charges", hang_up)
            site.says("/charges/of", 200, {"state": "working"})
            site.says("/charges/of", 200, {"state": "declined"})
            said = {"working": None, "declined": "failed"}
            app = shop(site, reconcile="/charges/of", said=lambda data: said[data["state"]], poll_after_s=0.02)
            found, _ = await outcome(app)
            assert (found.result, found.code) == ("failed", "SAID_FAILED")

    asyncio.run(main())


def test_202_is_pending_under_the_name_that_the_world_gave():
    async def main():
        async with Site() as site:
            site.says("/charges", 202, {"id": "job-5"})
            site.says("/charges/job-5", 200, {"id": "job-5", "done": True})
            app = shop(site, pending="id", reconcile="/charges/{ref}", poll_after_s=0.02)
            found, history = await outcome(app)
            assert (found.result, found.value["done"]) == ("succeeded", True)
            assert "ref='job-5'" in history

    asyncio.run(main())


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize("form", ["seconds", "date"])
def test_a_wait_that_the_world_asks_for_is_obeyed(status, form):
    async def main():
        async with Site() as site:
            after = "3600" if form == "seconds" else formatdate(4_000_000_000, usegmt=True)
            site.says("/charges", status, retry_after=after)

            async def look(node, handle):
                await handle.outcome()
                lane = node.pipeline.execution.lanes["charge"]
                return (lane.held_until_us - node.clock.wall_us()) / 1e6

            held_s = await outcome(shop(site, expires_in_s=5), look=look)
            assert held_s > 3500
            assert len(site.came) == 1

    asyncio.run(main())


def test_a_secret_is_followed_at_each_call_and_is_kept_nowhere(monkeypatch, tmp_path, caplog):
    async def main():
        async with Site() as site:
            monkeypatch.setenv("PAY_KEY", SECRET)
            (tmp_path / "key").write_text(f"{SECRET}-2\n")
            site.says("/charges", 200, {"echo": f"Bearer {SECRET}", "also": f"{SECRET}-2"})
            site.says("/charges", 400, f"you sent {SECRET}-3".encode())
            app = shop(site, secret=env("PAY_KEY"), headers={"X-Key": secret_file(tmp_path / "key"), "X-Plain": "p"})
            async with Node(app, settings=Settings(tune_collector=False)) as node:
                first = await (await node.submit(Charge("a"))).outcome()
                monkeypatch.setenv("PAY_KEY", f"{SECRET}-3")
                handle = await node.submit(Charge("b"))
                second = await handle.outcome()
                history = repr([row async for row in node.journal.scan()])
                timeline = str(await node.timeline(handle.id))
            assert [came.headers["authorization"] for came in site.came] == [f"Bearer {SECRET}", f"Bearer {SECRET}-3"]
            assert (site.came[0].headers["x-key"], site.came[0].headers["x-plain"]) == (f"{SECRET}-2", "p")
            for told in (
                history,
                timeline,
                repr(first),
                repr(second),
                caplog.text,
                repr(app.manifest()),
                repr(app.effectors),
            ):
                assert "sk_live" not in told
            assert "[redacted]" in history

    asyncio.run(main())


def test_without_its_secret_nothing_is_sent(monkeypatch):
    monkeypatch.delenv("PAY_KEY", raising=False)

    async def main():
        async with Site() as site:
            found, _ = await outcome(shop(site, secret=env("PAY_KEY")))
            assert (found.result, found.code, site.came) == ("failed", "SECRET_MISSING", [])
            monkeypatch.setenv("PAY_KEY", "a\r\nX-Injected: 1")
            found, _ = await outcome(shop(site, secret=env("PAY_KEY")))
            assert (found.result, found.code, site.came) == ("failed", "ARGUMENTS_INVALID", [])

    asyncio.run(main())


def test_where_the_guard_says_no_nothing_is_sent():
    async def main():
        async with Site() as site:
            found, _ = await outcome(shop(site, outbound=Outbound()))
            assert (found.result, found.code, site.connections) == ("failed", "BLOCKED", 0)

    asyncio.run(main())


@pytest.mark.parametrize("options", [
    {"url": "ftp://a.example/"}, {"url": "https://{account}.example/"}, {"url": "https://a:b@pay.example/"},
    {"url": "https://pay.example/{}"}, {"url": "https://pay.example/{a"}, {"url": "https:///a"},
    {"url": "https://pay.example/", "method": "CONNECT"},
    {"url": "http://pay.example/", "secret": env("A")}, {"url": "http://pay.example/", "headers": {"X-Key": env("A")}},
    {"url": "https://pay.example/", "reconcile": "http://pay.example/", "secret": env("A")},
    {"url": "https://pay.example/", "timeout_s": 0},
])  # fmt: skip
def test_what_makes_no_call_is_refused_while_the_app_is_built(options):
    with pytest.raises(DeclarationError):
        http_effector(App("shop"), "charge", **options)


def test_a_wait_until_a_date_is_counted_by_the_clock_that_is_given():
    app = App("shop")
    clock = SimClock.__new__(SimClock)
    clock.wall_us = lambda: 1_000_000_000
    made = http_effector(app, "charge", url="https://pay.example/").perform.__self__
    assert replace(made, clock=clock)._until_s(formatdate(1_010, usegmt=True)) == 10
