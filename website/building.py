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
    """The configuration, with every record in its contents."""
    records = sorted(path.name for path in (ROOT / "docs" / "adr").glob("[0-9]*.md"))
    listed = "\n    ".join(f'"adr/{name}",' for name in records)
    return (ROOT / "website" / "zensical.toml").read_text().replace('"adr/*.md",', listed)


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
