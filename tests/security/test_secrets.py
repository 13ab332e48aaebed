"""Canaries: a secret in every place where one may be given is found in no place where somebody looks.

The journal keeps what was decided, so a secret in a payload is in it and nowhere else; all others are not even there.
"""

import asyncio
import io
import json
import logging
from base64 import b64encode
from dataclasses import dataclass
from datetime import UTC, datetime

from standardwebhooks import Webhook
from tests.surfaces.http.served import client

from lictor import App, Call, EffectFailed, Node, Secret, Settings, allow, deny, env
from lictor.runtime.ids import id_number
from lictor.surfaces.access.keys import make
from lictor.surfaces.http.server import HttpServer
from lictor.surfaces.http.table import ROUTES

PAYLOAD = "canary-payload-9f2c"
EFFECTOR = "canary-effector-51de"
HELD = "canary-secret-object-7aa0"
HOOK = f"whsec_{b64encode(b'canary-webhook-77aa-0123456789ab').decode()}"
#: Who submits is told what its gates saw, and the feed has the results, as they are: they are its own.
OWN = frozenset({"answer 2", "answer 3", "answer 4", "/v1/outcomes"})


@dataclass(frozen=True)
class Charge:
    how: str
    card_token: str
    note: str


def charges() -> App:
    app = App("charges")
    app.decision()(Charge)

    @app.gate(Charge)
    def fine(charge, state):
        if charge.how == "denies":
            return deny("BAD_CARD", card_token=charge.card_token, why=f"token={charge.card_token}")
        if charge.how == "raises in the gate":
            raise ValueError(f"bad token={charge.card_token}")
        return allow()

    @app.effector(idempotent=True, timeout_s=5)
    async def take(call: Call, how: str, card_token: str):
        key, held = env("TAKE_KEY").reveal(), Secret(HELD)
        if how == "raises":
            raise EffectFailed(f"refused: authorization: Bearer {key}, secret={held.reveal()}, token={card_token}")
        return {"card_token": card_token, "held": str(held)} if how == "returns" else "taken"

    app.plan(Charge)(lambda charge: take.action(charge.how, charge.card_token))
    app.webhook(
        "cards", to=lambda event: Charge("by hook", event.data["token"], "x"), secret=env("HOOK_SECRET"), source="shop"
    )
    return app


async def provoke(http, token: str) -> list[str]:
    """Do what goes well and what goes wrong, each with a secret in it; all answers."""
    told = []
    for how in ("fine", "raises", "denies", "raises in the gate", "returns"):
        payload = {"how": how, "card_token": PAYLOAD, "note": f"password={PAYLOAD}"}
        asked = {"kind": "Charge", "payload": payload, "key": how}
        told.append(await http.post("/v1/decisions", json=asked, headers={"prefer": "wait=5"}))
    wrong = ({"card_token": PAYLOAD}, {"how": 1, "card_token": PAYLOAD, "note": ""}, [PAYLOAD])
    told += [await http.post("/v1/decisions", json={"kind": "Charge", "payload": payload}) for payload in wrong]
    told.append(await http.get("/v1/decisions", headers={"authorization": f"Bearer {token}x"}))
    told.append(await http.post("/login", data={"key": f"{token}x"}))
    told.append(await http.post("/v1/keys", json={"name": token, "roles": ["read"]}))
    told.append(await http.delete(f"/v1/keys/{token}"))
    hook = Webhook(HOOK)
    now = datetime.now(UTC)
    body = json.dumps({"type": "card", "token": PAYLOAD})
    for name, signature in (("good", hook.sign("good", now, body)), ("bad", "v1,AAAA")):
        headers = {"webhook-id": name, "webhook-timestamp": str(int(now.timestamp())), "webhook-signature": signature}
        told.append(
            await http.post("/hooks/cards", content=body, headers=headers | {"content-type": "application/json"})
        )
    return [response.text + str(response.headers) for response in told]


async def looked_at(http, node) -> dict[str, str]:
    """All that can be looked at: every page and every answer that only reads, of the node and of each decision."""
    found = {}
    rows = (await http.get("/v1/decisions")).json()
    ids = [row["id"] for row in (rows if isinstance(rows, list) else rows["decisions"])]
    assert len(ids) >= 5
    for route in ROUTES:
        if route.method != "GET" or "event" in route.path or route.path == "/mcp":
            continue
        for id_ in ids if "{" in route.path and "decision" in route.path else ["nothing"]:
            path = route.path.replace("{what}", id_).replace("{id}", id_).replace("{key}", id_)
            if "{" in path:
                path = path.split("{")[0] + id_
            response = await http.get(path, headers={"accept": "text/html, */*"})
            assert response.status_code < 500, (path, response.text)
            found[path] = response.text + str(response.headers)
    found["metrics"] = str(node.metrics())
    found["repr"] = repr(node.journal.state.grants) + repr(node.app.__dict__)
    found["manifest"] = json.dumps(node.app.manifest(), default=str)
    for id_ in ids:
        found[f"timeline {id_}"] = "\n".join((await node.timeline(id_number(id_))).lines())
    return found


def test_no_secret_is_found_where_somebody_looks(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TAKE_KEY", EFFECTOR)
    monkeypatch.setenv("HOOK_SECRET", HOOK)
    logged = io.StringIO()
    handler = logging.StreamHandler(logged)
    handler.addFilter(lambda record: not record.name.startswith(("http", "hpack")))  # the client's own
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    secrets: dict[str, str] = {"payload": PAYLOAD, "effector": EFFECTOR, "held": HELD, "hook": HOOK, "hook's": HOOK[6:]}

    async def main():
        async with (
            Node(charges(), "charges.db", settings=Settings(tune_collector=False)) as node,
            HttpServer(node, port=0) as server,
        ):
            made = make(
                {}, "olga", roles=["admin"], sources=None, tenants=None, expires_in_s=None, by="t",
                now_us=node.clock.wall_us(), random=node.randomness.bytes,
            )  # fmt: skip
            await node.set_grants(made.grant)
            token = made.token
            secrets["key"] = token.split("_")[2]
            async with client(server, token) as http, client(server) as browser:
                cookie = (await browser.post("/login", data={"key": token})).headers["set-cookie"]
                secrets["cookie"] = cookie.partition("=")[2].partition(";")[0]
                answers = await provoke(http, token)
                looked = await looked_at(http, node)
            return {f"answer {n}": text for n, text in enumerate(answers)} | looked

    try:
        found = asyncio.run(main())
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
    found["log"] = logged.getvalue()
    assert "olga" in found["log"] or "key_set" in found["log"]
    leaked = [
        (where, name, text[max(0, text.find(secret) - 120) : text.find(secret) + 60])
        for where, text in found.items()
        for name, secret in secrets.items()
        if secret in text and not (name == "payload" and where in OWN)
    ]
    assert not leaked, "\n".join(map(str, leaked))
    stored = b"".join(path.read_bytes() for path in tmp_path.iterdir() if path.is_file())
    assert PAYLOAD.encode() in stored  # what was decided is kept
    assert [name for name, secret in secrets.items() if secret.encode() in stored and name != "payload"] == []
