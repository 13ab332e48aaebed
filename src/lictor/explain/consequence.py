"""One thing that follows from one setting, as a number with its unit and the formula that it comes from."""

from __future__ import annotations

from typing import Any, NamedTuple

#: The three trade-offs of DESIGN section 4.
SPEED = "speed and correctness"
AUTONOMY = "centralisation and autonomy"
COST = "reliability and cost"


class Consequence(NamedTuple):
    """`value` is None where there is no bound. `bound`: the value is a bound, and what is measured is at most it."""

    trade_off: str
    #: The setting as it is: `assurance=checked`.
    setting: str
    what: str
    value: float | None
    unit: str
    formula: str
    bound: bool = False

    def data(self) -> dict[str, Any]:
        """As plain data for JSON."""
        return self._asdict()
