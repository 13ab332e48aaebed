"""`assurance=verified`: a success that an effector tells of is doubted until the world has said the same.

What cannot be asked about (no `reconcile`) is believed. What the world has never seen is tried again under the same key
while there is extra work, and fails as `UNVERIFIED` when there is none: a false success never stands.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from lictor.declarations.effectors import Effector
from lictor.errors import Code
from lictor.lifecycle import Event

from .amounts import Settled
from .attempts import News
from .executing import Executing
from .work import Work

_DOUBT = Event.DOUBT.value


class Claim(NamedTuple):
    """What a call has told: its result and the true amounts."""

    value: Any
    settled: Settled


_NOTHING = Claim(None, ())


class Verifying:
    """The successes that are being asked about."""

    __slots__ = ("_claims", "_executor", "on")

    def __init__(self, executor: Executing) -> None:
        self._executor = executor
        self.on = False
        #: What calls have told, by decision and action; it counts once the world confirms it.
        self._claims: dict[tuple[int, int], Claim] = {}

    def doubts(
        self, work: Work, ordinal: int, effector: Effector[..., Any], news: News, at_us: int, settled: Settled
    ) -> bool:
        """Whether this success is asked about first; then it is in doubt until then."""
        if effector.asks is None:
            return False
        self._claims[work.open.decision.id, ordinal] = Claim(news.value, settled)
        if not news.late:  # else it is in doubt already, and being asked about
            detail = "it says that it succeeded; the world is asked"
            self._executor.act(work, ordinal, _DOUBT, code=Code.UNVERIFIED, next_us=at_us, detail=detail)
        return True

    def claimed(self, work: Work, ordinal: int) -> Claim:
        """What the call had told, now that the world has."""
        return self._claims.pop((work.open.decision.id, ordinal), _NOTHING)
