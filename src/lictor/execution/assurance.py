"""Before it starts, work that was admitted by what holds no longer is ruled again (`assurance=checked`, the default).

A deploy finds admitted work in the journal that the gates of yesterday let through. It stays away from effectors until
the gates of today have said the same of it; else it ends as cancelled(`POLICY_CHANGED`), or, where it has started, is
cancelled as by a person. Likewise where a reference that its gates read has another version by now: an account that
was blocked while a payment to it waited is not paid. Nobody else may rule than validation: it is asked, and answers
when it can.
"""

from __future__ import annotations

from collections.abc import Callable

from lictor.errors import Code
from lictor.journal.open import Open
from lictor.journal.port import Cancel, Close, Verb
from lictor.lifecycle import Event
from lictor.records import Outcome
from lictor.runtime.clock import Clock
from lictor.runtime.ids import id_text
from lictor.runtime.probe import Probe

from .executing import Executing
from .work import Work

#: Asks validation about an open decision; it answers by `heard`.
Recheck = Callable[[Open, int], None]
#: Whether a reference that its rulings read has another version by now.
Outdated = Callable[[Open], bool]


class Assurance:
    """Which work was ruled by what holds no longer, and what was said of it since."""

    def __init__(self, clock: Clock, wake: Callable[[], None], probe: Probe) -> None:
        self._clock = clock
        self._wake = wake
        self._probe = probe
        #: The policy in force; None where what was admitted stays admitted (`assurance=fast`).
        self.policy: str | None = None
        self.recheck: Recheck | None = None
        self.outdated: Outdated = _never
        #: When a reference was last loaded in another version than before, and how often that was.
        self.changed_us = -1
        self.changes = 1
        self._asked: dict[int, tuple[Work, int]] = {}
        self._said: list[tuple[int, str | None]] = []

    def stale(self, work: Work) -> bool:
        """Whether it may not start yet, because other gates ruled on it or on other references; it is ruled again."""
        found = work.open
        if self.policy is None or self.recheck is None:
            return False
        if work.assured == self.changes:
            return False
        same = found.verdict.policy == self.policy
        if same and (found.verdict.at_us > self.changed_us or not self.outdated(found)):
            return False
        if found.decision.id not in self._asked:
            self._asked[found.decision.id] = work, self.changes
            self.recheck(found, self._clock.wall_us())
        return True

    def loaded(self, at_us: int) -> None:
        """A reference has another version than before."""
        self.changed_us = max(self.changed_us, at_us)
        self.changes += 1

    def heard(self, decision: int, why: str | None) -> None:
        """Validation has ruled: None where it may start, else why not."""
        self._said.append((decision, why))
        self._wake()

    def verbs(self, at_us: int, executor: Executing) -> list[Verb]:
        """What the answers come to: back into the queue, or what ends it."""
        if not self._said:
            return []
        said, self._said = self._said, []
        written: list[Verb] = []
        for decision, why in said:
            work, changes = self._asked.pop(decision, (None, 0))
            if work is None or work.concluded:
                continue
            self._probe.note("policy_rechecked", decision=id_text(decision), policy=self.policy, refused=why)
            if why is None:
                work.assured = changes
                executor.queue(work)
            elif work.open.started:  # what runs is not disturbed, and what an earlier attempt came to is kept
                reason = f"{Code.POLICY_CHANGED}: {why}"
                written.append(Cancel(decision, at_us, f"policy {self.policy}", reason))
                executor.touch(work)  # in the turn after this commit
            else:
                written.append(self._ended(work, at_us, why))
        return written

    def _ended(self, work: Work, at_us: int, why: str) -> Verb:
        decision = work.open.decision.id
        work.concluded = True
        before = work.open.verdict.policy
        what = f"in force is {self.policy}" if before != self.policy else "what its gates read has changed"
        detail = f"admitted under {before}, {what}: {why}"
        outcome = Outcome(decision=decision, result="cancelled", at_us=at_us, code=Code.POLICY_CHANGED, detail=detail)
        return Close(decision, Event.CANCEL, outcome)


def _never(_found: Open) -> bool:
    return False
