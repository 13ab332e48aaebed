"""Webhooks in, over real sockets, signed by the library of Standard Webhooks as the other side, or as GitHub does."""

import asyncio
import hashlib
import hmac
import json
from base64 import b64encode
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks import Webhook
from tests.surfaces.http.served import client, served

from lictor import App, Call, DeclarationError, Resolve, WebhookEvent, allow, deny, env, pending, report
from lictor.records import Signal

SECRET = f"whsec_{b64encode(b'k' * 32).decode()}"
NEWER = f"whsec_{b64encode(b'n' * 32).decode()}"


@dataclass(frozen=True)
class Order:
    """What the tests' webhooks become."""

    item: str
    count: int = 1


def ordered(event: WebhookEvent) -> Order | None:
    """What the shop sends."""
    if event.type == "ping":
        return None
    return Order(event.data["item"], event.data.get("count", 1))


def shop(**options) -> App:
    app = App("shop")
    app.source("shop", kinds=None)
    app.source("local")
    app.decision()(Order)

    @app.gate(Order)
    def few(order, state):
        return allow() if order.count < 10 else deny("TOO_MANY", count=order.count)

    @app.effector(idempotent=True, timeout_s=5)
    async def ship(call: Call, item: str):
        return pending(f"parcel-{item}", poll_after_s=3600) if item == "slow" else f"shipped {item}"

    app.plan(Order)(lambda order: ship.action(order.item))
    given = {"to": ordered, "secret": env("HOOK_SECRET"), "source": "shop", "tenant": "acme"}
    app.webhook("orders", **given | options)
    app.webhook("parcels", to=arrived, secret=env("HOOK_SECRET"), source="shop")
    return app


def arrived(event: WebhookEvent) -> Resolve:
    return Resolve(event.data["parcel"], report("x", final=True, result="succeeded", value=event.data["where"]))


def message(data, id_="msg_1", secret=SECRET, at=None) -> dict:
    body = data if isinstance(data, str) else json.dumps(data)
    at = at or datetime.now(UTC)
    said = Webhook(secret).sign(id_, at, body)
    headers = {"webhook-id": id_, "webhook-timestamp": str(int(at.timestamp())), "webhook-signature": said}
    return {"content": body.encode(), "headers": headers | {"content-type": "application/json"}}


@pytest.fixture(autouse=True)
def secret(monkeypatch):
    monkeypatch.setenv("HOOK_SECRET", SECRET)


def over_http(main, app=None, **settings):
    async def run():
        async with served(app or shop(), **settings) as http, client(http.server) as nobody:
            nobody.node = http.node
            await main(nobody)

    asyncio.run(run())


def counted(node) -> dict[str, int]:
    return {f"{name}:{what}": n for (_, name, what), n in node.pipeline.monitoring.counts.outside.items()}


def test_a_signed_message_becomes_a_decision_of_the_declared_source_and_tenant():
    trace = f"00-{'a' * 32}-{'b' * 16}-01"

    async def main(http):
        sent = message({"item": "a", "source": "evil", "tenant": "evil"})
        sent["headers"]["traceparent"] = trace
        answer = await http.post("/hooks/orders", **sent)
        assert answer.status_code == 202
        told = answer.json()
        assert (told["verdict"]["result"], told["duplicate"]) == ("admitted", False)
        (row,) = await http.node.journal.decisions(_all())
        assert (row.kind, row.source, row.tenant, row.key) == ("Order", "shop", "acme", "msg_1")
        assert (await http.node.journal.history(row.id))[0].verb.decision.trace == trace
        assert 'lictor_outside_total{channel="webhook",name="orders",what="decided"} 1.0' in http.node.metrics()

    over_http(main)


def test_the_same_message_again_is_not_decided_again():
    async def main(http):
        first = (await http.post("/hooks/orders", **message({"item": "a"}))).json()
        later = datetime.now(UTC) + timedelta(seconds=30)  # signed anew, as it is when it is sent again
        again = await http.post("/hooks/orders", **message({"item": "a"}, at=later))
        assert (again.status_code, again.json()["id"], again.json()["duplicate"]) == (202, first["id"], True)
        assert len(await http.node.journal.decisions(_all())) == 1

    over_http(main)


def test_a_refusal_is_an_answer_that_is_not_to_be_sent_again():
    async def main(http):
        answer = await http.post("/hooks/orders", **message({"item": "a", "count": 99}))
        assert (answer.status_code, answer.json()["verdict"]["code"]) == (202, "TOO_MANY")

    over_http(main)


@pytest.mark.parametrize("how", ["other secret", "old", "future", "body", "id", "no signature", "plain"])
def test_what_is_not_signed_as_it_must_be_is_401_and_counted_and_leaves_no_trace(how):
    async def main(http):
        good = message({"item": "a"})
        off = timedelta(minutes=5, seconds=3)
        sent = {
            "other secret": message({"item": "a"}, secret=NEWER),
            "old": message({"item": "a"}, at=datetime.now(UTC) - off),
            "future": message({"item": "a"}, at=datetime.now(UTC) + off),
            "body": good | {"content": good["content"] + b" "},
            "id": good | {"headers": good["headers"] | {"webhook-id": "msg_2"}},
            "no signature": good | {"headers": {k: v for k, v in good["headers"].items() if "signature" not in k}},
            "plain": {"content": good["content"]},
        }[how]
        answer = await http.post("/hooks/orders", **sent)
        assert (answer.status_code, answer.json()["code"]) == (401, "SIGNATURE")
        assert answer.headers["content-type"] == "application/problem+json"
        assert await http.node.journal.decisions(_all()) == []
        assert await http.node.quarantined() == []
        assert counted(http.node) == {"orders:forged": 1}

    over_http(main)


def test_an_api_key_is_no_signature():
    async def run():
        async with served(shop()) as http:
            answer = await http.post("/hooks/orders", json={"item": "a"})
            assert answer.status_code == 401

    asyncio.run(run())


def test_while_a_secret_is_replaced_both_are_good(monkeypatch):
    async def main(http):
        for number, used in enumerate((SECRET, NEWER)):
            answer = await http.post("/hooks/orders", **message({"item": "a"}, id_=f"m{number}", secret=used))
            assert answer.status_code == 202
        monkeypatch.delenv("HOOK_SECRET")  # the old one is gone
        assert (await http.post("/hooks/orders", **message({"item": "a"}, "m3", NEWER))).status_code == 202
        assert (await http.post("/hooks/orders", **message({"item": "a"}, "m4", SECRET))).status_code == 401
        monkeypatch.delenv("HOOK_NEWER")
        answer = await http.post("/hooks/orders", **message({"item": "a"}, "m5", NEWER))
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "30")

    monkeypatch.setenv("HOOK_NEWER", NEWER)
    over_http(main, shop(secret=(env("HOOK_SECRET"), env("HOOK_NEWER"))))


BODIES = ["", "{", '{"nothing": 1}', "[]", '{"item": NaN}', "[" * 5000, '{"item": 7}', '"\\ud800"']


def test_what_cannot_be_understood_goes_to_quarantine():
    async def main(http):
        for number, body in enumerate(BODIES, 1):
            for _ in range(2):  # sent again it is not kept again
                answer = await http.post("/hooks/orders", **message(body, f"msg_{number}"))
                told = answer.json()
                assert (answer.status_code, told["id"], told["quarantine"] is not None) == (202, None, True)
            kept = await http.node.quarantined()
            assert (len(kept), kept[0].source) == (number, "shop")
            assert f'"msg_{number}"'.encode() in kept[0].signal
            assert b'"Order"' in kept[0].signal
        assert counted(http.node) == {"orders:quarantined": 2 * len(BODIES)}

    over_http(main)


def test_a_message_that_its_function_cannot_read_can_be_corrected_by_a_person():
    async def main(http):
        await http.post("/hooks/orders", **message({"article": "a"}))
        (entry,) = await http.node.quarantined()
        handle = await http.node.replay(entry.id, by="ana", payload={"item": "a", "count": 2})
        assert (handle.verdict.result, handle.decision.source, handle.decision.key) == ("admitted", "shop", "msg_1")

    over_http(main)


def test_what_fits_no_kind_at_all_is_kept_too():
    def odd(event):
        return {"a": 1}

    async def main(http):
        assert (await http.post("/hooks/orders", **message({"item": "a"}))).status_code == 202
        (entry,) = await http.node.quarantined()
        assert b"webhook:orders" in entry.signal

    over_http(main, shop(to=odd))


def test_a_signal_of_its_own_keeps_its_content_and_nothing_of_who_it_says_it_is():
    def made(event):
        return Signal(kind="Order", payload=event.body, source="evil", tenant="evil", key="evil", confidence=0.5)

    async def main(http):
        assert (await http.post("/hooks/orders", **message({"item": "a"}))).status_code == 202
        (row,) = await http.node.journal.decisions(_all())
        assert (row.source, row.tenant, row.key) == ("shop", "acme", "msg_1")

    over_http(main, shop(to=made))


def test_what_is_of_no_interest_is_nothing():
    async def main(http):
        assert (await http.post("/hooks/orders", **message({"type": "ping"}))).status_code == 204
        assert counted(http.node) == {"orders:ignored": 1}

    over_http(main)


def test_a_body_that_is_too_large_is_refused():
    async def main(http):
        answer = await http.post("/hooks/orders", **message({"item": "a" * 2_000_000}))
        assert answer.status_code == 413

    over_http(main)


def test_there_is_no_other_webhook():
    async def main(http):
        assert (await http.post("/hooks/other", **message({"item": "a"}))).status_code == 404
        assert (await http.get("/hooks/orders")).status_code == 405

    over_http(main)


def test_what_is_shed_is_to_be_sent_again():
    async def main(http):
        http.node.pipeline.inputs.closed = True
        answer = await http.post("/hooks/orders", **message({"item": "a"}))
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) >= 1
        http.node.pipeline.inputs.closed = False
        assert (await http.post("/hooks/orders", **message({"item": "a"}))).json()["duplicate"] is False

    over_http(main)


def test_news_of_a_pending_action_ends_it_once():
    async def main(http):
        handle = await http.node.submit(Order("slow"), source="local")
        news = {"parcel": "parcel-slow", "where": "at the door"}
        early = await http.post("/hooks/parcels", **message(news | {"parcel": "parcel-none"}, "n0"))
        assert (early.status_code, early.json()["code"]) == (404, "NOT_FOUND")
        while http.node.journal.state.open[handle.id].actions[0].state != "pending":
            await asyncio.sleep(0)
        told = await http.post("/hooks/parcels", **message(news, "n1"))
        assert (told.status_code, told.json()) == (202, {"ref": "parcel-slow", "new": True})
        outcome = await handle.outcome()
        assert (outcome.result, outcome.value) == ("succeeded", "at the door")
        again = await http.post("/hooks/parcels", **message(news, "n1"))
        assert (again.status_code, again.json()) == (202, {"ref": "parcel-slow", "new": False})

    over_http(main)


def github(body: bytes, secret: str, delivery: str = "d-1", event: str = "push") -> dict:
    said = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    headers = {"x-github-delivery": delivery, "x-github-event": event, "x-hub-signature-256": f"sha256={said}"}
    return {"content": body, "headers": headers | {"content-type": "application/json"}}


def test_deliveries_of_github(monkeypatch):
    monkeypatch.setenv("HOOK_SECRET", "It's a Secret to Everybody")
    seen = []

    def pushed(event: WebhookEvent) -> Order:
        seen.append(event.type)
        return Order(event.data["ref"])

    async def main(http):
        sent = github(b'{"ref": "refs/heads/main"}', "It's a Secret to Everybody")
        first = await http.post("/hooks/orders", **sent)
        again = await http.post("/hooks/orders", **sent)
        assert (first.status_code, first.json()["duplicate"], again.json()["duplicate"]) == (202, False, True)
        replayed = await http.post("/hooks/orders", **github(sent["content"], "It's a Secret to Everybody", "d-2"))
        assert replayed.json()["duplicate"]  # the id of a delivery is not signed
        (row,) = await http.node.journal.decisions(_all())
        assert (row.key[:7], seen) == ("sha256:", ["push", "push", "push"])
        for forged in (github(sent["content"], "other"), github(b"{}", "x") | {"headers": sent["headers"]}):
            assert (await http.post("/hooks/orders", **forged)).status_code == 401

    over_http(main, shop(to=pushed, scheme="github"))


@pytest.mark.parametrize("options", [{"scheme": "odd"}, {"secret": "whsec_x"}, {"secret": ()}, {"name": "a/b"},
                                     {"name": "orders"}, {"name": ""}])  # fmt: skip
def test_what_is_no_webhook_is_refused_while_the_app_is_built(options):
    app = shop()
    given = {"name": "more", "to": ordered, "secret": env("HOOK_SECRET"), "source": "shop"} | options
    with pytest.raises(DeclarationError):
        app.webhook(given.pop("name"), **given)

    async def to(event):
        return None

    with pytest.raises(DeclarationError):
        app.webhook("async", to=to, secret=env("HOOK_SECRET"), source="shop")


def _all():
    from lictor.journal.port import Filter

    return Filter()
