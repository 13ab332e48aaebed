"""What resolution and recovery know of the executor that they work for; a protocol, so that neither imports it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from lictor.declarations.declared import Declared
from lictor.runtime.clock import Clock

from .agenda import Agenda
from .amounts import TrueAmounts
from .attempts import Attempts
from .effector_lane import EffectorLane
from .lanes import OrderLanes
from .tokens import Tokens
from .work import Work


class Executing(Protocol):
    """The executor of one node, as its parts see it."""

    app: Declared
    clock: Clock
    agenda: Agenda
    amounts: TrueAmounts
    attempts: Attempts
    draining: bool
    lanes: dict[str, EffectorLane]
    order: OrderLanes
    work: dict[int, Work]
    undeclared: dict[int, Work]
    recovering: int
    tokens: Tokens
    wake: Callable[[], None]

    def act(self, work: Work, ordinal: int, event: str, **fields: Any) -> None:
        """Note an event of an action for this turn."""
        ...

    def queue(self, work: Work) -> None:
        """Put what is ready into the queues of its effectors."""
        ...

    def touch(self, work: Work) -> None:
        """Look at this decision in the next turn."""
        ...

    def halted(self, work: Work, effector: str | None = None) -> bool:
        """Whether a halt forbids this decision's starts, or those of one of its effectors."""
        ...
