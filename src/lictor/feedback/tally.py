"""Outcomes of one source and kind against what was expected: success, lateness, cost, calibration. Pure.

A cancelled decision says nothing about its source: it is counted and otherwise ignored. On time is an outcome by
the decision's deadline and, where it stated `within_s`, within so many seconds of its arrival. Cost compares what
was settled with the amounts that the decision expected: `expects={"amount": 250}` against the one budget that was
settled, `expects={"cash": 250}` against the budget of that name, `expects={"value": 9.5}` against the outcome's
value; the error of one is (true - expected) / |expected|.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

from lictor.records import Decision, Outcome

from .calibration import Calibration
from .share import Share

#: Types of numbers as JSON and settlements have them; a bool is none.
_NUMBERS = frozenset({int, float, Decimal})

_YEAR_S = 31_536_000.0

#: A decision, its outcome, and whether what it stated with its confidence came true (None: it cannot be told).
Taught = tuple[Decision, Outcome, bool | None]


class Tally:
    """What is known of one source and kind."""

    __slots__ = (
        "calibration",
        "cancelled",
        "cost_count",
        "cost_error",
        "cost_error_abs",
        "cost_expected",
        "cost_true",
        "count",
        "decision",
        "failed",
        "late",
        "late_s",
        "late_s_max",
        "on_time",
        "succeeded",
        "success",
    )

    def __init__(self) -> None:
        self.count = 0
        self.succeeded = 0
        self.failed = 0
        self.cancelled = 0
        self.late = 0
        self.late_s = 0.0
        self.late_s_max = 0.0
        self.cost_count = 0
        self.cost_expected = 0.0
        self.cost_true = 0.0
        self.cost_error = 0.0
        self.cost_error_abs = 0.0
        self.success = Share()
        self.on_time = Share()
        self.calibration: Calibration | None = None
        #: The last decision that it has taken in.
        self.decision = 0

    def note(self, decision: Decision, outcome: Outcome, *, came_true: bool | None) -> None:
        """Take in one outcome; `came_true` is the observed event of its confidence, None where it cannot be told."""
        self.extend([(decision, outcome, came_true)])

    def extend(self, taught: Sequence[Taught]) -> None:
        """Take in many, in order."""
        goods: list[bool] = []
        on_time: list[bool] = []
        for decision, outcome, came_true in taught:
            if outcome.result == "cancelled":
                self.cancelled += 1
                continue
            goods.append(outcome.result == "succeeded")
            expects = decision.expects
            late_us = outcome.at_us - (decision.deadline_us if expects is None else _due_us(decision, expects))
            on_time.append(late_us <= 0)
            if late_us > 0:
                self.late += 1
                self.late_s += late_us / 1e6
                self.late_s_max = max(self.late_s_max, late_us / 1e6)
            if expects is not None:
                self._cost(expects, outcome)
            if decision.confidence is not None and came_true is not None:
                if self.calibration is None:
                    self.calibration = Calibration()
                self.calibration.note(decision.confidence, came_true=came_true)
        self.count += len(taught)
        self.decision = taught[-1][0].id
        succeeded = sum(goods)
        self.succeeded += succeeded
        self.failed += len(goods) - succeeded
        self.success.extend(goods)
        self.on_time.extend(on_time)

    def _cost(self, expects: dict[str, Any], outcome: Outcome) -> None:
        for expected, true in compared(expects, outcome):
            error = (true - expected) / abs(expected) if expected else float(true != 0)
            if math.isfinite(error):
                self.cost_count += 1
                self.cost_expected += expected
                self.cost_true += true
                self.cost_error += error
                self.cost_error_abs += abs(error)

    def values(self) -> dict[str, Any]:
        """What `Tally.of` takes up again, exactly: counts of all outcomes, and the sums behind the recent shares."""
        return {
            "count": self.count,
            "succeeded": self.succeeded,
            "failed": self.failed,
            "cancelled": self.cancelled,
            "late": [self.late, self.late_s, self.late_s_max],
            "cost": [self.cost_count, self.cost_expected, self.cost_true, self.cost_error, self.cost_error_abs],
            "success": self.success.values(),
            "on_time": self.on_time.values(),
            "calibration": self.calibration.values() if self.calibration is not None else None,
        }

    @classmethod
    def of(cls, values: dict[str, Any], decision: int) -> Tally:
        """The tally that gave these values."""
        made = cls()
        made.count, made.succeeded, made.failed = values["count"], values["succeeded"], values["failed"]
        made.cancelled, made.decision = values["cancelled"], decision
        made.late, made.late_s, made.late_s_max = values["late"]
        made.cost_count, made.cost_expected, made.cost_true, made.cost_error, made.cost_error_abs = values["cost"]
        made.success, made.on_time = Share(*values["success"]), Share(*values["on_time"])
        calibration = values["calibration"]
        made.calibration = Calibration.of(calibration) if calibration is not None else None
        return made


def compared(expects: dict[str, Any], outcome: Outcome) -> Iterator[tuple[float, float]]:
    """Each amount or value that was expected, with the true one; what was not settled is left out."""
    settled: dict[str, float] = {}
    for reservation in outcome.settled:
        if number(reservation.amount):
            settled[reservation.budget] = settled.get(reservation.budget, 0.0) + float(reservation.amount)
    for name, expected in expects.items():
        if name == "within_s" or not number(expected):
            continue
        if name in settled:
            yield float(expected), settled[name]
        elif name == "amount" and len(settled) == 1:
            yield float(expected), next(iter(settled.values()))
        elif name == "value" and number(outcome.value):
            yield float(expected), float(outcome.value)


def _due_us(decision: Decision, expects: dict[str, Any]) -> int:
    """By when it is on time."""
    within_s = expects.get("within_s")
    if not number(within_s):
        return decision.deadline_us
    within_us = min(max(float(within_s), 0.0), _YEAR_S) * 1e6  # type: ignore[arg-type]
    return min(decision.deadline_us, decision.received_us + int(within_us))


def number(value: object) -> bool:
    """Whether it is a finite number."""
    if type(value) not in _NUMBERS:
        return False
    try:
        return math.isfinite(float(value))  # type: ignore[arg-type]
    except (OverflowError, ValueError):  # longer than any float, or a signalling NaN
        return False
