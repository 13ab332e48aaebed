"""Checks a built site from its pages alone: every link and image leads somewhere, and nothing asks another host.

A link that a reader may click may lead to another host; what a browser loads by itself may not.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

#: Tag and attribute of what a browser loads without being asked.
LOADED = {
    ("script", "src"),
    ("img", "src"),
    ("iframe", "src"),
    ("source", "src"),
    ("video", "src"),
    ("audio", "src"),
    ("object", "data"),
    ("embed", "src"),
    ("use", "href"),
    ("image", "href"),
}
#: Kinds of <link> that load nothing.
NOT_LOADED = {"canonical", "alternate", "next", "prev"}
CSS_LOADS = re.compile(r"(?:@import\s+(?:url\()?|url\()\s*[\"']?(?!data:|#)([^\"')\s]+)")


@dataclass
class Page(HTMLParser):
    """What one page has and where it leads."""

    path: Path
    anchors: Counter[str] = field(default_factory=Counter)
    links: list[str] = field(default_factory=list)
    loads: list[str] = field(default_factory=list)
    unnamed: int = 0

    def __post_init__(self) -> None:
        super().__init__()
        self._in_style = False
        self.feed(self.path.read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self._in_style = tag == "style"
        if anchor := given.get("id"):
            self.anchors[anchor] += 1
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        if tag == "img" and not given.get("alt"):
            self.unnamed += 1
        if tag == "link" and "href" in given and not NOT_LOADED & set(given.get("rel", "").split()):
            self.loads.append(given["href"])
        self.loads += [value for name, value in given.items() if (tag, name) in LOADED]
        self.loads += CSS_LOADS.findall(given.get("style", ""))

    def handle_data(self, data: str) -> None:
        if self._in_style:
            self.loads += CSS_LOADS.findall(data)

    def handle_endtag(self, tag: str) -> None:
        self._in_style = False


def faults(site: Path) -> list[str]:
    """What is wrong with a site, a line each."""
    pages = {path.resolve(): Page(path) for path in sorted(site.rglob("*.html"))}
    found = [fault for page in pages.values() for fault in _of(page, pages, site)]
    for sheet in sorted(site.rglob("*.css")):
        loads = filter(_elsewhere, CSS_LOADS.findall(sheet.read_text()))
        found += [f"{sheet.relative_to(site)}: loads {target}" for target in loads]
    return found


def _of(page: Page, pages: dict[Path, Page], site: Path) -> list[str]:
    name = page.path.relative_to(site)
    found = [f"{name}: {count} times the anchor {anchor}" for anchor, count in page.anchors.items() if count > 1]
    if page.unnamed:
        found.append(f"{name}: {page.unnamed} images without a text for who does not see them")
    found += [f"{name}: loads {target}" for target in page.loads if _elsewhere(target)]
    for target in page.links + page.loads:
        if not _elsewhere(target) and (fault := _leads_nowhere(target, page, pages, site)):
            found.append(f"{name}: {target}: {fault}")
    return found


def _elsewhere(target: str) -> bool:
    parts = urlsplit(target)
    return bool(parts.netloc) or parts.scheme not in {"", "data"}


def _leads_nowhere(target: str, page: Page, pages: dict[Path, Page], site: Path) -> str | None:
    parts = urlsplit(target)
    if parts.scheme:
        return None
    start = site if parts.path.startswith("/") else page.path.parent
    path = (start / unquote(parts.path).lstrip("/")).resolve() if parts.path else page.path.resolve()
    if path.is_dir():
        path /= "index.html"
    if not path.is_file():
        return "no such file"
    anchor = unquote(parts.fragment)
    # The page that stands for all that are missing is served at any address.
    if anchor and anchor != "__skip" and path in pages and anchor not in pages[path].anchors:
        return "no such anchor"
    return None
