"""One effector's lane on this node: the pure policy of `capacity.lane`, for the work of this engine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lictor.capacity.lane import Lane
from lictor.declarations.effectors import Effector

from .work import Work

#: Added to a call's time-out to make its lease: the time a late return needs to be recorded.
LEASE_MARGIN_S = 5.0


class EffectorLane(Lane[Work]):
    """Where work for one effector waits for a slot."""

    __slots__ = ("effector", "lease_us", "watch")

    def __init__(self, effector: Effector[..., Any], weights: Mapping[str, float]) -> None:
        super().__init__(effector.slots, weights, extra_work=effector.extra_work, nests=effector.nests)
        self.effector = effector
        #: How long an attempt holds its lease.
        self.lease_us = int((effector.timeout_s + LEASE_MARGIN_S) * 1e6)
        #: What watches its calls one by one, if anything does.
        self.watch: Any = None
