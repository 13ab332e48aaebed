"""Feedback on one node: what outcomes taught about each source and kind."""

from __future__ import annotations

from lictor.declarations.declared import Declared
from lictor.journal.port import Verb
from lictor.journal.state import State
from lictor.records import Decision, Outcome


class Learner:
    """Scores and lessons."""

    def __init__(self, app: Declared, learn_every_s: float) -> None:
        self._app = app
        self._every_us = int(learn_every_s * 1e6)

    def recover(self, state: State) -> None:
        """Take up what was learned."""

    def observe(self, decision: Decision, outcome: Outcome) -> None:
        """One decision has its outcome."""

    def score(self, source: str, name: str) -> float:
        """A source's score; 1 until something is known."""
        return 1.0

    def verbs(self, now_us: int) -> list[Verb]:
        """Lessons and adjustments to write, when it is time."""
        return []
