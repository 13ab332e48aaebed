"""Before it starts, work that was admitted under another policy is ruled again (`assurance=checked`, the default).

A deploy finds admitted work in the journal that the gates of yesterday let through. It stays away from effectors until
the gates of today have said the same of it; else it ends as cancelled(`POLICY_CHANGED`), or, where it has started, is
cancelled as by a person. Nobody else may rule than validation: it is asked, and answers when it can.
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


class Assurance:
    """Which work was ruled by another policy, and what was said of it since."""

    def __init__(self, clock: Clock, wake: Callable[[], None], probe: Probe) -> None:
        self._clock = clock
        self._wake = wake
        self._probe = probe
        #: The policy in force; None where what was admitted stays admitted (`assurance=fast`).
        self.policy: str | None = None
        self.recheck: Recheck | None = None
        self._asked: dict[int, Work] = {}
        self._said: list[tuple[int, str | None]] = []

    def stale(self, work: Work) -> bool:
        """Whether it may not start yet, because other gates ruled on it; they are asked again, once."""
        found = work.open
        if self.policy is None or self.recheck is None or work.assured or found.verdict.policy == self.policy:
            return False
        if found.decision.id not in self._asked:
            self._asked[found.decision.id] = work
            self.recheck(found, self._clock.wall_us())
        return True

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
            work = self._asked.pop(decision, None)
            if work is None or work.concluded:
                continue
            self._probe.note("policy_rechecked", decision=id_text(decision), policy=self.policy, refused=why)
            if why is None:
                work.assured = True
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
        detail = f"admitted under {work.open.verdict.policy}, in force is {self.policy}: {why}"
        outcome = Outcome(decision=decision, result="cancelled", at_us=at_us, code=Code.POLICY_CHANGED, detail=detail)
        return Close(decision, Event.CANCEL, outcome)
