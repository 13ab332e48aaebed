"""The authorization matrix: every route of the table, asked with every kind of credential, answers as it declares.

Generated from the table, so a route that is added is in it. Requests go through the whole application, to the point
where it begins to answer.
"""

import asyncio
import json
import re
import sys
from importlib.util import module_from_spec, spec_from_file_location

import msgspec
import pytest
from tests.surfaces.shell import PAYOUTS

from lictor import Node, Settings, Signal
from lictor.errors import DeclarationError
from lictor.records import Grant
from lictor.runtime.ids import id_text
from lictor.surfaces.access.door import Door
from lictor.surfaces.access.principal import ROLES, Permission, granted
from lictor.surfaces.access.secret import hash_of, token_text
from lictor.surfaces.http.route import Route
from lictor.surfaces.http.site import site
from lictor.surfaces.http.table import ROUTES

ALL = tuple(role.value for role in ROLES)
#: Roles, and what is different about each kind of credential.
KEYS = {
    **{f"key that may {role.value}": ((role.value,), {}) for role in ROLES},
    "key of no role": ((), {}),
    "key of a newer version's role": (("oversee",), {}),
    "key for another tenant": (tuple(role for role in ALL if role != "admin"), {"tenants": ("globex",)}),
    "key for another source": (("submit", "read", "operate"), {"sources": ("agent-9",)}),
    "expired key": (ALL, {"expires_us": 1}),
    "revoked key": (ALL, {"revoked_us": 1}),
}
BAD = ("nothing", "garbage", "key that nobody made", "key with another's secret", "basic", "expired key", "revoked key")
SCOPED = ("key for another tenant", "key for another source")
SESSIONS = ("cookie with its token", "cookie alone", "cookie that nobody gave")
CANARY = "account-canary-7c1f"


def id_of(name: str) -> str:
    return re.sub("[^a-z]", "", name)


def of(name: str, roles, more) -> Grant:
    fields = {"sources": None, "tenants": None} | more
    return Grant(
        id=id_of(name), name=id_of(name), hash=hash_of(id_of(name), "s"), roles=roles, made_us=1, by="t", **fields
    )


def headers_of(name: str, door: Door) -> dict[str, str]:
    """What shows this kind of credential."""
    if name in SESSIONS:
        cookie = door.sessions.begin(id_of("key that may admin")) if name != SESSIONS[2] else "x" * 52
        shown = {"cookie": f"{door.cookie}={cookie}", "sec-fetch-site": "same-origin"}
        return shown | ({"x-csrf-token": door.of_cookie(cookie).session} if name == SESSIONS[0] else {})
    told = {
        "nothing": None,
        "garbage": "Bearer garbage",
        "basic": "Basic b2xnYTpzZWNyZXQ=",
        "key that nobody made": f"Bearer {token_text('nobody', 's')}",
        "key with another's secret": f"Bearer {token_text(id_of('key that may admin'), 'z')}",
    }.get(name, f"Bearer {token_text(id_of(name), 's')}")
    return {} if told is None else {"authorization": told}


async def ask(app, route: Route, path: str, headers: dict[str, str], body: bytes = b"{}"):
    """Status, code and text of the answer, as far as it comes before it waits for something."""
    given = {"host": "localhost", "content-type": "application/json", "accept": "*/*"} | headers
    pairs = [(name.encode(), value.encode()) for name, value in given.items()]
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": route.method, "scheme": "http",
        "path": path, "raw_path": path.encode(), "query_string": b"", "root_path": "", "headers": pairs,
        "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 80), "state": {},
    }  # fmt: skip
    messages = [{"type": "http.request", "body": body, "more_body": False}]
    started, told, whole = asyncio.get_running_loop().create_future(), bytearray(), asyncio.Event()

    async def receive():
        if not messages:
            await asyncio.Event().wait()
        return messages.pop()

    async def send(message):
        if message["type"] == "http.response.start" and not started.done():
            started.set_result((message["status"], dict(message["headers"])))
        elif message["type"] == "http.response.body":
            told.extend(message.get("body", b""))
            if not message.get("more_body"):
                whole.set()

    task = asyncio.create_task(app(scope, receive, send))
    await asyncio.wait([task, started], return_when=asyncio.FIRST_COMPLETED)
    if task.done() and task.exception() is not None:
        raise task.exception()
    status, answered = await started
    if b"event-stream" not in answered.get(b"content-type", b""):
        await whole.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    code = None
    if answered.get(b"content-type", b"").startswith(b"application/problem+json"):
        code = json.loads(told)["code"]
    return status, code, told.decode("utf-8", "replace"), answered


@pytest.fixture
def within(tmp_path, monkeypatch):
    """Runs `main(app, node, decision)` on a node that has all keys, and holds a decision of acme's agent-7."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "payouts.py").write_text(PAYOUTS.replace('"a-18"', f'"a-18", "{CANARY}"'))
    spec = spec_from_file_location("payouts", tmp_path / "payouts.py")
    module = module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "payouts", module)
    spec.loader.exec_module(module)
    module.app.sources.clear()  # whoever has a credential is a source

    async def started(main):
        async with Node(module.app, "memory:", settings=Settings(tune_collector=False)) as node:
            await node.set_grants(*(of(name, roles, more) for name, (roles, more) in KEYS.items()))
            payload = msgspec.json.encode({"account": CANARY, "amount": 600})
            handle = await node.submit(
                Signal(kind="Payout", payload=payload, source="agent-7", tenant="acme", key=f"{CANARY}-key")
            )
            again = msgspec.json.encode({"account": CANARY, "amount": 601})
            stands = await node.submit(Signal(kind="Payout", payload=again, source="agent-7", tenant="acme"))
            await node.approve(stands.id, by="boss", again_for_s=600)
            await main(site(node, Door(node)), node, handle)

    return lambda main: asyncio.run(started(main))


def paths() -> list[Route]:
    return sorted(ROUTES, key=lambda route: (route.path == "/logout", route.path, route.method))


def filled(route: Route, what: str) -> str:
    """Its path, with this decision wherever it names something."""
    return re.sub(r"\{[^}]*\}", what, route.path)


@pytest.mark.parametrize("name", [*BAD, *(name for name in KEYS if name not in BAD), *SESSIONS])
def test_every_route_answers_this_credential_as_it_declares(name, within) -> None:
    async def main(app, node, handle):
        wrong = []
        for route in paths():
            shown = headers_of(name, app.door)
            status, code, *_ = await ask(app, route, filled(route, "nothing"), shown)
            refused = {"UNAUTHENTICATED": 401, "FORBIDDEN": 403, "CROSS_SITE": 403}.get(code)
            if name == "cookie alone" and route.method not in {"GET", "HEAD"}:
                wanted = "CROSS_SITE"
            elif route.permission is Permission.PUBLIC:
                wanted = None
            elif name in BAD or name == SESSIONS[2]:
                wanted = "UNAUTHENTICATED"
            else:
                held = granted(KEYS[name][0]) if name in KEYS else granted(("admin",))
                wanted = None if route.permission in held else "FORBIDDEN"
            if (wanted is None) != (refused is None) or (wanted is not None and (code, status) != (wanted, refused)):
                wrong.append((route.method, route.path, route.permission.value, status, code, "declared:", wanted))
        assert wrong == []

    within(main)


@pytest.mark.parametrize("name", SCOPED)
def test_nothing_of_another_tenant_or_source_is_told_or_touched(name, within) -> None:
    async def main(app, node, handle):
        before = [row.verb async for row in node.journal.scan()]
        told = []
        for route in paths():
            for what in (id_text(handle.id), f"{CANARY}-key"):
                if "{" in route.path or what.startswith("0"):
                    status, _, text, _ = await ask(app, route, filled(route, what), headers_of(name, app.door))
                    if "{" in route.path and route.permission is not Permission.PUBLIC and status < 400:
                        told.append((route.method, route.path, status, "found"))
                    echoed = text.replace(filled(route, what), "").replace(what, "")
                    if CANARY in echoed or "agent-7" in echoed:
                        told.append((route.method, route.path, status, echoed[:200]))
        assert told == []
        about = [row.verb async for row in node.journal.scan()][len(before) :]
        assert not [verb for verb in about if getattr(verb, "decision", None) == handle.id]
        assert node.journal.state.open[handle.id].state == "held"
        assert not node.journal.state.halts
        assert len(node.journal.state.standing) == 1

    within(main)


def test_the_canary_is_found_by_who_may_see_it(within) -> None:
    """Else the test above could not fail."""

    async def main(app, node, handle):
        (route,) = [r for r in ROUTES if (r.method, r.path) == ("GET", "/v1/decisions/{what}")]
        status, _, text, _ = await ask(
            app, route, filled(route, id_text(handle.id)), headers_of("key that may read", app.door)
        )
        assert (status, CANARY in text) == (200, True)

    within(main)


def test_source_and_tenant_of_what_is_submitted_are_the_credentials(within) -> None:
    async def main(app, node, handle):
        (route,) = [r for r in ROUTES if (r.method, r.path) == ("POST", "/v1/decisions")]
        for name in SCOPED:
            for claimed in ({"tenant": "acme", "source": "agent-7"}, {"source": "agent-7"}, {"tenant": "acme"}, {}):
                body = msgspec.json.encode({"kind": "Payout", "payload": {"account": CANARY, "amount": 1}, **claimed})
                await ask(app, route, route.path, headers_of(name, app.door), body)
        rows = [row.verb.decision async for row in node.journal.scan() if row.event == "admit"]
        mine = {(d.source, d.tenant) for d in rows if d.id != handle.id and b"601" not in d.payload}
        assert ("agent-9", "default") in mine
        assert all(source == "agent-9" or tenant == "globex" for source, tenant in mine)

    within(main)


def test_a_route_without_a_permission_cannot_be_built() -> None:
    with pytest.raises(TypeError):
        Route("GET", "/x", answer=ask, summary="")  # type: ignore[call-arg]
    for permission in (None, "read", True):
        with pytest.raises(DeclarationError, match="declares no permission"):
            Route("GET", "/x", permission, ask, "")


def test_what_is_public_is_known() -> None:
    """Each of these is read by anybody who reaches the port; the list grows by intention alone."""
    public = {(route.method, route.path) for route in ROUTES if route.permission is Permission.PUBLIC}
    assert {path for _, path in public} <= {
        "/healthz", "/readyz", "/openapi.json", "/login", "/logout", "/login.css", "/hooks/{name}",
        "/static/{name:path}", "/favicon.ico",
    }  # fmt: skip


@pytest.mark.parametrize("status", [401, 403, 404, 421])
def test_who_is_refused_is_told_nothing_of_what_is_inside(status, within) -> None:
    async def main(app, node, handle):
        (route,) = [r for r in ROUTES if (r.method, r.path) == ("GET", "/v1/decisions/{what}")]
        asked = {401: {}, 403: headers_of("key that may submit", app.door), 404: headers_of(SCOPED[0], app.door)}
        shown = asked.get(status, {"host": "evil.example"})
        got, _, text, headers = await ask(app, route, filled(route, id_text(handle.id)), shown)
        assert (got, CANARY in text, "Traceback" in text) == (status, False, False)
        assert headers[b"cache-control"] == b"no-store"

    within(main)
