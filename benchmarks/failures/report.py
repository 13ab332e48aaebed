"""Merges what parts found into one report, and draws its first picture.

out/failures/parts/<part>.json   what each part found
out/failures/report.json         all of it, in the format of evidence: `shows`, `curves`, and `parts`
out/failures/report.html         the same to look at, self-contained
out/failures/quality.svg         the first picture, for the README
"""

from __future__ import annotations

import time
from html import escape
from pathlib import Path

import msgspec

from benchmarks.failures import picture
from benchmarks.failures.part import Findings, Table
from benchmarks.failures.registry import PARTS
from lictor.surfaces.evidence import Evidence, shown_number

_COMMAND = "make bench-failures"


def keep(found: Findings, out: Path) -> Path:
    """Write one part's findings where the next report finds them."""
    folder = out / "parts"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{found.part}.json"
    path.write_bytes(msgspec.json.format(msgspec.json.encode(found), indent=1) + b"\n")
    return path


def parts(out: Path) -> list[Findings]:
    """The findings of all parts that are there, in the order of the registry."""
    paths = {path.stem: path for path in (out / "parts").glob("*.json")}
    order = [name for name in PARTS if name in paths] + sorted(set(paths) - set(PARTS))
    return [msgspec.json.decode(paths[name].read_bytes(), type=Findings) for name in order]


def write(out: Path, *, seed: int, started_us: int) -> Path:
    """Merge the parts into the report; returns the path of `report.json`."""
    found = parts(out)
    evidence = Evidence("failures", command=_COMMAND, seed=seed, started_us=started_us)
    curves = [curve for part in found for curve in part.curves]
    for part in found:
        evidence.shows.extend(part.shows)
    evidence.add("curves", curves)
    evidence.add("parts", {p.part: {"command": p.command, "seeds": p.seeds, "facts": p.facts} for p in found})
    evidence.add("failures", {name: why for part in found for name, why in part.failures.items()})
    if curves:
        evidence.section(picture.HEADING, picture.page(curves), first=True)
        (out / "quality.svg").write_text(picture.alone(curves), encoding="utf-8")
    for part in found:
        for drawn in part.pictures:
            evidence.section(drawn.heading, _said(drawn.text) + drawn.svg)
        for one in part.tables:
            evidence.section(one.heading, _said(one.text) + _table(one))
    lost = [f"{name}: {why}" for part in found for name, why in part.failures.items()]
    if lost:
        evidence.section("Not measured", f"<ul>{''.join(f'<li>{escape(line)}</li>' for line in lost)}</ul>")
    quick = [part.part for part in found if part.quick]
    if quick:
        evidence.section("Not for quoting", _said(f"Measured with --quick: {', '.join(quick)}."))
    return evidence.write(out, ended_us=time.time_ns() // 1000)


def _said(text: str) -> str:
    return f"<p>{escape(text)}</p>" if text else ""


def _table(table: Table) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in table.columns)
    rows = "".join(f"<tr>{''.join(_cell(value) for value in row)}</tr>" for row in table.rows)
    return f'<div class="wide"><table><tr>{head}</tr>{rows}</table></div>'


def _cell(value: object) -> str:
    if isinstance(value, str):
        return f"<td>{escape(value)}</td>"
    return f'<td class="n">{shown_number(value)}</td>'
