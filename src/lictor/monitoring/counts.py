"""What has passed on one node since it started, counted once a turn: verdicts, outcomes, attempts, times.

Plain dicts and lists that only the event loop touches; `metrics` turns them into Prometheus families when someone
asks. That keeps the cost of a decision near a microsecond, where labelled counters with a lock each would take
five.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from lictor.journal.open import Open
from lictor.journal.port import Admit, Answer, Close, Learn, Progress, Quarantine, Shed, Start, Verb
from lictor.records import Decision

from .histogram import SIZES, Histogram
from .quality import end_of
from .quality_meter import Admitted, QualityMeter

#: Series of one counter that are told apart; whatever comes later is counted with `*` for its source (I17).
SERIES_MAX = 2_000

Key = tuple[str, ...]
_WAIT = frozenset({"held", "deferred"})


class Series(dict[Key, int]):
    """Counts by label values; `source` is the place of the label that is given up when there are too many."""

    def __init__(self, source: int | None = None) -> None:
        super().__init__()
        self.source = source

    def add(self, key: Key, count: int = 1) -> None:
        """Count."""
        if key not in self and len(self) >= SERIES_MAX and self.source is not None:
            key = (*key[: self.source], "*", *key[self.source + 1 :])
        self[key] = self.get(key, 0) + count

    def extend(self, counted: Counter[Key]) -> None:
        """Count many; a label that is None is empty."""
        for key, count in counted.items():
            self.add(tuple(label or "" for label in key), count)


class Counts:
    """All counters and histograms of a node."""

    def __init__(self, find: Callable[[int], Open | None]) -> None:
        self._find = find
        self.verdicts = Series(source=1)  # kind, source, result, code
        self.outcomes = Series(source=1)  # kind, source, result, code
        self.attempts = Series()  # effector, first or extra
        self.events = Series()  # effector, event
        self.shed = Series(source=1)  # kind, source, code
        self.quarantined = Series(source=0)  # source, reason
        self.moves = Series()  # adjustment, direction
        self.outside = Series(source=1)  # webhook, callback or alert; its name; what became of it
        self.verdict_s = Histogram()
        self.outcome_s: dict[str, Histogram] = {}
        self.commit_s = Histogram()
        self.batch = Histogram(SIZES)
        self.turns = 0
        self.quality = QualityMeter()
        #: Held and deferred decisions, whose next verdict is a person's or a timer's latency and not the engine's.
        self.waiting: set[int] = set()

    def turned(
        self,
        verbs: Sequence[Verb],
        answers: Sequence[Answer],
        finished: Sequence[Open],
        at_us: int,
        commit_s: float,
    ) -> None:
        """One turn was committed. Columns are gathered decision by decision, and counted all at once."""
        self.turns += 1
        self.commit_s.add(commit_s)
        self.batch.add(len(verbs))
        ruled: list[Decision] = []
        verdicts: list[Any] = []
        admitted: list[Admitted] = []
        starts: list[str] = []
        events: list[Any] = []
        for verb, answer in zip(verbs, answers, strict=True):
            kind = type(verb)
            if kind is Admit:
                verdict = answer.verdict
                if verdict is not None:
                    d: Decision = verb.decision  # type: ignore[attr-defined]
                    result = verdict.result._value_ if answer.ok else "duplicate"
                    ruled.append(d)
                    verdicts.append((d.kind, d.source, result, verdict.code))
                    if result == "admitted":
                        plan: Any = verb.plan  # type: ignore[attr-defined]
                        admitted.append((d.kind, d.priority, d.worth, len(plan.actions)))
                    if answer.started:
                        starts.append(verb.plan.actions[0].effector)  # type: ignore[attr-defined]
            elif kind is Close or kind is Progress:
                if answer.ok and answer.open is not None and answer.open.plan is not None:
                    actions = answer.open.plan.actions
                    for act in verb.acts:  # type: ignore[attr-defined]
                        event = act.event
                        name = event if type(event) is str else event._value_
                        events.append((actions[act.ordinal].effector, name))
            else:
                self._other(verb, answer)
        self._ruled(ruled, verdicts, at_us)
        for effector, count in Counter(starts).items():
            self.attempts.add((effector, "first"), count)
        self.events.extend(Counter(events))
        given_s = (ruled[-1].deadline_us - ruled[-1].received_us) / 1e6 if ruled else 0.0
        self._ended(finished, admitted, given_s, at_us)

    def _ruled(self, ruled: list[Decision], verdicts: list[Key], at_us: int) -> None:
        """Count verdicts, and time the first one of each decision."""
        counted = Counter(verdicts)
        self.verdicts.extend(counted)
        first = ruled
        if self.waiting:
            first = [d for d in ruled if d.id not in self.waiting]
            self.waiting.difference_update([d.id for d in ruled])
        if any(result in _WAIT for _, _, result, _ in counted):
            self.waiting.update([d.id for d, key in zip(ruled, verdicts, strict=True) if key[2] in _WAIT])
        self.verdict_s.extend([(at_us - d.received_us) / 1e6 for d in first])

    def _ended(self, finished: Sequence[Open], admitted: Sequence[Admitted], given_s: float, at_us: int) -> None:
        keys: list[Any] = []
        spans: dict[str, list[float]] = {}
        confirmed, lost = 0, []
        for found in finished:
            d, outcome = found.decision, found.outcome
            if outcome is not None:
                keys.append((d.kind, d.source, outcome.result, outcome.code))
                spans.setdefault(d.kind, []).append((at_us - d.received_us) / 1e6)
                if outcome.result == "succeeded" and at_us <= d.deadline_us:
                    confirmed += len(found.actions)
                else:
                    lost.append(found)
        self.quality.turned(at_us // 1_000_000, admitted, confirmed, given_s)
        if lost:
            self._lost(lost, at_us)
        self.outcomes.extend(Counter(keys))
        for kind, seconds in spans.items():
            self.outcome_s.setdefault(kind, Histogram()).extend(seconds)
        if self.waiting:
            self.waiting.difference_update([found.decision.id for found in finished])

    def _lost(self, lost: Sequence[Open], at_us: int) -> None:
        """Admitted decisions that were not kept: how."""
        for found in lost:
            d = found.decision
            result = None if found.outcome is None else str(found.outcome.result)
            end = end_of(result, deadline=d.deadline_us, started=found.started_us, ended=at_us)
            if end is not None and found.plan is not None:
                self.quality.lost(d, len(found.actions), end)

    def _other(self, verb: Verb, answer: Answer) -> None:
        if isinstance(verb, Shed):
            self.quality.shed(verb.counts)
            for shed in verb.counts:
                self.shed.add((shed.kind, shed.source, shed.code), shed.count)
        elif isinstance(verb, Quarantine) and verb.entry.state == "kept":
            self.quarantined.add((verb.entry.source, str(verb.entry.reason)))
        elif isinstance(verb, Learn):
            for move in verb.adjustments:
                self.moves.add((move.name, "reset" if move.by else "moved"))
        elif isinstance(verb, Start):
            self._started(verb, answer)

    def _started(self, verb: Start, answer: Answer) -> None:
        """Attempts: which effector, and whether first or extra, is read from the open decision."""
        for item in verb.items:
            found = self._find(item.decision) if item.decision in answer.accepted else None
            if found is None or found.plan is None:
                continue
            for ordinal in item.ordinals:
                which = "extra" if found.actions[ordinal].attempts > 1 else "first"
                self.attempts.add((found.plan.actions[ordinal].effector, which))
