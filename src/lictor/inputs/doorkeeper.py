"""Sheds at the door what would come too late, while work waits: before it is read, and without a turn of its own.

Under overload nearly everything is shed, and what shedding costs is taken from what could have been done; at twenty
times the capacity that decides whether anything is done at all. So at the door a signal costs a prediction, a count and
its answer. It is asked only for what can be foreseen from the envelope, and never of a signal whose answer may be
another one: of a key that was decided on before, a source that is judged or not known, a child, a successor.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lictor.capacity.foresight import AtDoor, foreseen
from lictor.capacity.lane import Lane
from lictor.declarations.declared import Declared
from lictor.entry import Handle
from lictor.records import CLASS_WORTH, Result, Ruling, Signal, Verdict
from lictor.runtime.randomness import Randomness

from .envelope import fault
from .shedding import Shedding

_SHED = Result.SHED

Bound = Callable[[str, str, str], object]


class Doorkeeper:
    """Stands before the queue of arrivals."""

    def __init__(
        self, app: Declared, shedding: Shedding, lanes: Mapping[str, Lane[Any]], randomness: Randomness
    ) -> None:
        #: Where decisions of a kind will wait, for the kinds of which that is known before they are read: all, where
        #: there is one effector alone. Control kinds pass whatever waits.
        self._lanes: dict[str, Sequence[Lane[Any]]] = {}
        if len(lanes) == 1:
            self._lanes = {name: tuple(lanes.values()) for name, kind in app.kinds.items() if not kind.control}
        self._kinds = {name: (int(kind.expires_in_s * 1e6), int(kind.priority)) for name, kind in app.kinds.items()}
        self._granted = {source.name: int(source.priority) for source in app.sources.values() if source.quality is None}
        self._open = not app.sources
        self._shedding = shedding
        self._draw = randomness.uniform

    def turned_away(self, signal: Signal, now_us: int, bound: Bound) -> Handle | None:
        """The answer of a signal that is shed; None for one that may come in.

        `bound` says what a key of a tenant and source was decided on for.
        """
        try:
            lanes = self._lanes[signal.kind]
        except (KeyError, TypeError):
            return None
        for lane in lanes:
            if lane.ready.size:
                return self._asked(signal, lanes, now_us, bound)
        return None

    def _asked(self, signal: Signal, lanes: Sequence[Lane[Any]], now_us: int, bound: Bound) -> Handle | None:
        source, tenant, key = signal.source, signal.tenant, signal.key
        if not (signal.parent is signal.supersedes is signal.not_before_us is None):
            return None
        if fault(signal) is not None or not (self._open or source in self._granted):
            return None
        expires_us, priority = self._kinds[signal.kind]
        priority = priority if signal.priority is None else signal.priority
        if not self._open and priority < self._granted[source]:
            priority = self._granted[source]
        if signal.expires_in_s is not None:
            expires_us = int(signal.expires_in_s * 1e6)
        deadline_us = now_us + expires_us
        if signal.deadline_us is not None:
            deadline_us = signal.deadline_us if signal.expires_in_s is None else min(deadline_us, signal.deadline_us)
        late = foreseen(AtDoor(priority, tenant, deadline_us), lanes, now_us)
        if late is None or (key is not None and bound(tenant, source, key) is not None):
            return None
        self._shedding.count(signal, late.code, now_us, CLASS_WORTH[priority])
        # Spread over at least one deadline, so that those who are shed together do not come back together.
        again_s = late.retry_after_s + self._draw(0.0, 1.0) * max(late.retry_after_s, (deadline_us - now_us) / 1e6)
        rulings = (Ruling("inputs", "deny", "", late.code, late.seen),)
        verdict = Verdict(
            result=_SHED, at_us=now_us, digest=b"", code=late.code, rulings=rulings, retry_after_s=again_s
        )
        return Handle(None, None, verdict)
