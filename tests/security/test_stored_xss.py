"""Stored-XSS canaries: script in every text that somebody from outside can store, and every page in a real browser.

The browser is told to ignore the pages' content security policy, which would hide a text that is not escaped.
"""

import asyncio
import threading
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.surfaces.http.served import key

from lictor import App, Call, EffectFailed, LictorError, Node, Quality, Range, Settings, Signal, allow, deny, hold
from lictor.runtime.ids import id_text
from lictor.surfaces.http.server import HttpServer

CHROMIUM = Path("/usr/bin/chromium")
CANARY = """x"'><img src=x onerror="window.fired=1"><script>window.fired=1</script><svg onload=window.fired=1>"""
PAGES = (
    "/", "/decisions", "/decisions?state=refused", "/approvals", "/budgets", "/sources", "/effectors", "/quality",
    "/quarantine", "/rehearse", "/audit", "/halt",
)  # fmt: skip


@dataclass(frozen=True)
class Note:
    how: str
    text: str
    amount: int = 1


def notes() -> App:
    app = App("notes")
    cash = app.balance("cash", limit=1_000_000, per="tenant")
    app.source("feed", quality=Quality(ranges={"amount": Range(1, 10)}))
    for name in ("agent", CANARY):
        app.source(name)
    app.decision(order_by="text", expires_in_s=600, approve_within_s=500)(Note)

    @app.gate(Note)
    def judged(note, state):
        seen = {"text": note.text, CANARY: note.text}
        if note.how == "deny":
            return deny("NO", **seen)
        return hold("ASK", **seen) if note.how == "hold" else allow(cash.reserve(note.amount))

    @app.effector(idempotent=False, timeout_s=5)
    async def write(call: Call, how: str, text: str):
        if how == "fail":
            raise EffectFailed(text)
        if how == "doubt":
            raise RuntimeError(text)
        return {text: text}

    app.plan(Note)(lambda note: write.action(note.how, note.text))
    return app


async def store(node: Node) -> list[str]:
    """Put the canary wherever a source, an operator or the world can put a text; ids of the decisions."""
    ids = []
    for how in ("write", "deny", "hold", "hold too", "fail", "doubt"):
        value = Note("hold" if how.startswith("hold") else how, CANARY)
        signal = Signal(kind="Note", value=value, source=CANARY, tenant=CANARY, key=f"{how}{CANARY}", position=CANARY)
        ids.append((await node.submit(signal)).id)
    await node.approve(ids[2], by="olga", approved=False, reason=CANARY)
    await node.submit(Signal(kind="Note", value=Note("write", CANARY, 99), source="feed", key=CANARY, position=CANARY))
    await node.submit(Signal(kind=CANARY, payload=b"{}", source="agent", key=CANARY))
    await node.halt(f"tenant:{CANARY}", by=CANARY, reason=CANARY)
    await node.set_limit("cash", 5, scope=CANARY, by=CANARY)
    for steer in (node.cancel(ids[5], by=CANARY, reason=CANARY), node.cancel(ids[3], by="x", reason=CANARY)):
        with suppress(LictorError):
            await steer
    held = Signal(kind="Note", value=Note("hold", CANARY), source="agent", key=CANARY)
    ids.append((await node.submit(held)).id)
    return [id_text(id_) for id_ in ids]


@pytest.fixture(scope="module")
def stand():
    """Where it is served, a key, and the decisions."""
    loop, ready, over = asyncio.new_event_loop(), threading.Event(), asyncio.Event()
    told = {}

    async def main():
        async with Node(notes(), settings=Settings(tune_collector=False)) as node, HttpServer(node, port=0) as server:
            told.update(url=server.url, key=await key(node, "olga", "admin"), ids=await store(node))
            told["entries"] = [id_text(entry.id) for entry in await node.quarantined()]
            ready.set()
            await over.wait()

    thread = threading.Thread(target=lambda: loop.run_until_complete(main()), daemon=True)
    thread.start()
    assert ready.wait(30)
    yield told
    loop.call_soon_threadsafe(over.set)
    thread.join(20)
    loop.close()


@pytest.fixture(scope="module")
def page(stand):
    if not CHROMIUM.exists():
        pytest.skip(f"no browser: {CHROMIUM} is not there (apt-get install chromium)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM))
        context = browser.new_context(bypass_csp=True, extra_http_headers={"authorization": f"Bearer {stand['key']}"})
        yield context.new_page()
        browser.close()


def harm(page) -> list[str]:
    """What of the canary came to life."""
    page.wait_for_load_state("load")
    alive = page.evaluate("[...document.querySelectorAll('[onerror], [onload], img[src=x]')].map(e => e.outerHTML)")
    return alive + (["it fired"] if page.evaluate("window.fired === 1") else [])


def test_the_canary_fires_where_it_is_not_escaped(page) -> None:
    page.set_content(f"<p>{CANARY}</p>")
    page.wait_for_function("window.fired === 1")
    assert harm(page)


def test_no_text_that_was_stored_comes_to_life(page, stand) -> None:
    paths = [*PAGES, *(f"/decisions/{id_}" for id_ in stand["ids"]), *(f"/quarantine/{e}" for e in stand["entries"])]
    shown, found = 0, {}
    for path in paths:
        response = page.goto(stand["url"] + path)
        assert response.status == 200, (path, response.status)
        shown += "window.fired=1" in page.inner_text("body")
        if alive := harm(page):
            found[path] = alive
    assert found == {}
    assert shown >= len(stand["ids"])  # the texts are there, as texts
