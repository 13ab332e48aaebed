"""Who may decide what, and how good their signals must be."""

from __future__ import annotations

from dataclasses import dataclass

from lictor.errors import DeclarationError
from lictor.records import Priority

#: Fewer have no median and no scale worth the name.
VALUES_MIN = 3


@dataclass(frozen=True, slots=True)
class Range:
    """Bounds of a numeric payload field, both inclusive; None is open."""

    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Quality:
    """What the data-quality gate of a source checks.

    What fails goes to quarantine and counts against the source's quality score. A field that a kind does not have, or
    that is None, is not judged: that is the schema's business.
    """

    ranges: dict[str, Range] | None = None
    #: Older than this when it is judged (by `sent_us`) is stale; a signal without `sent_us` is, too.
    max_age_s: float | None = None
    #: Sent later than now by more than this is from the future: a clock is wrong.
    max_ahead_s: float = 60.0
    #: Field that numbers the signals of this source by 1; gaps, repeats and steps back are findings.
    sequence: str | None = None
    #: What a gap does: `note` counts it, `quarantine` also keeps back the signal after the gap.
    on_gap: str = "note"
    #: Field that parts the source into streams, each with its own numbers and its own scale (an instrument, a client).
    per: str | None = None
    #: Fields judged against a running median and scale; further than `outlier_mads` away is an outlier.
    outliers: tuple[str, ...] = ()
    outlier_mads: float = 8.0
    #: How many of the last values make the median and the scale. A lasting shift is normal after half of them.
    outlier_window: int = 255
    #: Nothing is an outlier before there are this many values.
    outlier_min: int = 30
    #: The scale is never taken for less than this share of the median, so that a quiet series may move at all.
    outlier_floor: float = 0.001
    #: Identical content within this time is a duplicate, keys aside; the same key again is a retry, and answered.
    duplicates_within_s: float | None = None

    def __post_init__(self) -> None:
        if self.on_gap not in {"note", "quarantine"}:
            raise DeclarationError(f"on_gap={self.on_gap!r}", hint="note or quarantine")
        for name in ("max_age_s", "duplicates_within_s", "max_ahead_s", "outlier_mads", "outlier_floor"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise DeclarationError(f"{name}={value}: must be above zero")
        if not VALUES_MIN <= self.outlier_min <= self.outlier_window:
            raise DeclarationError(
                f"outlier_min={self.outlier_min}, outlier_window={self.outlier_window}",
                hint=f"at least {VALUES_MIN} values, and no more than the window holds",
            )


@dataclass(frozen=True, slots=True)
class Source:
    """A principal that decides.

    `priority` is the highest class that it is granted; None of tenants or kinds is all.
    """

    name: str
    kinds: tuple[str, ...] | None = None
    tenants: tuple[str, ...] | None = None
    priority: Priority = Priority.NORMAL
    quality: Quality | None = None
    #: Below this quality score it is demoted and latched; a named person re-enables it.
    demote_below: float | None = None
