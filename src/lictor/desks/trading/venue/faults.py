"""Faults to order: each makes the venue's reporting fail in one real way, and never its matching or its truth log.

`drop_acks`          the order is accepted, then everything about it is lost until its status is asked
`duplicate_reports`  the report is sent twice
`cut_after_accept`   the order is accepted, then the connection is cut before any report of it
`late_fills`         the fill is reported only after a cancel of its order was answered
`delay_us`           not a count: reports leave that much virtual time later
"""

from __future__ import annotations

from dataclasses import dataclass, field

KINDS = ("drop_acks", "duplicate_reports", "cut_after_accept", "late_fills")
ALL = (*KINDS, "delay_us")


@dataclass(slots=True)
class Faults:
    """Which faults are armed: of each kind the next `count` chances, after letting `after` pass."""

    delay_us: int = 0
    fired: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    _after: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    _count: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))

    def arm(self, kind: str, count: int, after: int = 0) -> None:
        """Raises KeyError for an unknown kind."""
        if kind == "delay_us":
            self.delay_us = count
            return
        if kind not in KINDS:
            raise KeyError(f"no fault is called {kind!r}; there are {', '.join(ALL)}")
        self._count[kind], self._after[kind] = count, after

    def arm_text(self, text: str) -> None:
        """`KIND=COUNT` or `KIND=COUNT@AFTER`. Raises KeyError or ValueError."""
        kind, _, amount = text.partition("=")
        count, _, after = amount.partition("@")
        self.arm(kind, int(count), int(after or 0))

    def strikes(self, kind: str) -> bool:
        """Ask at each chance; uses one up."""
        if self._after[kind]:
            self._after[kind] -= 1
            return False
        if not self._count[kind]:
            return False
        self._count[kind] -= 1
        self.fired[kind] += 1
        return True
