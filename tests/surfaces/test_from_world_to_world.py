"""End to end over real sockets: a signed webhook comes in at a served node on a file, a governed HTTP call goes out to
a real server, news of it comes in by another webhook, and the outcome goes home by a signed callback. Nothing of it is
told twice, and no secret is kept."""

import asyncio
import json
from base64 import b64encode
from dataclasses import dataclass
from datetime import UTC, datetime

import httpx2
from standardwebhooks import Webhook
from tests.outbound.site import Site

from lictor import App, Node, Resolve, Settings, WebhookEvent, allow, deny, env, report
from lictor.outbound import Guard, Outbound, http_effector
from lictor.surfaces.http.server import HttpServer
from lictor.surfaces.outreach import Outreach

SECRETS = {
    "SHOP_SECRET": f"whsec_{b64encode(b'canary-shop-canary-shop-').decode()}",
    "BANK_SECRET": f"whsec_{b64encode(b'canary-bank-canary-bank-').decode()}",
    "HOME_SECRET": f"whsec_{b64encode(b'canary-home-canary-home-').decode()}",
    "BANK_KEY": "canary-bank-key",
}


@dataclass(frozen=True)
class Refund:
    """What the shop decides."""

    order: str
    amount: int


def refunds(site: Site) -> App:
    app = App("refunds")
    cash = app.balance("cash", limit=1_000, per="tenant")
    app.source("shop")
    app.decision(order_by="order", expires_in_s=60)(Refund)
    here = f"127.0.0.1:{site.port}"

    @app.gate(Refund)
    def small(refund, state):
        return allow(cash.reserve(refund.amount)) if refund.amount <= 500 else deny("TOO_LARGE", limit=500)

    pay = http_effector(
        app,
        "pay",
        url=f"{site.url}/orders/{{order}}/refunds",
        secret=env("BANK_KEY"),
        idempotency_header="Idempotency-Key",
        pending="id",
        outbound=Outbound(Guard(allow=(here,))),
        retry_base_s=0.01,
        extra_work=1.0,
    )
    app.plan(Refund)(lambda refund: pay.action({"amount": refund.amount}, order=refund.order))

    def wanted(event: WebhookEvent) -> Refund:
        return Refund(event.data["order"], event.data["amount"])

    def paid(event: WebhookEvent) -> Resolve:
        news = report(
            event.id, final=True, result="succeeded", value={"paid": True}, settled={cash: event.data["paid"]}
        )
        return Resolve(event.data["refund"], news)

    app.webhook("shop", to=wanted, secret=env("SHOP_SECRET"), source="shop", tenant="acme")
    app.webhook("bank", to=paid, secret=env("BANK_SECRET"), source="shop")
    app.callback("shop", f"{site.url}/outcomes", secret=env("HOME_SECRET"), allow=(here,))
    return app


async def sends(http: httpx2.AsyncClient, hook: str, secret: str, id_: str, data: dict) -> httpx2.Response:
    """Whoever sends webhooks, with the library of Standard Webhooks."""
    body, now = json.dumps(data), datetime.now(UTC)
    said = Webhook(SECRETS[secret]).sign(id_, now, body)
    headers = {"webhook-id": id_, "webhook-timestamp": str(int(now.timestamp())), "webhook-signature": said}
    return await http.post(f"/hooks/{hook}", content=body, headers=headers | {"content-type": "application/json"})


def test_a_signed_webhook_becomes_an_http_call_and_its_outcome_goes_home(tmp_path, monkeypatch):
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)

    async def main():
        async with Site() as site:
            site.says("/orders/o%2F1/refunds", 503)  # the bank stumbles once
            site.says("/orders/o%2F1/refunds", 202, {"id": "re_7"})
            site.says("/outcomes", 204)
            settings = Settings(tune_collector=False)
            async with (
                Node(refunds(site), str(tmp_path / "refunds.db"), settings=settings) as node,
                Outreach(node),
                HttpServer(node, port=0) as server,
                httpx2.AsyncClient(base_url=server.url) as http,
            ):
                order = {"order": "o/1", "amount": 40}
                forged = await sends(http, "shop", "BANK_SECRET", "evt_1", order)
                assert forged.status_code == 401
                took = await sends(http, "shop", "SHOP_SECRET", "evt_1", order)
                assert (took.status_code, took.json()["verdict"]["result"]) == (202, "admitted")
                again = await sends(http, "shop", "SHOP_SECRET", "evt_1", order)
                assert (again.json()["id"], again.json()["duplicate"]) == (took.json()["id"], True)
                refused = await sends(http, "shop", "SHOP_SECRET", "evt_2", order | {"amount": 900})
                assert refused.json()["verdict"]["code"] == "TOO_LARGE"
                await site.arrived(2)
                while (
                    told := await sends(http, "bank", "BANK_SECRET", "evt_9", {"refund": "re_7", "paid": 39})
                ).is_error:
                    await asyncio.sleep(0)  # until the node has heard the bank's name for it
                assert told.json() == {"ref": "re_7", "new": True}
                await site.arrived(3)
                balance = node.journal.state.balances["cash", "acme"]
                assert (balance.settled(None), balance.reserved(None)) == (39, 0)
            first, second, home = site.came
            assert first.path == second.path == "/orders/o%2F1/refunds"
            assert first.headers["idempotency-key"] == second.headers["idempotency-key"]
            assert (second.json(), second.headers["authorization"]) == ({"amount": 40}, f"Bearer {SECRETS['BANK_KEY']}")
            said = Webhook(SECRETS["HOME_SECRET"]).verify(home.body, home.headers)
            assert (said["data"]["key"], said["data"]["outcome"]["result"]) == ("evt_1", "succeeded")
            assert said["data"]["outcome"]["value"] == {"paid": True}
        kept = b"".join(path.read_bytes() for path in tmp_path.iterdir())
        for secret in SECRETS.values():
            assert secret.encode() not in kept

    asyncio.run(main())
