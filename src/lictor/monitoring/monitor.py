"""Monitoring on one node: sees each turn, after its commit."""

from __future__ import annotations

from collections.abc import Sequence

from lictor.journal.port import Answer, Verb


class Monitor:
    """Counts and times what passes."""

    def turned(self, verbs: Sequence[Verb], answers: Sequence[Answer], commit_s: float) -> None:
        """One turn was committed."""
