"""Watches the calls of one effector one by one: adapts its slots, says when it is slow or hangs, and hedges.

Only effectors that ask for it are watched; for the others none of this runs.
"""

from __future__ import annotations

from typing import Any

from lictor.capacity.concurrency import AdaptiveSlots
from lictor.capacity.pace import Event
from lictor.declarations.effectors import Effector
from lictor.runtime.probe import Probe

from .attempt import Attempt
from .executing import Executing
from .extra_attempts import ExtraAttempts
from .hedging import Hedging

#: What a call has told where the other side has dealt with it; being turned away because it is busy is no answer.
_ANSWERS = frozenset({"succeed", "pend", "fail"})


class Watch:
    """The watch over one effector's calls."""

    def __init__(self, effector: Effector[..., Any], executor: Executing, extra: ExtraAttempts, probe: Probe) -> None:
        self._executor = executor
        self._effector = effector
        self._clock = executor.clock
        self._probe = probe
        bounds = effector.adaptive
        self.slots = AdaptiveSlots(bounds.low, bounds.high, bounds.start) if bounds is not None else None
        self.hedging = Hedging(effector, effector.hedge, executor, extra) if effector.hedge else None
        #: When the timer that looks at what is in flight is due.
        self._due: float | None = None

    @property
    def pace(self) -> Event | None:
        """Usual, slow or hanging; None where that is not watched."""
        return self.slots.pace.state if self.slots is not None else None

    @property
    def hedges(self) -> int:
        """Second calls that were made."""
        return self.hedging.calls if self.hedging is not None else 0

    def began(self, attempt: Attempt) -> None:
        """A call begins."""
        if self.hedging is not None:
            self.hedging.began(attempt)
        if self.slots is not None:
            self.slots.began(attempt, self._clock.monotonic())
            if self._due is None:
                self._set_timer(self.slots)

    def ended(self, attempt: Attempt) -> None:
        """A call is over."""
        if not attempt.begun:
            return
        now = self._clock.monotonic()
        if self.hedging is not None:
            self.hedging.ended(attempt, now - attempt.started)
        if self.slots is not None:
            self._say(self.slots, self.slots.returned(attempt, now, answered=attempt.told in _ANSWERS))

    def _set_timer(self, slots: AdaptiveSlots) -> None:
        every_s = slots.pace.every_s()
        self._due = self._clock.monotonic() + every_s
        self._clock.call_later(every_s, lambda: self._look(slots))

    def _look(self, slots: AdaptiveSlots) -> None:
        now, due = self._clock.monotonic(), self._due
        self._due = None
        self._say(slots, slots.check(now, late_s=now - (due or now)))
        if slots.pace.in_flight:
            self._set_timer(slots)

    def _say(self, slots: AdaptiveSlots, event: Event | None) -> None:
        """Put the level in force, and tell what was seen."""
        lane = self._executor.lanes[self._effector.name]
        if lane.slots != slots.level:
            raised = slots.level > lane.slots
            lane.resize(slots.level)
            if raised:
                self._executor.wake()
        if event is not None:
            self._probe.note(event, effector=self._effector.name, slots=slots.level, **slots.pace.numbers())
