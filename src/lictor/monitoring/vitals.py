"""What is true of a node at this moment, read when someone asks and never kept.

Gauges for `metrics` and facts for `health`.
Names what it needs of the other stages as protocols, because stages do not import each other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from lictor.journal.port import Journal
from lictor.records import Adjustment, Decision
from lictor.runtime.clock import Clock


class Lane(Protocol):
    """One effector's capacity on this node."""

    effector: Any
    ready: Any
    pool: Any
    breaker: Any
    free: int
    slots: int
    held_until_us: int
    #: What watches its calls one by one, if anything does.
    watch: Any


class Executing(Protocol):
    """Execution on this node."""

    @property
    def lanes(self) -> Mapping[str, Lane]:
        """By effector."""
        ...

    @property
    def backlog(self) -> int:
        """Admitted decisions that have not ended."""
        ...

    def running(self) -> int:
        """Calls in flight."""
        ...


class Loaded(Protocol):
    """A reference as it was last loaded."""

    @property
    def at_us(self) -> int:
        """When."""
        ...


@dataclass(slots=True, eq=False)
class Audited:
    """Facts of history: how many there are, are not in the tree over it yet, are under no signed checkpoint."""

    kept: bool = False
    size: int = 0
    behind: int = 0
    unsigned: int = 0
    #: Why no checkpoint can be signed, or none be added to the anchor.
    fault: str = ""
    anchor_fault: str = ""


@dataclass(slots=True, eq=False)
class Vitals:
    """Where to look."""

    clock: Clock
    journal: Journal
    execution: Executing
    adjustments: Mapping[tuple[str, str], Adjustment]
    scores: Callable[[], Mapping[str, Mapping[str, float]]]
    #: Signals that wait for the next turn, and how many may.
    waiting: Callable[[], int]
    waiting_max: int
    #: The last loaded version of each declared reference, and how old it may be, in seconds.
    references: Mapping[str, Loaded]
    ages_max: Mapping[str, float]
    #: Monotonic time when the turn that runs now began; None between turns.
    turn_began: float | None = None
    audited: Audited = field(default_factory=Audited)
    #: What whoever works beside the node cannot do: by name, a code and words.
    troubles: dict[str, tuple[str, str]] = field(default_factory=dict)

    def turn_s(self) -> float:
        """How long the running turn has been running; 0 between turns."""
        began = self.turn_began
        return 0.0 if began is None else max(0.0, self.clock.monotonic() - began)

    def open_states(self) -> tuple[dict[str, int], dict[str, int]]:
        """Open decisions by state, and the actions of those that have started by state. One pass over memory."""
        parked = self.journal.state.parking.count
        decisions: dict[str, int] = {"admitted": parked} if parked else {}
        actions: dict[str, int] = {}
        for found in self.journal.state.open.values():
            state = str(found.state)
            decisions[state] = decisions.get(state, 0) + 1
            if found.started:
                for action in found.actions:
                    which = str(action.state)
                    actions[which] = actions.get(which, 0) + 1
        return decisions, actions

    def unknown(self) -> list[tuple[Decision, int]]:
        """Decisions that are past their deadline and in doubt, with their number of actions."""
        now_us = self.clock.wall_us()
        return [
            (found.decision, len(found.actions))
            for found in self.journal.state.open.values()
            if found.started
            and found.decision.deadline_us < now_us
            and any(action.state == "in_doubt" for action in found.actions)
        ]

    def stale(self) -> dict[str, float | None]:
        """References that gates refuse to read: their age in seconds, None where they were never loaded."""
        now_us = self.clock.wall_us()
        found: dict[str, float | None] = {}
        for name, age_s_max in self.ages_max.items():
            loaded = self.references.get(name)
            if loaded is None:
                found[name] = None
            elif (age_s := (now_us - loaded.at_us) / 1e6) > age_s_max:
                found[name] = age_s
        return found
