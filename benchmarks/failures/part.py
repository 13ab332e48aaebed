"""What a part of the benchmark is given, and what it hands back.

A part is a module with one function, `run(settings) -> Findings`, listed in `registry.py`. Findings cross a file as
JSON, so that parts run on different days still make one report.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.failures.intervals import Interval
from lictor.surfaces.evidence import Figure, Shown, judged


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """How much to measure, and where."""

    seeds: int = 12
    #: The first of them; the others follow it.
    seed: int = 1
    #: Few decisions, for a look; such figures are not quoted.
    quick: bool = False
    out: Path = Path("out/failures")
    tell: Callable[[str], None] = lambda _line: None

    def every_seed(self) -> range:
        """The seeds to run."""
        return range(self.seed, self.seed + self.seeds)


class Point(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One arm at one load: medians over the seeds, with bootstrap intervals of 95 %."""

    #: Offered load in multiples of the measured capacity.
    load: float
    #: On-time completions a second, in multiples of capacity (decisions), and the same weighed by cost (work).
    goodput: float
    goodput_work: float | None = None
    #: The execution-quality index EQ(k), `research/overload.md` section 4.
    quality: float | None = None
    goodput_interval: Interval | None = None
    quality_interval: Interval | None = None


class Curve(msgspec.Struct, frozen=True, kw_only=True):
    """One arm on one rig over all loads, the load rising (`up`) or falling (`down`)."""

    arm: str
    rig: str
    points: list[Point]
    direction: str = "up"


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """A table of the page, under its heading; cells are escaped."""

    heading: str
    columns: list[str]
    rows: list[list[Figure | str]]
    text: str = ""


class Picture(msgspec.Struct, frozen=True, kw_only=True):
    """A picture of the page: inline SVG whose text is escaped."""

    heading: str
    svg: str
    text: str = ""


class Findings(msgspec.Struct, kw_only=True):
    """All that one part found."""

    part: str
    #: virtual | real
    rig: str
    command: str
    shows: list[Shown] = []
    curves: list[Curve] = []
    tables: list[Table] = []
    pictures: list[Picture] = []
    #: Whatever else was measured; kept in `report.json` under `parts`.
    facts: dict[str, Any] = {}
    #: What could not be measured, and why.
    failures: dict[str, str] = {}
    seeds: int = 0
    quick: bool = False

    def show(
        self,
        name: str,
        value: Figure,
        unit: str,
        target: Figure = None,
        *,
        at_most: bool = False,
        met: bool | None = None,
        interval: Interval | None = None,
    ) -> None:
        """Add one figure that an issue asks for; `met` follows from value and target unless it is given."""
        shown = judged(
            name, value, unit=unit, target=target, at_most=at_most, met=met, rig=self.rig, command=self.command
        )
        self.shows.append(msgspec.structs.replace(shown, interval=interval))


def findings(part: str, rig: str, settings: Settings) -> Findings:
    """Empty findings of a part, with the command that makes them again."""
    more = " --quick" if settings.quick else ""
    command = f"python -m benchmarks.failures {part} --seeds {settings.seeds}{more}"
    return Findings(part=part, rig=rig, command=command, seeds=settings.seeds, quick=settings.quick)
