"""The guides of the command line print what they say: their commands are run, in order, and compared.

Ids, times, hashes and sizes differ from run to run and are compared as such. With LICTOR_WRITE_GUIDES=1 what is printed
is written into the guide instead.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from signal import SIGKILL

import pytest
from tests.surfaces.shell import Shell

GUIDES = Path(__file__).parents[2] / "docs" / "guides"
BLOCK = re.compile(r"```(console|python)\n(.*?)```", re.DOTALL)
#: What differs from run to run -> what stands for it.
VARIES = [
    (r"\b0[0-9a-hj-kmnp-tv-z]{12}\b", "ID"),
    (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}", "TIME"),
    (r"\d{4}-\d\d-\d\d", "DAY"),
    (r"\d\d:\d\d:\d\d\.\d{3}", "HOUR"),
    (r"\b[0-9.]+ (ms|s|min)\b", "SPAN"),
    (r"\b1-[0-9a-f]{12}\b", "POLICY"),
    (r"@[0-9a-f]{16}", "@VERSION"),
    (r"[\d,]+ (bytes|commits|facts)", r"N \1"),
    (r" *\n", "\n"),
    (r" {2,}", "  "),
]
#: Lessons are written every second: whether one is there already is no matter of these guides.
LEARNED = re.compile(r"^.* learned: .*\n", re.MULTILINE)


def alike(text: str) -> str:
    text = LEARNED.sub("", text)
    for pattern, name in VARIES:
        text = re.sub(pattern, name, text)
    return text


class Terminal:
    """Runs the commands of a guide."""

    def __init__(self, shell: Shell) -> None:
        self.shell = shell
        self.node: subprocess.Popen[str] | None = None

    def __call__(self, command: str) -> str:
        if command.endswith(" &"):
            return self._start(command.removesuffix(" &"))
        if command == "kill -9 %1":
            self.end()
            return ""
        name, *arguments = shlex.split(command)
        assert name == "lictor", command
        _, out, err = self.shell(*arguments)
        return "".join(line.rstrip() + "\n" for line in (out + err).splitlines())

    def _start(self, command: str) -> str:
        _, *arguments = shlex.split(command)
        self.node = subprocess.Popen(
            [sys.executable, "-m", "lictor", *arguments], cwd=self.shell.folder, stderr=subprocess.PIPE, text=True
        )
        said = []
        for line in self.node.stderr:
            said.append(line)
            if line.startswith("ready on"):
                break
        return "".join(said)

    def end(self) -> None:
        if self.node is not None:
            self.node.send_signal(SIGKILL)
            self.node.communicate()
            self.node = None


def printed(block: str, terminal: Terminal) -> str:
    """A console block with what its commands really print."""
    commands = [line for line in block.splitlines() if line.startswith("$ ")]
    return "".join(f"{command}\n{terminal(command[2:])}" for command in commands)


def python_of(guide: Path) -> Iterator[str]:
    yield from (code for language, code in BLOCK.findall(guide.read_text()) if language == "python")


@pytest.mark.parametrize("name", ["cli.md", "rehearse.md", "tradeoffs.md"])
def test_a_guide_prints_what_it_says(name: str, shell: Shell, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    guide = GUIDES / name
    payouts = next(python_of(GUIDES / "cli.md"))
    (shell.folder / "payouts.py").write_text(payouts)
    (shell.folder / "stricter.py").write_text(payouts.replace("> 500", "> 200"))
    terminal = Terminal(shell)
    text = guide.read_text()
    try:
        real = BLOCK.sub(
            lambda found: f"```console\n{printed(found[2], terminal)}```" if found[1] == "console" else found[0], text
        )
    finally:
        terminal.end()
    if os.environ.get("LICTOR_WRITE_GUIDES"):
        guide.write_text(real)
    assert alike(real) == alike(guide.read_text())


def test_the_python_of_the_rehearse_guide_runs(tmp_path: Path) -> None:
    (code,) = python_of(GUIDES / "rehearse.md")
    whole = next(python_of(GUIDES / "cli.md")) + code
    subprocess.run([sys.executable, "-c", whole], cwd=tmp_path, check=True, capture_output=True)


def test_the_python_of_the_quality_guide_runs(tmp_path: Path) -> None:
    (code,) = python_of(GUIDES / "quality.md")
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, capture_output=True)


def test_the_python_of_the_trade_offs_guide_runs(tmp_path: Path) -> None:
    (code,) = python_of(GUIDES / "tradeoffs.md")
    whole = next(python_of(GUIDES / "cli.md")) + code
    subprocess.run([sys.executable, "-c", whole], cwd=tmp_path, check=True, capture_output=True)
