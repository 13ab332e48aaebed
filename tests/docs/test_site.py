"""The documentation builds as a site without a warning, all its links lead somewhere, and it asks no other host."""

from __future__ import annotations

import re
import threading
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from tests.docs.page import DOCS
from website.building import build, contents
from website.drawing import draw, lanes
from website.links import faults

from lictor import lifecycle


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    return build(tmp_path_factory.mktemp("site"))


@pytest.fixture
def page(tmp_path):
    """Makes a site of one page with this in its body, and the faults of it."""

    def page(body: str) -> list[str]:
        (tmp_path / "index.html").write_text(f'<html><body><h1 id="top">x</h1>{body}</body></html>')
        (tmp_path / "other.html").write_text('<h1 id="there">x</h1>')
        return [fault.partition(": ")[2] for fault in faults(tmp_path)]

    return page


def test_every_link_leads_somewhere_and_nothing_comes_from_another_host(site: Path) -> None:
    assert faults(site) == []
    assert len(list(site.rglob("*.html"))) > 40


def test_every_page_is_in_the_contents() -> None:
    config = tomllib.loads(contents())
    listed = set(re.findall(r"[\w/-]+\.md", str(config["project"]["nav"])))
    written = {path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")} - {"adr/template.md"}
    generated = {name for name in listed if name.startswith("reference/")}
    assert written == listed - generated


def test_the_generator_s_own_warnings_stop_the_build(tmp_path: Path, monkeypatch) -> None:
    def gather_wrongly(folder: Path) -> Path:
        source = folder / "source"
        source.mkdir()
        (source / "index.md").write_text("[nowhere](nowhere.md)")
        return source

    monkeypatch.setattr("website.building.gather", gather_wrongly)
    with pytest.raises(RuntimeError, match="does not exist"):
        build(tmp_path)


def test_state_diagrams_are_drawn_and_need_no_script(site: Path) -> None:
    text = (site / "ARCHITECTURE.html").read_text()
    assert text.count('<div class="diagram"><svg') == 2
    assert 'class="mermaid"' not in text


def test_a_drawing_has_every_transition() -> None:
    drawn = lanes(lifecycle.mermaid("action"))
    told = re.search(r'aria-label="([^"]+)"', drawn)[1]
    for (state, event), transition in lifecycle.ACTION.items():
        where = "stays" if transition.to == state else f"to {transition.to}"
        assert re.search(rf"\b{event}: [^;]*\b{state}\b[^;]* {where}\b", told), (state, event)
    with pytest.raises(ValueError, match="only state diagrams"):
        draw("flowchart LR\n a --> b", "mermaid", "diagram", {}, None)


def test_a_browser_asks_no_other_host_for_anything(site: Path) -> None:
    sync_api = pytest.importorskip("playwright.sync_api")
    if not Path("/usr/bin/chromium").exists():
        pytest.skip("no chromium at /usr/bin/chromium")
    asked: list[str] = []
    with serving(site) as address, sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium")
        page = browser.new_page()
        page.on("request", lambda request: asked.append(request.url))
        for name in ("index", "ARCHITECTURE", "reference/cli"):
            page.goto(f"{address}/{name}.html")
            page.wait_for_load_state("networkidle")
        browser.close()
    assert len(asked) > 10
    assert [url for url in asked if not url.startswith(address)] == []


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


# -- what the checker is there for, it finds --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ('<a href="gone.html">x</a>', "gone.html: no such file"),
        ('<a href="other.html#gone">x</a>', "other.html#gone: no such anchor"),
        ('<a href="#gone">x</a>', "#gone: no such anchor"),
        ('<img src="gone.png" alt="x">', "gone.png: no such file"),
        ('<img src="index.html">', "1 images without a text for who does not see them"),
        ('<i id="a"></i><i id="a"></i>', "2 times the anchor a"),
        ('<script src="https://cdn.example/x.js"></script>', "loads https://cdn.example/x.js"),
        ('<script src="//cdn.example/x.js"></script>', "loads //cdn.example/x.js"),
        ('<link rel="preconnect" href="https://fonts.example">', "loads https://fonts.example"),
        ("<style>@import url('https://fonts.example/x');</style>", "loads https://fonts.example/x"),
        ('<p style="background: url(https://x.example/y.png)"></p>', "loads https://x.example/y.png"),
    ],
)
def test_it_is_found(page, body: str, fault: str) -> None:
    assert page(body) == [fault]


def test_what_leads_somewhere_is_no_fault(page) -> None:
    assert page('<a href="other.html#there">x</a><a href="https://other.example">y</a><a href="#top">z</a>') == []


def test_a_sheet_that_asks_another_host_is_found(page, tmp_path: Path) -> None:
    (tmp_path / "x.css").write_text("@font-face { src: url(https://fonts.example/f.woff2) }")
    assert page("") == ["loads https://fonts.example/f.woff2"]
