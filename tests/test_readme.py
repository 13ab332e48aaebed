"""What the README shows is what happens."""

import re
import subprocess
import sys
from pathlib import Path

README = Path(__file__).parents[1] / "README.md"


def blocks(language: str) -> list[str]:
    """The fenced blocks of one language."""
    return re.findall(rf"```{language}\n(.*?)```", README.read_text(), re.DOTALL)


def test_the_first_screen_prints_what_it_says(tmp_path: Path) -> None:
    """The code runs as it stands, prints the table beside it, writes one file, and a second run does nothing again."""
    (code,), (said,) = blocks("python"), blocks("text")
    for again in (False, True):
        ran = subprocess.run(
            [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=60
        )
        lines = ran.stdout.splitlines()
        if not again:
            assert lines == said.splitlines()
        assert [line.removesuffix("again").rstrip() for line in lines] == [
            line.removesuffix("again").rstrip() for line in said.splitlines()
        ]
    assert sorted(p.name for p in tmp_path.iterdir() if p.suffix == ".txt") == ["a.txt"]
    assert not (tmp_path.parent / "b.txt").exists()
