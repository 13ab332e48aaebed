"""How far a wish may move an adjustable (I20). Pure: the one place where feedback's power over verdicts is limited.

Tightening is free down to `tightest`. Loosening never passes `loosest`, and is at most `loosen_per_hour` times the
hours since the last move in any direction, so that no number of wishes adds up to more than the declared speed. A
latched value loosens by a named person alone.
"""

from __future__ import annotations

import math

from lictor.declarations.gates import Adjustable
from lictor.errors import InvariantViolation

_HOUR_US = 3_600_000_000


def clamped(adjustable: Adjustable, value: float) -> float:
    """The nearest value within the declared bounds."""
    low, high = sorted((adjustable.tightest, adjustable.loosest))
    return min(max(value, low), high)


def tighter(adjustable: Adjustable, value: float, than: float) -> bool:
    """Whether a value is nearer to the tight side than another."""
    return value < than if adjustable.tightest < adjustable.loosest else value > than


def moved(
    adjustable: Adjustable, current: float, wish: float, *, since_us: int, at_us: int, latched: bool = False
) -> float:
    """Where a wish made at `at_us` moves a value that last moved at `since_us`; a wish that is no number moves nothing.

    Raises:
        InvariantViolation: I20, which would be a defect of the lines above.
    """
    current = clamped(adjustable, current)
    if math.isnan(wish):
        return current
    wish = clamped(adjustable, wish)
    if tighter(adjustable, wish, current):
        return wish
    if latched or wish == current:
        return current
    allowed = adjustable.loosen_per_hour * max(0, at_us - since_us) / _HOUR_US
    value = wish if abs(wish - current) <= allowed else current + math.copysign(allowed, wish - current)
    value = clamped(adjustable, value)
    rounding = 4 * math.ulp(max(abs(value), abs(current)))
    if tighter(adjustable, adjustable.loosest, value) or abs(value - current) > allowed + rounding:
        raise InvariantViolation("I20", f"{adjustable.name} would loosen from {current} to {value}")
    return value
