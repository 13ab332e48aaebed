"""Every code block of the documentation runs, page by page, from top to bottom, and prints what the page says.

A block of Python is run, in the names that the ones above it made; with a title it is a file instead. A block of text
right after one is what that prints. The commands of a console block are run and print the rest of it. Data is parsed.
What cannot run says why in a comment before it, `<!-- not run: why -->`, and is counted here.

With LICTOR_WRITE_GUIDES=1 what is printed is written into the page instead.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import socket
import sys
import tomllib
from code import InteractiveInterpreter
from collections.abc import Callable
from types import ModuleType
from unittest import mock

import pytest
from tests.docs.alike import alike
from tests.docs.page import DOCS, Block, Page, blocks, indented, pages
from tests.docs.terminal import terminal
from tests.surfaces.shell import Shell

#: How many blocks of each page cannot run; a page that is not here has none.
NOT_RUN = {
    "start.md": 1,
    "guides/audit.md": 1,
    "guides/failures.md": 1,
    "guides/quality.md": 1,
    "guides/rehearse.md": 1,
    "guides/trading.md": 2,
}
DATA: dict[str, Callable[[str], object]] = {"json": json.loads, "toml": tomllib.loads}
#: Where pages serve; each run has a port of its own instead.
ADDRESS = "127.0.0.1:8700"
KNOWN = {"python", "console", "text", "mermaid", *DATA}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Interpreter(InteractiveInterpreter):
    """Runs block after block in the same names, and raises what they raise."""

    def showtraceback(self) -> None:
        raise  # noqa: PLE0704 - called while the error is handled


class Run:
    """One page that is run."""

    def __init__(self, page: Page, shell: Shell) -> None:
        self.page = page
        self.shell = shell
        self.module = ModuleType(f"page_{page.path.stem.replace('-', '_')}")
        self.file = shell.folder / f"{self.module.__name__}.py"
        self.module.__file__ = str(self.file)
        sys.modules[self.module.__name__] = self.module
        self.address = f"127.0.0.1:{free_port()}"
        self.surroundings: dict[str, str] = {}
        self.lines = 0
        self.printed: str | None = None
        given = [block for block in page.blocks if block.language == "console" and not block.why_not_run]
        self.terminal = terminal([command for block in given for command in commands(block.code)], shell)
        for block in page.files:
            path = shell.folder / block.title
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(self._real(block.code))

    def __call__(self, block: Block) -> str:
        """The block as it should stand in the page."""
        before, self.printed = self.printed, None
        if block.why_not_run or block.title or block.language == "mermaid":
            return block.code
        if block.language == "text":
            assert before is not None, f"text that nothing above it prints:\n{block.code}"
            return before
        if block.language == "python":
            self.printed = self._python(block.code)
            return block.code
        if block.language in DATA:
            DATA[block.language](block.code)
            return block.code
        return "".join(f"$ {command}\n{self._run(command)}" for command in commands(block.code))

    def _run(self, command: str) -> str:
        said = self.terminal(self._real(command)).replace(self.address, ADDRESS)
        if exported := re.match(r"export (\w+)=", command):  # what is run here has it, too
            self.surroundings[exported[1]] = self.terminal(f'printf %s "${exported[1]}"').strip()
        return said

    def _real(self, text: str) -> str:
        return text.replace(ADDRESS, self.address)

    def _python(self, code: str) -> str:
        code = self._real(code)
        with self.file.open("a") as file:
            file.write(code)
        program = compile("\n" * self.lines + code, self.file, "exec")
        self.lines += code.count("\n")
        with contextlib.redirect_stdout(io.StringIO()) as out, mock.patch.dict(os.environ, self.surroundings):
            Interpreter(vars(self.module)).runcode(program)
        return "".join(line.rstrip() + "\n" for line in out.getvalue().splitlines())

    def end(self) -> None:
        self.terminal.end()
        for name, module in list(sys.modules.items()):
            if str(getattr(module, "__file__", None) or "").startswith(str(self.shell.folder)):
                del sys.modules[name]


def commands(code: str) -> list[str]:
    """The commands of a console block; one goes on after a backslash."""
    lines = code.replace("\\\n", "\\\0").splitlines()
    return [line[2:].replace("\0", "\n") for line in lines if line.startswith("$ ")]


def written(page: Page, run: Callable[[Block], str]) -> str:
    """The page with what its blocks really print."""
    text, parts, place = page.text, [], 0
    for block in page.blocks:
        parts += [text[place : block.start], run(block)]
        place = block.end
    return "".join([*parts, text[place:]])


def has_work(page: Page) -> bool:
    return any(not block.why_not_run and block.language != "mermaid" for block in page.blocks)


@pytest.mark.parametrize("page", list(filter(has_work, pages())), ids=lambda page: page.name)
def test_a_page_does_what_it_says(page: Page, shell: Shell, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.syspath_prepend(str(shell.folder))
    run = Run(page, shell)
    try:
        real = written(page, run)
    finally:
        run.end()
    if os.environ.get("LICTOR_WRITE_GUIDES"):
        page.path.write_text(real)
    assert alike(real) == alike(page.text)


def test_what_does_not_run_says_why_and_is_counted() -> None:
    found = {page.name: sum(bool(block.why_not_run) for block in page.blocks) for page in pages()}
    assert {name: count for name, count in found.items() if count} == NOT_RUN


def test_no_block_is_of_a_kind_that_nobody_runs() -> None:
    strange = [
        f"{page.name}: ```{block.language}"
        for page in pages()
        for block in page.blocks
        if block.language not in KNOWN and not block.why_not_run
    ]
    hidden = [f"{page.name}: {line}" for page in pages() for line in indented(page.text)]
    assert strange + hidden == []


# -- taken away, each of these is seen -------------------------------------------------------------------------------


@pytest.fixture
def run(tmp_path, shell, monkeypatch):
    """Runs a page of this text."""

    def run(text: str) -> str:
        path = shell.folder / "made.md"
        path.write_text(text)
        running = Run(Page(path), shell)
        try:
            return written(running.page, running)
        finally:
            running.end()

    return run


def test_a_block_that_raises_is_seen(run) -> None:
    with pytest.raises(ZeroDivisionError):
        run("```python\none = 1\n```\n\n```python\none / 0\n```\n")


def test_what_is_printed_otherwise_is_seen(run) -> None:
    assert run("```python\nprint(1 + 1)\n```\n\n```text\n3\n```\n").endswith("```text\n2\n```\n")
    assert (
        run("```console\n$ lictor --version\nlictor 0.0\n```\n") != "```console\n$ lictor --version\nlictor 0.0\n```\n"
    )
    assert run("```console\n$ echo $((20 + 3))\n21\n```\n") == "```console\n$ echo $((20 + 3))\n23\n```\n"


def test_text_that_nothing_prints_and_data_that_is_none_are_seen(run) -> None:
    with pytest.raises(AssertionError, match="nothing above"):
        run("```text\nout of nowhere\n```\n")
    with pytest.raises(json.JSONDecodeError):
        run("```json\n{\n```\n")


def test_an_indented_block_is_seen() -> None:
    assert indented("Say:\n\n    rm -rf everything\n") == ["rm -rf everything"]
    assert indented("1. Say:\n\n    more of the item\n") == []
    assert indented("```python\nif True:\n\n    pass\n```\n") == []


def test_a_mark_belongs_to_the_next_block_alone() -> None:
    marked, plain = blocks("<!-- not run: takes an hour -->\n```console\n$ make\n```\n\n```console\n$ ls\n```\n")
    assert (marked.why_not_run, plain.why_not_run) == ("takes an hour", None)
    assert DOCS.is_dir()
