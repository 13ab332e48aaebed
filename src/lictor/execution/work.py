"""The volatile side of an open decision: what is ready, what runs, what is left.

Rebuilt from the journal's state after a restart.
"""

from __future__ import annotations

from collections import deque
from typing import Any

import msgspec

from lictor.errors import Code
from lictor.journal.open import Open
from lictor.journal.port import Act
from lictor.lifecycle import ACTION_TERMINAL, ActionState, act
from lictor.records import Take

#: Members of enumerations, read once: on CPython 3.11 reading one costs as much as a call.
_STARTED = ActionState.STARTED.value
_WAITING = ActionState.WAITING.value
_SUCCEEDED = ActionState.SUCCEEDED.value
_COMPENSATED = ActionState.COMPENSATED.value


#: Ends that follow from the failure of another action, and are not why the decision failed.
_FOLLOWS = frozenset({Code.DEPENDENCY_FAILED, Code.COMPENSATION_FAILED})

#: Most work never has any, so all share it.
_NONE: frozenset[Any] = frozenset()


class Work(msgspec.Struct, eq=False):
    """One open decision in execution."""

    open: Open
    total: int = 0
    takes: tuple[Take, ...] = ()
    #: Its order key's lane, while it is in one.
    key: tuple[str, str] | None = None
    #: Those who run in the same turn of the order key.
    turn: list[Work] = []
    #: The class that it is queued in, and what else its place in a queue depends on.
    urgency: int = 0
    tenant: str = ""
    deadline_us: int = 0
    depth: int = 0
    #: Its tokens have been taken for its next start; or it waits for them.
    paid: bool = False
    short: bool = False
    #: Events of this turn, not yet given to the journal.
    acts: list[Act] = []
    #: Where those events have brought their actions.
    states: dict[int, str] = {}
    ready: dict[str, deque[int]] = {}
    #: Effectors in whose queue it stands.
    queued: set[str] = set()
    running: int = 0
    succeeded: int = 0
    finished: int = 0
    failure: tuple[str, str | None, str | None] | None = None
    concluded: bool = False
    #: What was not needed has been dropped, but for these, whose calls were running; None while all may be needed.
    left: frozenset[int] | set[int] | None = None
    #: It came up too late to be in time: others were before it.
    displaced: bool = False
    #: After how many changes the gates were last asked again and said the same, see `assurance`; 0 while they were not.
    assured: int = 0
    #: Actions that are still to be undone, the latest last; None while nothing is undone.
    undoing: list[int] | None = None
    undo_tries: int = 0
    #: Questions to the world that are on their way: (ordinal, what).
    asking: set[tuple[int, str]] = set()
    #: Questions that raised, of which attempt: told once each.
    raised: set[tuple[int, str, int]] = set()
    #: Actions that a crash cut off; repeating them is no extra work.
    cut_off: set[int] = set()
    #: Actions that are to be tried again although an earlier attempt may have done it, and that can be asked about.
    unsettled: set[int] = set()
    unmet: dict[int, int] = {}
    waits: dict[int, list[int]] = {}
    #: Its queue, while it counts there as waiting; see `window`.
    window: Any = None
    #: The effector of its one action; None where there are more.
    effector: str | None = None

    def __post_init__(self) -> None:
        """Take up where the journal's state stands."""
        found = self.open
        plan = found.plan
        if plan is None:
            raise TypeError("only admitted decisions are executed")
        self.total = len(plan.actions)
        self.takes = found.verdict.takes
        decision = found.decision
        self.urgency = decision.priority
        self.tenant = decision.tenant
        self.deadline_us = decision.deadline_us
        self.depth = decision.depth
        if self.total > 1:
            self._read(None)
            return
        self.effector = only = plan.actions[0].effector
        if found.actions[0].state != _STARTED:
            self._read(only)

    def _read(self, only: str | None) -> None:
        """Take up where the journal's state stands."""
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
        ordinal = news.ordinal
        to = act(self.states.get(ordinal) or self.open.actions[ordinal].state, news.event).to
        self.acts.append(news)
        self.states[ordinal] = to
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
