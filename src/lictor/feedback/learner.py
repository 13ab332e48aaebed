"""Feedback on one node: what outcomes taught about each source and kind, and which adjustments follow.

Observes each outcome after its commit. Writes `Learn` facts, at most every `learn_every_s` unless something changes
a verdict; they come first in their batch, so that whatever closes in it or after it is what a restart has still to
learn from. Reads at start: the recorded lessons and adjustments, and the history since the last `Learn`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from lictor.declarations.declared import Declared
from lictor.errors import NodeStoppedError, NotFoundError
from lictor.journal.open import Open
from lictor.journal.port import Admit, HistoryRow, Journal, Learn, OutcomeRow, Quarantine, Verb
from lictor.journal.state import State
from lictor.records import Adjustment, Decision, Lesson, Outcome
from lictor.runtime.probe import Probe, Silent

from .adjustments import DEMOTED, Adjustments
from .feed import Feed
from .lessons import Lessons
from .scores import Scores
from .share import Share
from .tally import Tally, Taught

#: Names of the engine's own lessons: outcomes by source and kind, quality of signals by source.
OUTCOMES, QUALITY = "outcomes", "quality"
_PAGE = 1_000


class Learner:
    """Scores, lessons and adjustments."""

    def __init__(
        self,
        app: Declared,
        journal: Journal,
        learn_every_s: float,
        value_of: Callable[[Decision], Any],
        probe: Probe | None = None,
    ) -> None:
        self.feed = Feed(journal)
        self._journal = journal
        self._every_us = int(learn_every_s * 1e6)
        self._due_us = 0
        self.scores = Scores()
        self.adjusting = Adjustments(app)
        self.lessons = Lessons(app, self.adjusting, value_of, probe or Silent())
        self._tallies: dict[tuple[str, str], Tally] = {}
        self._qualities: dict[str, Share] = {}
        self._demotable = {s.name: s.demote_below for s in app.sources.values() if s.demote_below is not None}
        for source in self._demotable:
            self.scores.share(source)  # has a place of its own, however many others there are
        #: Who waits for a reset to be written, and whose reset is being written.
        self._asked: list[asyncio.Future[None]] = []
        self._writing: list[asyncio.Future[None]] = []

    @property
    def adjustments(self) -> Mapping[tuple[str, str], Adjustment]:
        """In force, by name and subject; the same mapping for good."""
        return self.adjusting.in_force

    # -- learning -------------------------------------------------------------------------------------------------

    def observe(self, finished: Iterable[Open]) -> None:
        """A turn is durable: what `verbs` gave, and the outcomes of these decisions."""
        self._wrote()
        if ended := [(found.decision, found.outcome) for found in finished if found.outcome is not None]:
            self._learn(ended)
            self.feed.news()

    def _learn(self, ended: Iterable[tuple[Decision, Outcome]]) -> None:
        """Take in outcomes in order, those of each source and kind in one go."""
        teach = self.lessons.teach
        groups: dict[tuple[str, str], list[Taught]] = {}
        for decision, outcome in ended:
            of = (decision.source, decision.kind)
            group = groups.get(of)
            if group is None:
                group = groups[of] = []
            group.append((decision, outcome, teach(decision, outcome)))
        scores = self.scores
        for (source, kind), group in groups.items():
            tally = scores.tally(source, kind)
            tally.extend(group)
            self._tallies[scores.key(source, kind)] = tally

    def quality(self, source: str, good: bool, count: int = 1) -> None:  # noqa: FBT001 - it is what the gate calls
        """So many signals of a source were judged alike."""
        name, share = self.scores.share(source)
        share.extend([good] * count)
        self._qualities[name] = share

    def score(self, source: str, name: str = "quality") -> float:
        """A source's score, 0 to 1; 1 while nothing is known. Names: quality, success, on_time, calibration, cost.

        Raises:
            KeyError: no score has this name.
        """
        return self.scores.score(source, name)

    # -- writing --------------------------------------------------------------------------------------------------

    def verbs(self, now_us: int) -> list[Verb]:
        """At the start of a turn: bring into force what is due, and give what is to be written, at most one `Learn`."""
        if not (self._tallies or self._qualities or self._asked or self.adjusting.urgent or self.adjusting.waiting):
            return []
        self._demote(now_us)
        if now_us < self._due_us and not (self._asked or self.adjusting.urgent):
            return []
        adjustments = self.adjusting.settle(now_us)
        lessons = self._taken(now_us)
        self._due_us = now_us + self._every_us
        self._writing, self._asked = [*self._writing, *self._asked], []
        return [Learn(lessons, adjustments, now_us)] if lessons or adjustments else []

    def _demote(self, now_us: int) -> None:
        """I20, tightening by itself: shut out a source whose signals are too often bad until a person reinstates it."""
        for source in sorted(self._qualities.keys() & self._demotable.keys()):
            floor, quality = self._demotable[source], self.scores.score(source, "quality")
            if quality < floor:
                self.adjusting.demote(source, now_us, f"quality {quality:.3f} is below {floor:g}")

    def _taken(self, now_us: int) -> tuple[Lesson, ...]:
        """All that was learned since the last write, so that what comes after is what a restart has to learn."""
        tallies, self._tallies = self._tallies, {}
        qualities, self._qualities = self._qualities, {}
        outcomes = [
            Lesson(
                name=OUTCOMES,
                subject=f"{source} {kind}",
                at_us=now_us,
                decision=tally.decision,
                values={"source": source, "kind": kind, **tally.values()},
            )
            for (source, kind), tally in tallies.items()
        ]
        quality = [
            Lesson(name=QUALITY, subject=source, at_us=now_us, values={"score": share.value, "recent": share.values()})
            for source, share in qualities.items()
        ]
        return (*outcomes, *quality, *self.lessons.take(now_us))

    def next_us(self) -> int | None:
        """When it wants to write; 0 is at once."""
        if self.adjusting.urgent or self._asked:
            return 0
        waits = self._tallies or self._qualities or self.adjusting.waiting or self.lessons.unwritten
        return self._due_us if waits else None

    def flush(self) -> None:
        """Write in the next turn, whatever the time."""
        self._due_us = 0

    def _wrote(self) -> None:
        writing, self._writing = self._writing, []
        for future in writing:
            if not future.done():
                future.set_result(None)

    # -- what a person does ---------------------------------------------------------------------------------------

    def reset(
        self, name: str, subject: str, *, by: str, now_us: int, value: float | None = None, reason: str = ""
    ) -> asyncio.Future[None]:
        """Set an adjustment anew (to its default, or a value within its bounds) and lift its latch; done when durable.

        Raises:
            DeniedError: nobody is named.
            NotFoundError: nothing of this name is in force for the subject.
        """
        if name == DEMOTED and value is None and not self.adjusting.demoted(subject):
            raise NotFoundError(f"{subject!r} is not demoted")
        self.adjusting.reset(name, subject, value, by, now_us, reason)
        if name == DEMOTED:
            # With its old score it would be demoted again at once.
            share = self.scores.quality[subject] = Share()
            self._qualities[subject] = share
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._asked.append(future)
        return future

    def stop(self) -> None:
        """Nothing more will come: who follows the feed ends."""
        self.feed.stop()
        self._tell_stopped(NodeStoppedError())

    def fail(self, error: Exception) -> None:
        """The node failed; who follows the feed or waits for a reset is told."""
        self.feed.stop(error)
        self._tell_stopped(error)

    def _tell_stopped(self, error: Exception) -> None:
        waiting, self._asked, self._writing = [*self._writing, *self._asked], [], []
        for future in waiting:
            if not future.done():
                future.set_exception(error)

    # -- recovery -------------------------------------------------------------------------------------------------

    async def recover(self, recorded: State) -> None:
        """Take up what was learned, and learn from what closed since the last `Learn`, in the same order."""
        for (name, subject), lesson in recorded.lessons.items():
            values = lesson.values
            if name == OUTCOMES:
                self.scores.put(values["source"], values["kind"], Tally.of(values, lesson.decision or 0))
            elif name == QUALITY:
                self.scores.quality[subject] = Share(*values["recent"])
        self.lessons.recover(recorded.lessons)
        self.adjusting.recover(recorded.adjustments, recorded.at_us)
        await self._catch_up(recorded.learned_seq)

    async def _catch_up(self, after: int) -> None:
        journal = self._journal
        decisions: dict[int, Decision] = {}
        async for row in journal.scan(after):
            if isinstance(row.verb, Admit):
                decisions[row.verb.decision.id] = row.verb.decision
            elif isinstance(row.verb, Quarantine) and row.verb.entry.state == "kept":
                self.quality(row.verb.entry.source, good=False)
        cursor = after
        while rows := await journal.outcomes(None, cursor, _PAGE):
            for end in rows:
                decision = decisions.get(end.decision) or ruled_last(end, await journal.history(end.decision))
                if decision is not None:
                    self._learn([(decision, end.outcome)])
            cursor = rows[-1].cursor


def ruled_last(row: OutcomeRow, history: list[HistoryRow]) -> Decision | None:
    """The decision as it was last ruled on."""
    ruled = [fact.verb.decision for fact in history if isinstance(fact.verb, Admit)]
    return next((decision for decision in reversed(ruled) if decision.id == row.decision), None)
