"""Sheds at the door what would come too late, while work waits: before it is read, and without a turn of its own.

Under overload nearly everything is shed, and what shedding costs is taken from what could have been done; at twenty
times the capacity that decides whether anything is done at all. So at the door a signal costs a prediction, a count
and its answer. What has come in since the last turn counts as ahead, or a busy node would let in a crowd between two
turns. It is asked only for what can be foreseen from the envelope, and never of a signal whose answer may be another
one: of a key that was decided on before, a source that is judged or not known, a child, a successor.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from lictor.capacity.foresight import AtDoor, Foresight
from lictor.capacity.lane import Lane
from lictor.declarations.declared import Declared
from lictor.declarations.kinds import Kind
from lictor.declarations.models import taken
from lictor.entry import Handle
from lictor.records import CLASS_WORTH, Result, Ruling, Signal, Verdict
from lictor.runtime.randomness import Randomness

from .envelope import KEY_MAX, NAME_MAX
from .shedding import Shedding

_SHED = Result.SHED
_LOWEST = len(CLASS_WORTH) - 1
#: Granted to no source that may be shed at the door; below every class.
_NOT_KNOWN = -1

Bound = Callable[[str, str, str], object]


class Doorkeeper:
    """Stands before the queue of arrivals."""

    def __init__(
        self, app: Declared, shedding: Shedding, lanes: Mapping[str, Lane[Any]], randomness: Randomness
    ) -> None:
        self._app = app
        #: Where decisions of a kind will wait, for the kinds of which that is known before they are read: all, where
        #: there is one effector alone. Control kinds pass whatever waits.
        self._ahead: dict[str, Foresight] = {}
        self._only: Foresight | None = None
        if len(lanes) == 1:
            self._only = Foresight(next(iter(lanes.values())), len(CLASS_WORTH))
            self._ahead = {name: self._only for name, kind in app.kinds.items() if not kind.control}
        self._kinds = {name: (int(kind.expires_in_s * 1e6), int(kind.priority)) for name, kind in app.kinds.items()}
        self._granted = {source.name: int(source.priority) for source in app.sources.values() if source.quality is None}
        self._open = not app.sources
        self._shedding = shedding
        self._draw = randomness.uniform

    def begin_turn(self) -> None:
        """The lanes hear of all that has come in."""
        if self._only is not None:
            self._only.begin_turn()

    def turned_away(self, signal: Signal, now_us: int, bound: Bound) -> Handle | None:
        """The answer of a signal that is shed; None for one that may come in.

        `bound` says what a key of a tenant and source was decided on for.
        """
        try:
            ahead = self._ahead[signal.kind]
        except (KeyError, TypeError):
            return None
        lane = ahead.lane
        if lane.ready.size or ahead.passed >= lane.free:  # whoever comes now may have to wait
            return self._asked(signal, ahead, now_us, bound)
        ahead.passed += 1
        return None

    def _asked(self, signal: Signal, ahead: Foresight, now_us: int, bound: Bound) -> Handle | None:
        source, tenant, key, priority = signal.source, signal.tenant, signal.key, signal.priority
        granted = self._granted.get(source, _NOT_KNOWN) if type(source) is str else _NOT_KNOWN
        if not (
            signal.parent is signal.supersedes is signal.not_before_us is None
            and (granted != _NOT_KNOWN or (self._open and _plain(source, NAME_MAX)))
            and _plain(tenant, NAME_MAX)
            and (key is None or _plain(key, KEY_MAX))
            and (priority is None or (type(priority) is int and 0 <= priority <= _LOWEST))
        ):
            return None
        expires_us, usual = self._kinds[signal.kind]
        priority = max(usual if priority is None else priority, granted)
        deadline_us = signal.deadline_us
        try:
            if deadline_us is None or signal.expires_in_s is not None:
                until_us = now_us + (expires_us if signal.expires_in_s is None else int(signal.expires_in_s * 1e6))
                deadline_us = until_us if deadline_us is None else min(deadline_us, until_us)
            late = ahead.late(AtDoor(priority, tenant, deadline_us), now_us)
        except (TypeError, ValueError, OverflowError):
            return None  # whoever reads it says what is wrong with it
        if late is None or (key is not None and bound(tenant, source, key) is not None):
            ahead.let_in(priority, now_us)
            return None
        kind = self._app.kinds[signal.kind]
        worth = None if kind.value is None else _worth(kind, signal)
        self._shedding.count(signal, late.code, now_us, CLASS_WORTH[priority] if worth is None else worth)
        # Spread over at least one deadline, so that those who are shed together do not come back together.
        again_s = late.retry_after_s + self._draw(0.0, 1.0) * max(late.retry_after_s, (deadline_us - now_us) / 1e6)
        rulings = (Ruling("inputs", "deny", "", late.code, late.seen),)
        verdict = Verdict(
            result=_SHED, at_us=now_us, digest=b"", code=late.code, rulings=rulings, retry_after_s=again_s
        )
        return Handle(None, None, verdict)


def _worth(kind: Kind, signal: Signal) -> float | None:
    """What is shed is worth, where its kind declares that: the one thing for which its content is read."""
    try:
        return kind.worth(
            signal.value
            if signal.payload is None
            else msgspec.json.decode(signal.payload, type=kind.type, dec_hook=taken)
        )
    except (msgspec.MsgspecError, TypeError, ValueError):
        return None


def _plain(text: Any, length_max: int) -> bool:
    """Whether a name or key is what nearly all are."""
    return type(text) is str and 0 < len(text) <= length_max and text.isascii()
