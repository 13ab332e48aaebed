"""Order keys: for one key, decisions run one after another in the order of their admission (I4)."""

from __future__ import annotations

from collections import deque

from .work import Work

LaneKey = tuple[str, str]


class OrderLanes:
    """The lanes of all order keys that are in use."""

    def __init__(self) -> None:
        self._lanes: dict[LaneKey, deque[Work]] = {}

    def free(self, key: LaneKey) -> bool:
        """Nobody is in the key's lane."""
        return key not in self._lanes

    def enter(self, key: LaneKey, work: Work) -> bool:
        """Join the lane; True when the work is at its head and may run."""
        work.key = key
        lane = self._lanes.get(key)
        if lane is None:
            self._lanes[key] = deque((work,))
            return True
        lane.append(work)
        return False

    def leave(self, work: Work) -> Work | None:
        """The work has ended; the next head, where that changed."""
        if work.key is None:
            return None
        lane = self._lanes[work.key]
        head = lane[0] is work
        if head:
            lane.popleft()
        else:
            lane.remove(work)
        if not lane:
            del self._lanes[work.key]
            return None
        return lane[0] if head else None

    def head(self, work: Work) -> bool:
        """The work may run now, as far as its order key goes."""
        return work.key is None or self._lanes[work.key][0] is work

    def urgency(self, work: Work) -> int:
        """The class that the head runs in: the highest among those that wait behind it."""
        own = work.open.decision.priority
        lane = self._lanes.get(work.key) if work.key is not None else None
        if lane is None or len(lane) == 1:
            return own
        return min(own, *(w.open.decision.priority for w in lane))
