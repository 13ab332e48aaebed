"""The volatile side of an open decision: what is ready, what runs, what is left.

Rebuilt from the journal's state after a restart.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from lictor.errors import Code
from lictor.journal.open import Open
from lictor.journal.port import Act
from lictor.lifecycle import ACTION_TERMINAL, ActionState, act
from lictor.records import Take

#: Members of enumerations, read once: on CPython 3.11 reading one costs as much as a call.
_WAITING = ActionState.WAITING.value
_SUCCEEDED = ActionState.SUCCEEDED.value
_COMPENSATED = ActionState.COMPENSATED.value


#: Ends that follow from the failure of another action, and are not why the decision failed.
_FOLLOWS = frozenset({Code.DEPENDENCY_FAILED, Code.COMPENSATION_FAILED})

#: Most work never has any, so all share it.
_NONE: frozenset[Any] = frozenset()


class Work:
    """One open decision in execution."""

    __slots__ = (
        "acts",
        "asking",
        "concluded",
        "cut_off",
        "effector",
        "failure",
        "finished",
        "key",
        "open",
        "paid",
        "queued",
        "ready",
        "running",
        "short",
        "states",
        "succeeded",
        "takes",
        "total",
        "turn",
        "undo_tries",
        "undoing",
        "unmet",
        "urgency",
        "waits",
    )

    def __init__(self, found: Open) -> None:
        plan = found.plan
        if plan is None:
            raise TypeError("only admitted decisions are executed")
        self.open = found
        self.total = len(plan.actions)
        self.takes: tuple[Take, ...] = found.verdict.takes
        #: Its order key's lane, while it is in one.
        self.key: tuple[str, str] | None = None
        #: Those who run in the same turn of the order key.
        self.turn: list[Work] = []
        #: The class that it is queued in.
        self.urgency = found.decision.priority
        #: Its tokens have been taken for its next start; or it waits for them.
        self.paid = self.short = False
        #: Events of this turn, not yet given to the journal.
        self.acts: list[Act] = []
        #: Where those events have brought their actions.
        self.states: dict[int, str] = {}
        self.ready: dict[str, deque[int]] = {}
        #: Effectors in whose queue it stands.
        self.queued: set[str] = set()
        self.running = 0
        self.succeeded = 0
        self.finished = 0
        self.failure: tuple[str, str | None, str | None] | None = None
        self.concluded = False
        #: Actions that are still to be undone, the latest last; None while nothing is undone.
        self.undoing: list[int] | None = None
        self.undo_tries = 0
        #: Questions to the world that are on their way: (ordinal, what).
        self.asking: frozenset[tuple[int, str]] = _NONE
        #: Actions that a crash cut off; repeating them is no extra work.
        self.cut_off: frozenset[int] = _NONE
        self.unmet: dict[int, int] = {}
        self.waits: dict[int, list[int]] = {}
        self._read(plan.actions[0].effector if self.total == 1 else None)

    def _read(self, only: str | None) -> None:
        """Take up where the journal's state stands."""
        self.effector = only
        actions = self.open.actions
        if only is not None:
            if actions[0].state == _WAITING:
                self.ready[only] = deque((0,))
            elif actions[0].state in ACTION_TERMINAL:
                self.note(0, actions[0].state, actions[0].code, actions[0].detail)
            return
        plan = self.open.plan
        for ordinal, action in enumerate(plan.actions if plan else ()):
            unmet = [need for need in action.after if actions[need].state != _SUCCEEDED]
            for need in unmet:
                self.waits.setdefault(need, []).append(ordinal)
            if unmet:
                self.unmet[ordinal] = len(unmet)
            state = actions[ordinal].state
            if state in ACTION_TERMINAL:
                self.note(ordinal, state, actions[ordinal].code, actions[ordinal].detail)
            elif state == _WAITING and not unmet:
                self.make_ready(ordinal)

    def make_ready(self, ordinal: int) -> str:
        """The action may start when it gets a slot; its effector's name."""
        plan = self.open.plan
        name = self.effector or (plan.actions[ordinal].effector if plan else "")
        queue = self.ready.get(name)
        if queue is None:
            queue = self.ready[name] = deque()
        queue.append(ordinal)
        return name

    def note(self, ordinal: int, state: str, code: str | None, detail: str | None) -> list[int]:
        """An action ended; after a success the actions that may start now, after a failure those that never will."""
        self.finished += 1
        waiting = self.waits.pop(ordinal, ())
        if state == _SUCCEEDED:
            self.succeeded += 1
            freed = []
            for later in waiting:
                self.unmet[later] -= 1
                if not self.unmet[later]:
                    del self.unmet[later]
                    freed.append(later)
            return freed
        follows = state == _COMPENSATED or code in _FOLLOWS
        if self.failure is None and not follows:
            self.failure = (state, code, detail)
        return [later for later in waiting if self.unmet.pop(later, 0)]

    def state(self, ordinal: int) -> str:
        """Where an action is after the events of this turn so far."""
        return self.states.get(ordinal) or self.open.actions[ordinal].state

    def add(self, news: Act) -> str:
        """Add an event to what this turn writes; where it brings its action.

        Raises:
            LifecycleError: the table does not list it.
        """
        to = act(self.state(news.ordinal), news.event).to
        self.acts.append(news)
        self.states[news.ordinal] = to
        return to

    def take_acts(self) -> tuple[Act, ...]:
        """The events of this turn, which are the journal's from now on."""
        acts = tuple(self.acts)
        self.acts = []
        self.states = {}
        return acts

    def result(self, ordinal: int) -> Any:
        """What an action that has succeeded gave."""
        return self.open.actions[ordinal].value
