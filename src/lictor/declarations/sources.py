"""Who may decide what, and how good their signals must be."""

from __future__ import annotations

from dataclasses import dataclass

from lictor.records import Priority


@dataclass(frozen=True, slots=True)
class Range:
    """Bounds of a numeric payload field; None is open."""

    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Quality:
    """What the data-quality gate of a source checks.

    What fails goes to quarantine and counts against the quality score.
    """

    ranges: dict[str, Range] | None = None
    #: Older than this when it arrives (by `sent_us`) is stale.
    max_age_s: float | None = None
    #: Field that numbers the signals of this source; gaps, repeats and steps back are findings.
    sequence: str | None = None
    #: What a gap does: `note` counts it, `quarantine` also keeps the signal back.
    on_gap: str = "note"
    #: Fields judged against a running median and MAD; further than `outlier_mads` away is an outlier.
    outliers: tuple[str, ...] = ()
    outlier_mads: float = 8.0
    #: Identical content within this time is a duplicate, keys aside.
    duplicates_within_s: float | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """A principal that decides. `priority` is the highest class that it is granted; None of tenants or kinds is all."""

    name: str
    kinds: tuple[str, ...] | None = None
    tenants: tuple[str, ...] | None = None
    priority: Priority = Priority.NORMAL
    quality: Quality | None = None
    #: Below this quality score it is demoted and latched; a named person re-enables it.
    demote_below: float | None = None
