"""One effector's lane on this node: the pure policy of `capacity.lane`, for the work of this engine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lictor.capacity.lane import Asked, Lane
from lictor.declarations.effectors import Effector

from .work import Work

#: Added to a call's time-out to make its lease: the time a late return needs to be recorded.
LEASE_MARGIN_S = 5.0


class EffectorLane(Lane[Work]):
    """Where work for one effector waits for a slot."""

    __slots__ = ("_parked", "effector", "lease_us")

    def __init__(self, effector: Effector[..., Any], weights: Mapping[str, float]) -> None:
        super().__init__(effector.slots, weights, extra_work=effector.extra_work, nests=effector.nests)
        self.effector = effector
        #: How long an attempt holds its lease.
        self.lease_us = int((effector.timeout_s + LEASE_MARGIN_S) * 1e6)
        #: How much of it is parked in the journal, by class.
        self._parked: dict[int, int] = {}

    def park(self, priority: int, _tenant: str, change: int) -> None:
        """So much more work of a class and tenant is parked in the journal; it is before whatever comes now."""
        left = self._parked.get(priority, 0) + change
        if left:
            self._parked[priority] = left
        else:
            self._parked.pop(priority, None)

    def before(self, asked: Asked) -> bool:
        """Whether anything of the same or a higher class waits, parked or not, so that this may not pass."""
        if self._parked and any(priority <= asked.priority for priority in self._parked):
            return True
        return super().before(asked)
