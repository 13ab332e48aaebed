"""Pictures of every page, at desktop and phone width, dark and light, of a node that is busy: for people to look at.

python -m tests.surfaces.dashboard.pictures out/surfaces/pages
"""

from __future__ import annotations

import asyncio
import logging
import sys
from pathlib import Path

from playwright.async_api import Browser, async_playwright
from tests.surfaces.dashboard.stand import key, load, served

from lictor.journal.port import Filter
from lictor.runtime.ids import id_text

CHROMIUM = "/usr/bin/chromium"
WIDTHS = {"desktop": (1280, 860), "phone": (390, 844)}
PAGES = {
    "flow": "/",
    "decisions": "/decisions",
    "refused": "/decisions?state=refused",
    "approvals": "/approvals",
    "budgets": "/budgets",
    "sources": "/sources",
    "effectors": "/effectors",
    "quality": "/quality",
    "quarantine": "/quarantine",
    "rehearse": "/rehearse",
    "audit": "/audit",
    "halt": "/halt",
}
#: Seconds of load before the pictures: quality is known after ten.
WARM_S = 16.0


async def main(out: Path, names: list[str], looks: list[str]) -> None:
    """All of them."""
    logging.getLogger("lictor").setLevel(logging.ERROR)
    out.mkdir(parents=True, exist_ok=True)
    async with served() as (node, server), async_playwright() as playwright:
        token = await key(node, "ana", "admin")
        await key(node, "billing", "submit", sources=["billing"])
        busy = asyncio.create_task(load(node))
        browser = await playwright.chromium.launch(executable_path=CHROMIUM)
        await node.halt("kind:Message", by="ben", reason="wording under review")
        await asyncio.sleep(WARM_S / 2)
        await node.resume("kind:Message", by="ben")
        await asyncio.sleep(WARM_S / 2)
        pages = dict(PAGES)
        for name, wanted in (
            ("refused one", Filter(code="ACCOUNT_UNKNOWN", limit=1)),
            ("failed one", Filter(state="failed", limit=1)),
        ):
            pages[name] = f"/decisions/{id_text((await node.journal.decisions(wanted))[0].id)}"
        kept = await node.journal.quarantined(None, 1)
        pages["entry"] = f"/quarantine/{id_text(kept[0].id)}"
        pages = {name: path for name, path in pages.items() if not names or name in names}
        for look in looks:
            await _take(browser, server.url, token, pages, look, out)
        busy.cancel()
        await asyncio.gather(busy, return_exceptions=True)
        await browser.close()


async def _take(browser: Browser, url: str, token: str, pages: dict[str, str], look: str, out: Path) -> None:
    width, theme = look.split("-")
    size = WIDTHS[width]
    context = await browser.new_context(viewport={"width": size[0], "height": size[1]}, color_scheme=theme)
    page = await context.new_page()
    page.on("console", lambda said: print(f"  {look}: {said.type}: {said.text}") if said.type == "error" else None)
    page.on("pageerror", lambda error: print(f"  {look}: {error}"))
    await page.goto(f"{url}/login")
    await page.fill("#key", token)
    await page.press("#key", "Enter")
    await page.wait_for_selector("main")
    for name, path in pages.items():
        await page.goto(url + path)
        await page.wait_for_timeout(700)
        wide = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        if wide > 0:
            print(f"  {look} {name}: {wide} px too wide")
        await page.screenshot(path=out / f"{name.replace(' ', '-')}-{look}.png", full_page=True)
    await context.close()


if __name__ == "__main__":
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "out/surfaces/pages")
    every = [f"{width}-{theme}" for width in WIDTHS for theme in ("light", "dark")]
    chosen = [name for name in sys.argv[2:] if name not in every]
    asyncio.run(main(folder, chosen, [look for look in every if look in sys.argv[2:]] or every))
