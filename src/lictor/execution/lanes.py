"""Order keys: for one key, decisions run one after another in the order of their admission (I4).

A turn is a decision, and the children with its key that run in it; the turn ends when all of them have. The head of a
key runs in the highest class that waits behind it, so that low work cannot hold up urgent work of the same key.
"""

from __future__ import annotations

from collections import Counter, deque

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

    def __init__(self) -> None:
        self._lanes: dict[LaneKey, _Lane] = {}

    def free(self, key: LaneKey) -> bool:
        """Nobody is in the key's lane."""
        return key not in self._lanes

    def enter(self, key: LaneKey, work: Work, parent: Work | None = None) -> bool:
        """Join the lane, in the parent's turn where that has the same key; True when the work may run."""
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

    def running(self, key: LaneKey) -> list[Work]:
        """Those whose turn it is."""
        return self._lanes[key].turns[0]

    def urgency(self, work: Work) -> int:
        """The class that the head runs in: the highest among those that wait behind it."""
        own = work.open.decision.priority
        lane = self._lanes.get(work.key) if work.key is not None else None
        return own if lane is None else min(own, *lane.classes)
