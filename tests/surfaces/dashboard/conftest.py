from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.surfaces.dashboard.stand import key, served

CHROMIUM = Path("/usr/bin/chromium")


class Stand:
    """A served node on a loop of its own, in a thread, for tests that drive it from outside."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._made = served()
        self.node, server = self.do(self._made.__aenter__())
        self.url = server.url
        self.admin = self.do(key(self.node, "ana", "admin"))

    def do(self, work: Coroutine[Any, Any, Any]) -> Any:
        """What it gives, when it is done on the node's loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(20)

    def submit(self, value: Any, **options: Any) -> Any:
        """The handle of one decision."""
        return self.do(self.node.submit(value, **({"tenant": "acme", "source": "agent-7"} | options)))

    def close(self) -> None:
        """Stop it."""
        self.do(self._made.__aexit__(None, None, None))
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()


@pytest.fixture(scope="module")
def stand() -> Iterator[Stand]:
    made = Stand()
    yield made
    made.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if not CHROMIUM.exists():
        pytest.skip(f"no browser: {CHROMIUM} is not there (apt-get install chromium)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=str(CHROMIUM))
        yield made
        made.close()


@pytest.fixture(scope="module")
def tab(stand, browser) -> Iterator[Any]:
    """A tab that has logged in as admin; what the console complains of fails the test that caused it."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    page.set_default_timeout(8_000)
    page.goto(f"{stand.url}/login")
    page.fill("#key", stand.admin)
    page.press("#key", "Enter")
    page.wait_for_selector("h1")
    yield page
    context.close()


@pytest.fixture
def visit(tab, stand):
    """Go to a page; nothing may be complained of on the console while it is looked at."""
    complaints: list[str] = []
    hear = lambda said: complaints.append(said.text) if said.type in {"error", "warning"} else None  # noqa: E731
    tab.on("console", hear)
    tab.on("pageerror", lambda error: complaints.append(str(error)))

    def go(path: str) -> Any:
        tab.goto(stand.url + path)
        return tab

    yield go
    tab.remove_listener("console", hear)
    assert not [c for c in complaints if "409" not in c and "404" not in c]
