"""Builds the site: docs/ as it is, and beside it the reference that is generated from the code that is installed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from website import reference

ROOT = Path(__file__).parents[1]
COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def contents() -> str:
    """The configuration, with every guide and record in its contents, those that it does not name by their names."""
    text = (ROOT / "website" / "zensical.toml").read_text()
    for place in ('"guides/*.md",', '"adr/[0-9]*.md",'):
        found = sorted((ROOT / "docs").glob(place.strip('",')))
        names = [f'"{path.relative_to(ROOT / "docs").as_posix()}",' for path in found]
        text = text.replace(place, "\n    ".join(name for name in names if name not in text))
    return text


def gather(folder: Path) -> Path:
    """Put the sources of all pages into a folder, the generated ones too; where they are."""
    source = folder / "source"
    shutil.rmtree(source, ignore_errors=True)
    shutil.copytree(ROOT / "docs", source)
    (source / "stylesheets").mkdir()
    shutil.copyfile(ROOT / "website" / "lictor.css", source / "stylesheets" / "lictor.css")
    (source / "reference").mkdir(exist_ok=True)
    for name, text in reference.pages().items():
        (source / "reference" / name).write_text(text)
    return source


def build(folder: Path) -> Path:
    """Build the site below a folder; where its pages are.

    Raises:
        RuntimeError: the generator warned; its words are the message.
    """
    folder.mkdir(parents=True, exist_ok=True)
    gather(folder)
    config = folder / "zensical.toml"
    config.write_text(contents())
    # Drawings are made by website.drawing, which the generator imports by its name.
    surroundings = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    built = subprocess.run(
        [sys.executable, "-m", "zensical", "build", "--clean", "--strict", "--config-file", str(config)],
        cwd=folder,
        env=surroundings,
        capture_output=True,
        text=True,
        check=False,
    )
    if built.returncode:
        raise RuntimeError(COLOURS.sub("", built.stdout + built.stderr))
    return folder / "site"
