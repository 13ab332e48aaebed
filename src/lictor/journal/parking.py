"""Parked decisions: open ones whose record is not in memory, so that a queue of any length takes little of it.

An admitted decision that has not begun follows from one fact, its admission. Its record can be dropped when that is
durable, and be made again from it when its turn comes or somebody asks for it by id. That is no fact of history: which
decisions are parked is soft state, and every answer is as if none were.
"""

from __future__ import annotations

from collections.abc import Iterator
from heapq import heappop, heappush
from typing import NamedTuple, Protocol

from lictor.lifecycle import DecisionState

from .open import Open, holds

_ADMITTED = DecisionState.ADMITTED.value


class Queue(NamedTuple):
    """What parked decisions wait in: the effector of their first action, their class, their tenant."""

    effector: str
    priority: int
    tenant: str


class Parked(NamedTuple):
    """The parked decisions of one queue: how many, and a time before which none of their deadlines lies."""

    waiting: int
    first_us: int


class Parking(Protocol):
    """Where a store keeps parked decisions."""

    #: How many there are.
    count: int

    def get(self, id_: int) -> Open | None:
        """A parked decision, which stays parked."""
        ...

    def take(self, id_: int) -> Open | None:
        """A parked decision, which is in memory from now on."""
        ...

    def take_first(self, queue: Queue, count: int) -> list[Open]:
        """Those of a queue that have the earliest deadlines; in memory from now on."""
        ...

    def queues(self) -> dict[Queue, Parked]:
        """What is parked, by queue."""
        ...

    def all(self) -> Iterator[Open]:
        """All of them, in the order of their admission; they stay parked."""
        ...


class NoParking:
    """Nothing is parked."""

    count = 0

    def get(self, id_: int) -> Open | None:  # noqa: ARG002 - a protocol
        return None

    take = get

    def take_first(self, queue: Queue, count: int) -> list[Open]:  # noqa: ARG002 - a protocol
        return []

    def queues(self) -> dict[Queue, Parked]:
        return {}

    def all(self) -> Iterator[Open]:
        return iter(())


def queue_of(found: Open) -> Queue:
    """The queue that an admitted decision would be parked in."""
    decision = found.decision
    return Queue(found.plan.actions[0].effector if found.plan else "", decision.priority, decision.tenant)


def may_park(found: Open) -> bool:
    """Whether all that is known of it follows from its admission alone."""
    return (
        found.state == _ADMITTED
        and not found.started
        and found.place == found.born
        and not found.approvals
        and not found.cancel_asked
        and found.held == holds(found.verdict.reservations)
    )


class Deadlines:
    """Parked decisions by queue and deadline, for a store that has no index of its own."""

    def __init__(self) -> None:
        self._heaps: dict[Queue, list[tuple[int, int]]] = {}

    def add(self, found: Open) -> None:
        """It was parked."""
        heappush(self._heaps.setdefault(queue_of(found), []), (found.decision.deadline_us, found.decision.id))

    def next(self, queue: Queue) -> int | None:
        """Take the id of the earliest deadline; it may have left by another way."""
        heap = self._heaps.get(queue)
        if heap is None:
            return None
        id_ = heappop(heap)[1]
        if not heap:
            del self._heaps[queue]
        return id_
