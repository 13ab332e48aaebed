"""Evidence: what a demo, benchmark or campaign measured, as one file that programs read and one page that people read.

    out/<name>/report.json    environment, `shows` (one entry a figure that was asked for), whatever else was measured
    out/<name>/report.html    the same, self-contained

A figure that was not measured has the value `null` and is not met. Reads: the versions of installed packages, this
machine's cores and memory, `.git`. Writes: those two files, and reads them back for `lictor report`.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from html import escape
from importlib import metadata
from pathlib import Path
from typing import Any

import msgspec

Figure = bool | int | float | None

_PACKAGES = ("lictor", "apsw", "msgspec", "uvloop")
_PAGE_STYLE = """
:root{--ink:#1b1f24;--muted:#667080;--paper:#fff;--rule:#dde1e6;--code:#f3f4f6;--yes:#116329;--no:#a40e26}
@media(prefers-color-scheme:dark){:root{--ink:#e6e8eb;--muted:#97a0ad;--paper:#14171b;--rule:#2c323a;--code:#20252c;
--yes:#5cc9ab;--no:#f08a63}}
body{font:15px/1.5 system-ui,sans-serif;max-width:68rem;margin:2rem auto;padding:0 1rem}
body{color:var(--ink);background:var(--paper)}p{color:var(--muted)}
h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2rem}.wide{overflow-x:auto}
table{border-collapse:collapse;width:100%}td,th{padding:.25rem .6rem;border-bottom:1px solid var(--rule)}
td,th{text-align:left}td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}
.yes{color:var(--yes)}.no{color:var(--no);font-weight:600}code{background:var(--code);padding:0 .25em}
svg{max-width:100%;height:auto}svg text{fill:currentColor}code,.facts td{overflow-wrap:anywhere}
@media(max-width:40rem){.shows td:last-child,.shows th:last-child{display:none}td,th{padding:.25rem .4rem}}
"""


class Shown(msgspec.Struct, frozen=True, omit_defaults=True):
    """One figure that was asked for. `target` may be null when only the measuring was asked for."""

    id: str
    rig: str
    target: Figure
    value: Figure
    unit: str
    met: bool
    command: str
    #: Of the value over repeats, where there were any: least and greatest at 95 %.
    interval: tuple[float, float] | None = None


def judged(
    id: str,  # noqa: A002 - the format's own word
    value: Figure,
    *,
    unit: str,
    command: str,
    target: Figure = None,
    at_most: bool = False,
    met: bool | None = None,
    rig: str = "real",
) -> Shown:
    """One figure with its judgement.

    `met` follows from value and target (at least the target, or at most it) unless the caller judged it; a value of
    `None` is never met, whatever the caller says.
    """
    if value is None:
        met = False
    elif met is None:
        met = target is None or (value <= target if at_most else value >= target)
    return Shown(id, rig, target, value, unit, met, command)


class Evidence:
    """Collects figures, then writes them.

    Args:
        name: the folder's name under `out/`.
        command: what anyone runs to get these figures again.
        started_us: wall clock, microseconds since the epoch.
        seed: what the run's randomness came from, if it used any.
        packages: further installed packages whose versions belong in the environment.

    """

    def __init__(
        self,
        name: str,
        *,
        command: str,
        started_us: int,
        seed: int | None = None,
        packages: Iterable[str] = (),
    ) -> None:
        self.name = name
        self.command = command
        self.shows: list[Shown] = []
        self._started_us = started_us
        self._seed = seed
        self._packages = (*_PACKAGES, *packages)
        self._facts: dict[str, Any] = {}
        self._first: list[tuple[str, str]] = []
        self._sections: list[tuple[str, str]] = []

    def show(
        self,
        *,
        id: str,  # noqa: A002 - the format's own word
        value: Figure,
        unit: str,
        target: Figure = None,
        at_most: bool = False,
        met: bool | None = None,
        rig: str = "real",
        command: str | None = None,
    ) -> Shown:
        """Add one figure, judged as `judged` says."""
        shown = judged(
            id, value, unit=unit, target=target, at_most=at_most, met=met, rig=rig, command=command or self.command
        )
        self.shows.append(shown)
        return shown

    def add(self, key: str, value: object) -> None:
        """Put further data into `report.json` under a key of its own (`curves`, `decisions`, `orders`, ...)."""
        if key in {"name", "environment", "shows"}:
            message = f"{key!r} is a key of the format itself"
            raise ValueError(message)
        self._facts[key] = value

    def section(self, heading: str, html: str, *, first: bool = False) -> None:
        """Put a section into the page, or before all figures where it comes `first`.

        The HTML is the caller's: whatever comes from outside must be escaped.
        """
        (self._first if first else self._sections).append((heading, html))

    def environment(self, ended_us: int) -> dict[str, Any]:
        """Where, with what and for how long this was measured."""
        return {
            "cores": os.cpu_count(),
            "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
            "platform": platform.platform(),
            "python": platform.python_version(),
            "versions": {name: _version(name) for name in self._packages},
            "commit": commit_of(Path.cwd()),
            "seed": self._seed,
            "started": datetime.fromtimestamp(self._started_us / 1e6, UTC).isoformat(timespec="seconds"),
            "duration_s": round((ended_us - self._started_us) / 1e6, 3),
            "command": self.command,
        }

    def write(self, directory: Path | str, *, ended_us: int) -> Path:
        """Write `report.json` and `report.html` into this directory, which is made if need be; returns the first."""
        folder = Path(directory)
        folder.mkdir(parents=True, exist_ok=True)
        environment = self.environment(ended_us)
        report = {"name": self.name, "environment": environment, "shows": self.shows, **self._facts}
        path = folder / "report.json"
        path.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n")
        (folder / "report.html").write_text(self._page(environment), encoding="utf-8")
        return path

    def _page(self, environment: dict[str, Any]) -> str:
        facts = "".join(
            f"<tr><th>{escape(key)}</th><td>{escape(_fact(value))}</td></tr>" for key, value in environment.items()
        )
        first, sections = (
            "".join(f"<h2>{escape(heading)}</h2>\n{html}\n" for heading, html in found)
            for found in (self._first, self._sections)
        )
        return (
            '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width,initial-scale=1">'
            f'<meta name="color-scheme" content="light dark"><title>{escape(self.name)}</title>'
            f"<style>{_PAGE_STYLE}</style></head><body>\n<h1>{escape(self.name)}</h1>\n{first}"
            f'<div class="wide">{_rows_html(self.shows)}</div>\n{sections}<h2>Environment</h2>\n'
            f'<table class="facts">{facts}</table>\n</body></html>\n'
        )


def collect(directory: Path | str) -> list[tuple[str, Shown]]:
    """All figures of all `report.json` below a directory, each with its report's name, the unmet first.

    A report that cannot be read is itself an unmet line: evidence never disappears quietly.
    """
    found: list[tuple[str, Shown]] = []
    for path in sorted(Path(directory).rglob("report.json")):
        try:
            report = msgspec.json.decode(path.read_bytes(), type=_Report)
        except (OSError, msgspec.MsgspecError) as error:
            broken = Shown(f"report.json cannot be read: {error}", "-", None, None, "-", met=False, command="-")
            found.append((path.parent.name, broken))
        else:
            found.extend((report.name, shown) for shown in report.shows)
    return sorted(found, key=lambda line: line[1].met)


def table(directory: Path | str) -> str:
    """Every figure below a directory as one text table, the unmet first; the last line counts them."""
    lines = collect(directory)
    header = ("", "report", "shows", "value", "target", "unit", "rig")
    cells = [header] + [
        (
            "met" if shown.met else "NOT MET",
            name,
            shown.id,
            shown_number(shown.value),
            shown_number(shown.target),
            shown.unit,
            shown.rig,
        )
        for name, shown in lines
    ]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    right = (3, 4)
    text = [
        "  ".join(
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in cells
    ]
    met = sum(shown.met for _, shown in lines)
    return "\n".join([*text, f"{met} met, {len(lines) - met} not met"])


def commit_of(directory: Path) -> str | None:
    """The commit that is checked out in the nearest repository at or above a directory; None where there is none."""
    for folder in (directory, *directory.parents):
        git = folder / ".git"
        if git.is_file():  # a worktree: the file names where its git folder is
            git = folder / git.read_text(encoding="utf-8").removeprefix("gitdir:").strip()
        if not git.is_dir():
            continue
        head = (git / "HEAD").read_text(encoding="utf-8").strip()
        return _resolve(git, head.removeprefix("ref:").strip()) if head.startswith("ref:") else head
    return None


class _Report(msgspec.Struct):
    """The part of `report.json` that every reader relies on."""

    name: str
    shows: list[Shown]


def _resolve(git: Path, ref: str) -> str | None:
    common = git / "commondir"
    for folder in (git, git / common.read_text(encoding="utf-8").strip()) if common.is_file() else (git,):
        loose, packed = folder / ref, folder / "packed-refs"
        if loose.is_file():
            return loose.read_text(encoding="utf-8").strip()
        if packed.is_file():
            for line in packed.read_text(encoding="utf-8").splitlines():
                if line.endswith(f" {ref}"):
                    return line.partition(" ")[0]
    return None


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _rows_html(shows: Sequence[Shown]) -> str:
    rows = "".join(
        f'<tr><td class="{"yes" if shown.met else "no"}">{"met" if shown.met else "not met"}</td>'
        f'<td>{escape(shown.id)}</td><td class="n">{_with_interval(shown)}</td>'
        f'<td class="n">{shown_number(shown.target)}</td>'
        f"<td>{escape(shown.unit)}</td><td>{escape(shown.rig)}</td><td><code>{escape(shown.command)}</code></td></tr>"
        for shown in sorted(shows, key=lambda shown: shown.met)
    )
    return (
        '<table class="shows"><tr><th></th><th>shows</th><th class="n">value</th><th class="n">target</th><th>unit</th>'
        f"<th>rig</th><th>command</th></tr>{rows}</table>"
    )


def _with_interval(shown: Shown) -> str:
    if shown.interval is None:
        return shown_number(shown.value)
    low, high = map(shown_number, shown.interval)
    return f"{shown_number(shown.value)} <small>({low} to {high})</small>"


def shown_number(value: Figure) -> str:
    """A figure as tables write it."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"  # noqa: PLR2004 - four figures are enough


def _fact(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {inner}" for key, inner in value.items() if inner is not None)
    return "-" if value is None else str(value)
