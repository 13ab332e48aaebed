"""Outcomes of one source and kind against what was expected: success, lateness, cost, calibration. Pure.

A cancelled decision says nothing about its source: it is counted and otherwise ignored. On time is an outcome by
the decision's deadline and, where it stated `within_s`, within so many seconds of its arrival. Cost compares what
was settled with the amounts that the decision expected: `expects={"amount": 250}` against the one budget that was
settled, `expects={"cash": 250}` against the budget of that name, `expects={"value": 9.5}` against the outcome's
value; the error of one is (true - expected) / |expected|.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from lictor.records import Decision, Outcome

from .calibration import Calibration
from .share import Share

#: Types of numbers as JSON and settlements have them; a bool is none.
_NUMBERS = frozenset({int, float, Decimal})

_YEAR_S = 31_536_000.0


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
        self.count += 1
        self.decision = decision.id
        if outcome.result == "cancelled":
            self.cancelled += 1
            return
        good = outcome.result == "succeeded"
        if good:
            self.succeeded += 1
        else:
            self.failed += 1
        self.success.note(good=good)
        self._time(decision, outcome.at_us)
        if decision.expects is not None:
            self._cost(decision.expects, outcome)
        if decision.confidence is not None and came_true is not None:
            if self.calibration is None:
                self.calibration = Calibration()
            self.calibration.note(decision.confidence, came_true=came_true)

    def _time(self, decision: Decision, at_us: int) -> None:
        due_us = decision.deadline_us
        within_s = decision.expects.get("within_s") if decision.expects else None
        if number(within_s):
            within_us = min(max(float(within_s), 0.0), _YEAR_S) * 1e6  # type: ignore[arg-type]
            due_us = min(due_us, decision.received_us + int(within_us))
        late_us = at_us - due_us
        self.on_time.note(good=late_us <= 0)
        if late_us > 0:
            self.late += 1
            self.late_s += late_us / 1e6
            self.late_s_max = max(self.late_s_max, late_us / 1e6)

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


def number(value: object) -> bool:
    """Whether it is a finite number."""
    if type(value) not in _NUMBERS:
        return False
    try:
        return math.isfinite(float(value))  # type: ignore[arg-type]
    except (OverflowError, ValueError):  # longer than any float, or a signalling NaN
        return False
