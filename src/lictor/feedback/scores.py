"""What is known of each source, as numbers between 0 and 1 that the next verdict may read."""

from __future__ import annotations

from collections.abc import Iterable

from .calibration import BUCKETS, Calibration
from .share import CREDIT, Share
from .tally import Tally

#: The names of scores. `quality` is about a source's signals, the others about the outcomes of its decisions.
NAMES = ("quality", "success", "on_time", "calibration", "cost")
#: Sources and kinds that are told apart; whoever comes later is counted together under `*` (I17).
SUBJECTS_MAX = 10_000
REST = "*"


class Scores:
    """Tallies by source and kind, and the quality of each source's signals."""

    def __init__(self) -> None:
        self.quality: dict[str, Share] = {}
        self._tallies: dict[tuple[str, str], Tally] = {}
        self._kinds: dict[str, dict[str, Tally]] = {}

    def tally(self, source: str, kind: str) -> Tally:
        """The tally of a source and kind."""
        found = self._tallies.get((source, kind))
        return found if found is not None else self._new(source, kind)

    def _new(self, source: str, kind: str) -> Tally:
        if len(self._tallies) >= SUBJECTS_MAX and source != REST:
            return self.tally(REST, kind)
        tally = Tally()
        self.put(source, kind, tally)
        return tally

    def put(self, source: str, kind: str, tally: Tally) -> None:
        """Take up a recorded tally."""
        self._tallies[source, kind] = tally
        self._kinds.setdefault(source, {})[kind] = tally

    def key(self, source: str, kind: str) -> tuple[str, str]:
        """Under which name `tally` counts it."""
        return (source, kind) if (source, kind) in self._tallies else (REST, kind)

    def share(self, source: str) -> tuple[str, Share]:
        """The quality of a source's signals, and under which name it is counted."""
        found = self.quality.get(source)
        if found is None:
            if len(self.quality) >= SUBJECTS_MAX and source != REST:
                return self.share(REST)
            found = self.quality[source] = Share()
        return source, found

    def score(self, source: str, name: str) -> float:
        """A source's score; 1 while nothing is known.

        Raises:
            KeyError: no score has this name.
        """
        if name == "quality":
            share = self.quality.get(source)
            return share.value if share is not None else 1.0
        kinds = self._kinds.get(source)
        if name == "success":
            return mean(tally.success for tally in kinds.values()) if kinds else 1.0
        if name == "on_time":
            return mean(tally.on_time for tally in kinds.values()) if kinds else 1.0
        if name == "calibration":
            return calibrated(tally.calibration for tally in kinds.values()) if kinds else 1.0
        if name == "cost":
            return kept_to_cost(kinds.values()) if kinds else 1.0
        raise KeyError(f"no score {name!r}; there are: {', '.join(NAMES)}")

    def all(self) -> dict[str, dict[str, float]]:
        """Each source's scores, by name."""
        return {s: {name: self.score(s, name) for name in NAMES} for s in sorted({*self._kinds, *self.quality})}

    def tallies(self) -> dict[tuple[str, str], Tally]:
        """All tallies, by source and kind."""
        return dict(self._tallies)


def mean(shares: Iterable[Share]) -> float:
    """Of several kinds: each counts by how much is known of it."""
    good = total = 0.0
    for share in shares:
        good += share.good / share.weight
        total += share.total / share.weight
    return good / total


def calibrated(kinds: Iterable[Calibration | None]) -> float:
    """One minus the expected calibration error over the recent past, with the credit of a few perfect pairs."""
    gaps = [0.0] * BUCKETS
    total = 0.0
    for found in kinds:
        if found is not None:
            total += found.total / found.weight
            for k, gap in enumerate(found.gaps):
                gaps[k] += gap / found.weight
    return 1.0 - sum(map(abs, gaps)) / total if total else 1.0


def kept_to_cost(tallies: Iterable[Tally]) -> float:
    """One minus the mean error of what was expected to be settled, at least 0, with the credit of a few exact ones."""
    count, error = CREDIT, 0.0
    for tally in tallies:
        count += tally.cost_count
        error += tally.cost_error_abs
    return max(0.0, 1.0 - error / count)
