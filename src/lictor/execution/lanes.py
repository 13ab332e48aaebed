"""Order keys: for one key, decisions run one after another in the order of their admission (I4).

A turn is a decision, and the children with its key that run in it; the turn ends when all of them have. The head of a
key runs in the highest class that waits behind it, so that low work cannot hold up urgent work of the same key.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping

from lictor.declarations.kinds import Kind
from lictor.records import Decision

from .work import Work

LaneKey = tuple[str, str]


class _Lane:
    """The turns of one key, the first of them running."""

    __slots__ = ("classes", "turns")

    def __init__(self) -> None:
        self.turns: deque[list[Work]] = deque()
        self.classes: Counter[int] = Counter()


class OrderLanes:
    """The lanes of all order keys that are in use."""

    def __init__(self, kinds: Mapping[str, Kind], work: Mapping[int, Work]) -> None:
        self._kinds = kinds
        self._work = work
        self._lanes: dict[LaneKey, _Lane] = {}
        #: Keys of what this turn has planned and the journal has not admitted yet: nobody passes them.
        self._planned: set[LaneKey] = set()

    def begin_turn(self) -> None:
        """What the turn before had planned is in its lanes by now."""
        self._planned.clear()

    def key(self, decision: Decision) -> LaneKey | None:
        """The lane that a decision belongs into; control kinds pass all of them."""
        kind = self._kinds.get(decision.kind)
        if decision.order_key is None or (kind is not None and kind.control):
            return None
        return decision.tenant, decision.order_key

    def plan(self, decision: Decision) -> bool:
        """A decision is being planned: whether nobody is before it. A child with its parent's key runs in that turn."""
        key = self.key(decision)
        if key is None:
            return True
        parent = self._parent(decision)
        beside = parent is not None and parent.key == key
        free = (
            self.head(parent) if beside and parent is not None else key not in self._planned and key not in self._lanes
        )
        self._planned.add(key)
        return free

    def _parent(self, decision: Decision) -> Work | None:
        return self._work.get(decision.parent) if decision.parent is not None else None

    def enter(self, work: Work) -> bool:
        """Join the lane, in the parent's turn where that has the same key; True when the work may run."""
        key = self.key(work.open.decision)
        if key is None:
            return True
        parent = self._parent(work.open.decision)
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = _Lane()
        if parent is not None and parent.key == key:
            turn = parent.turn
            turn.append(work)
        else:
            turn = [work]
            lane.turns.append(turn)
        work.key, work.turn = key, turn
        lane.classes[work.open.decision.priority] += 1
        return lane.turns[0] is turn

    def leave(self, work: Work) -> list[Work]:
        """The work has ended; those who may run now and could not before."""
        if work.key is None:
            return []
        key = work.key
        lane, turn = self._lanes[key], work.turn
        turn.remove(work)
        priority = work.open.decision.priority
        lane.classes[priority] -= 1
        if not lane.classes[priority]:
            del lane.classes[priority]
        work.key = None
        if turn:
            return []
        head = lane.turns[0] is turn
        if head:
            lane.turns.popleft()
        else:
            lane.turns.remove(turn)
        if not lane.turns:
            del self._lanes[key]
            return []
        return lane.turns[0] if head else []

    def head(self, work: Work) -> bool:
        """The work may run now, as far as its order key goes."""
        return work.key is None or self._lanes[work.key].turns[0] is work.turn

    def before(self, work: Work) -> list[Work]:
        """Those whose turn it is in the work's lane."""
        return self._lanes[work.key].turns[0] if work.key is not None else []

    def urgency(self, work: Work) -> int:
        """The class that the head runs in: the highest among those that wait behind it."""
        own = work.open.decision.priority
        lane = self._lanes.get(work.key) if work.key is not None else None
        return own if lane is None else min(own, *lane.classes)
