"""The volatile side of an open decision: what is ready, what runs, what is left.

Rebuilt from the journal's state after a restart.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from lictor.journal.open import Open
from lictor.journal.port import Act
from lictor.lifecycle import ACTION_TERMINAL, ActionState
from lictor.records import Take


class Work:
    """One open decision in execution."""

    __slots__ = (
        "acts",
        "concluded",
        "direct",
        "effector",
        "failure",
        "finished",
        "key",
        "open",
        "parked",
        "queued",
        "ready",
        "running",
        "succeeded",
        "takes",
        "total",
        "undoing",
        "unmet",
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
        self.direct = False
        #: Events of this turn, not yet given to the journal.
        self.acts: list[Act] = []
        self.ready: dict[str, deque[int]] = {}
        #: Effectors in whose queue it stands.
        self.queued: set[str] = set()
        self.running = 0
        self.succeeded = 0
        self.finished = 0
        self.failure: tuple[str, str | None, str | None] | None = None
        self.concluded = False
        self.parked = False
        self.undoing: list[int] | None = None
        self.unmet: dict[int, int] = {}
        self.waits: dict[int, list[int]] = {}
        self._read(plan.actions[0].effector if self.total == 1 else None)

    def _read(self, only: str | None) -> None:
        """Take up where the journal's state stands."""
        self.effector = only
        actions = self.open.actions
        if only is not None:
            if actions[0].state == ActionState.WAITING:
                self.ready[only] = deque((0,))
            elif actions[0].state in ACTION_TERMINAL:
                self.note(0, actions[0].state, actions[0].code, actions[0].detail)
            return
        plan = self.open.plan
        for ordinal, action in enumerate(plan.actions if plan else ()):
            unmet = [need for need in action.after if actions[need].state != ActionState.SUCCEEDED]
            for need in unmet:
                self.waits.setdefault(need, []).append(ordinal)
            if unmet:
                self.unmet[ordinal] = len(unmet)
            state = actions[ordinal].state
            if state in ACTION_TERMINAL:
                self.note(ordinal, state, actions[ordinal].code, actions[ordinal].detail)
            elif state == ActionState.WAITING and not unmet:
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
        """An action ended; the actions that this makes ready."""
        self.finished += 1
        if state == ActionState.SUCCEEDED:
            self.succeeded += 1
            freed = []
            for waiting in self.waits.pop(ordinal, ()):
                self.unmet[waiting] -= 1
                if not self.unmet[waiting]:
                    del self.unmet[waiting]
                    freed.append(waiting)
            return freed
        if self.failure is None and code != "DEPENDENCY_FAILED":
            self.failure = (state, code, detail)
        return []

    def results(self) -> list[Any]:
        """Values of all actions so far, by ordinal, those of this turn included."""
        values = [action.value for action in self.open.actions]
        for news in self.acts:
            if news.value is not None:
                values[news.ordinal] = news.value
        return values
