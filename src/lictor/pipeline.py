"""The six stages in order, once a turn: all that arrived and happened since the last commit, in one transaction.

    1 inputs      a signal is trusted, or not
    2 decisions   it becomes a typed decision
    3 validation  gates make a verdict, the journal decides
    4 execution   admitted decisions become actions, and actions become outcomes
    5 monitoring  sees the turn, once those who waited for it have gone on
    6 feedback    learns from outcomes; the next verdict reads it

Nothing leaves the process (answer, effect, event, metric) before `journal.write` has returned.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field

from lictor.decisions.shaping import Shaping
from lictor.declarations.plain import text, told
from lictor.entry import Entry, Handles, tell
from lictor.errors import Code, LictorError, MalformedError
from lictor.execution.executor import Executor
from lictor.feedback.learner import Learner
from lictor.inputs.intake import Intake
from lictor.journal.open import Open
from lictor.journal.port import Admit, Answer, Journal, Start, Verb
from lictor.monitoring.monitor import Monitor
from lictor.records import Result, Verdict
from lictor.runtime.clock import Clock
from lictor.validation.validator import Validator

_ADMITTED, _REFUSED = Result.ADMITTED, Result.REFUSED  # read once: on CPython 3.11 that costs as much as a call


@dataclass(slots=True, eq=False)
class Pipeline:
    """One node's way from signals to outcomes, and back."""

    journal: Journal
    clock: Clock
    inputs: Intake
    decisions: Shaping
    validation: Validator
    execution: Executor
    monitoring: Monitor
    feedback: Learner
    turn_max: int
    handles: Handles = field(default_factory=Handles)
    requests: list[tuple[Verb, asyncio.Future[Answer]]] = field(default_factory=list)  # what people ask for
    answered: list[Entry] = field(default_factory=list)  # their lookups have answered
    _turned: tuple[list[Verb], list[Answer], list[Open], float] | None = None

    async def turn(self) -> None:
        """One batch through the stages."""
        self.observe()
        now_us = self.clock.wall_us()
        requests, self.requests = self.requests, []
        learned = self.feedback.verbs(now_us)  # first, because it is in force for what follows
        verbs = [*learned, *(verb for verb, _ in requests), *self.execution.verbs(now_us)]
        if (start := self.execution.starts(now_us)) is not None:
            verbs.append(start)
        entries = [entry for entry in self._arrived(now_us) if self._decide(entry, now_us, verbs)]
        verbs += self.inputs.verbs(now_us) + self.validation.verbs()
        if verbs:
            began = self.clock.monotonic()
            answers = await self.journal.write(verbs, now_us)
            took_s = self.clock.monotonic() - began
            self._turned = verbs, answers, self._committed(verbs, answers, entries), took_s
            tell(requests, answers[len(learned) :])
        self.inputs.committed()
        self.execution.resolution.hearing.committed()

    def observe(self) -> None:
        """5 monitoring and 6 feedback see the turn that was committed last, if they have not."""
        turned, self._turned = self._turned, None
        if turned is not None:
            self.feedback.observe(turned[2])
            self.monitoring.turned(*turned)

    def _arrived(self, now_us: int) -> Iterator[Entry]:
        """1 inputs: what is ruled again, what its lookups have answered, and new signals that are trusted."""
        yield from self.validation.take(now_us)
        answered, self.answered[:] = self.answered.copy(), []
        yield from answered
        for entry in self.inputs.take(self.turn_max):
            if self.inputs.trusted(entry, now_us):
                yield entry

    def _decide(self, entry: Entry, now_us: int, verbs: list[Verb]) -> bool:
        """2 decisions, 3 validation, the plan of 4 execution; False when there is nothing to commit for it now."""
        if entry.decision is None:
            try:
                self.decisions.shape(entry, self.journal.state.find, now_us)
            except MalformedError as error:
                self.inputs.malformed(entry, error, now_us)
                return False
        if self.validation.asking(entry, now_us):
            return False
        self.validation.rule(entry, now_us)
        if entry.decision is None or entry.verdict is None or not self._plan(entry, entry.verdict, now_us):
            return False
        verbs += self.validation.limits(entry, now_us)
        verbs.append(Admit(entry.decision, entry.verdict, entry.plan, entry.lease))
        self.inputs.decided(entry)
        return True

    def _plan(self, entry: Entry, verdict: Verdict, now_us: int) -> bool:
        """Plan what was admitted; False when it would come too late and was shed."""
        try:
            late = None if verdict.result is _REFUSED else self.execution.plan(entry, now_us)
        except Exception as error:  # noqa: BLE001 - a plan function is user code; what cannot be planned is refused
            why = text(error.message) if isinstance(error, LictorError) else told(error)
            self.validation.refuse(entry, Code.PLAN_FAILED, {"error": why})
            return True
        if late is None or entry.signal is None or self.inputs.decided_before(entry.signal):  # it has its answer (I10)
            return True
        self.inputs.shed(entry, late.code, now_us, late.seen, late.retry_after_s)
        return False

    def _committed(self, verbs: list[Verb], answers: list[Answer], entries: list[Entry]) -> list[Open]:
        """All of it is durable: let effects begin, answer submitters, tell who waits for outcomes."""
        admitted = iter(entries)
        for verb, answer in zip(verbs, answers, strict=True):
            if type(verb) is Admit:
                self._ruled(next(admitted), answer)
            elif type(verb) is Start:
                self.execution.started(verb, answer)
            else:
                self.execution.wrote(verb, answer)
        finished, self.journal.state.finished = self.journal.state.finished, []
        for found in finished:
            self.execution.ended(found.decision.id)
            self.handles.close(found.decision.id, found.outcome)
        return finished

    def _ruled(self, entry: Entry, answer: Answer) -> None:
        """The journal has decided: begin, queue, or wait for a person or a time; and answer."""
        verdict = answer.verdict
        if entry.lease is not None and not answer.started:
            self.execution.not_started(entry)
        if verdict is None:  # its record is gone from this journal; a decision that was ruled again has ended meanwhile
            entry.archived(answer.decision)
            return
        if answer.ok and answer.open is not None and verdict.result is _ADMITTED:
            self.execution.admitted(answer.open, started=answer.started)
        elif answer.ok and answer.open is not None and verdict.result is not _REFUSED:
            self.validation.wait(answer.open)
        self.handles.give(entry, answer.decision, verdict, answer.outcome, duplicate=answer.code == "DUPLICATE")
