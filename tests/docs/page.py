"""A page of the documentation as its code blocks, and what stands before each."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"
#: A comment before a block that says why it is not run.
BLOCK = re.compile(
    r"(?:^<!-- not run: (?P<why>[^\n]+?) -->\n)?^```(?P<info>[^\n]*)\n(?P<code>.*?)^```$", re.DOTALL | re.MULTILINE
)
#: A page that goes on where another one stopped: `<!-- files of: cli.md -->`.
FILES_OF = re.compile(r"^<!-- files of: (\S+) -->$", re.MULTILINE)
TITLE = re.compile(r'title="([^"]+)"')
INDENTED = re.compile(r"(?:\A|\n)\n(?: {4}|\t)\S[^\n]*")


@dataclass(frozen=True)
class Block:
    """One fenced block; `start` and `end` are where its content stands in the page."""

    language: str
    title: str | None
    code: str
    why_not_run: str | None
    start: int
    end: int


@dataclass(frozen=True)
class Page:
    """One page."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.relative_to(DOCS).as_posix()

    @property
    def text(self) -> str:
        return self.path.read_text()

    @property
    def blocks(self) -> list[Block]:
        return list(blocks(self.text))

    @property
    def files(self) -> list[Block]:
        """Blocks that are files, those of the page that it goes on from first."""
        before = FILES_OF.search(self.text)
        found = Page(self.path.parent / before[1]).files if before else []
        return found + [block for block in self.blocks if block.title]


def blocks(text: str) -> Iterator[Block]:
    for found in BLOCK.finditer(text):
        language, _, rest = found["info"].partition(" ")
        title = TITLE.search(rest)
        yield Block(language, title and title[1], found["code"], found["why"], found.start("code"), found.end("code"))


def pages() -> list[Page]:
    return [Page(path) for path in sorted(DOCS.rglob("*.md")) if path.name != "template.md"]


def indented(text: str) -> list[str]:
    """Lines that begin an indented block, which nobody would run."""
    plain = BLOCK.sub("", text)
    # What is indented below an item of a list or a definition belongs to it.
    return [found[0].strip() for found in INDENTED.finditer(plain) if not _in_list(plain, found.start())]


def _in_list(text: str, place: int) -> bool:
    before = [line for line in text[: place + 1].splitlines() if line.strip()]
    for line in reversed(before):
        if not line.startswith((" ", "\t")):
            return bool(re.match(r"[-*:!?]|\d+\.", line))
    return False
