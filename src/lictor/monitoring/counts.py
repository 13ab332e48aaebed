"""What has passed on one node since it started, counted once a turn: verdicts, outcomes, attempts, times.

Plain dicts and lists that only the event loop touches; `metrics` turns them into Prometheus families when someone
asks. That keeps the cost of a decision near a microsecond, where labelled counters with a lock each would take
five.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from lictor.journal.open import Open
from lictor.journal.port import Act, Admit, Answer, Close, Learn, Progress, Quarantine, Shed, Start, Verb

from .histogram import SIZES, Histogram

#: Series of one counter that are told apart; whatever comes later is counted with `*` for its source (I17).
SERIES_MAX = 2_000

Key = tuple[str, ...]


class Counter(dict[Key, int]):
    """Counts by label values; `source` is the place of the label that is given up when there are too many."""

    def __init__(self, source: int | None = None) -> None:
        super().__init__()
        self.source = source

    def add(self, key: Key, count: int = 1) -> None:
        """Count."""
        if key in self:
            self[key] += count
            return
        if len(self) >= SERIES_MAX and self.source is not None:
            key = (*key[: self.source], "*", *key[self.source + 1 :])
        self[key] = self.get(key, 0) + count


class Counts:
    """All counters and histograms of a node."""

    def __init__(self, find: Callable[[int], Open | None]) -> None:
        self._find = find
        self.verdicts = Counter(source=1)  # kind, source, result, code
        self.outcomes = Counter(source=1)  # kind, source, result, code
        self.attempts = Counter()  # effector, first or extra
        self.events = Counter()  # effector, event
        self.shed = Counter(source=1)  # kind, source, code
        self.quarantined = Counter(source=0)  # source, reason
        self.moves = Counter()  # adjustment, direction
        self.verdict_s = Histogram()
        self.outcome_s: dict[str, Histogram] = {}
        self.commit_s = Histogram()
        self.batch = Histogram(SIZES)
        self.turns = 0
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
        """One turn was committed."""
        self.turns += 1
        self.commit_s.add(commit_s)
        self.batch.add(len(verbs))
        arrivals: dict[int, int] = {}
        for verb, answer in zip(verbs, answers, strict=True):
            if type(verb) is Admit:
                self._ruled(verb, answer, arrivals)
            elif type(verb) is Close or type(verb) is Progress:
                if answer.ok and answer.open is not None:
                    self._acted(verb.acts, answer.open)
            else:
                self._other(verb, answer)
        for received_us, count in arrivals.items():
            self.verdict_s.add((at_us - received_us) / 1e6, count)
        for found in finished:
            self._ended(found, at_us)

    def _ruled(self, verb: Admit, answer: Answer, arrivals: dict[int, int]) -> None:
        decision, verdict = verb.decision, answer.verdict
        if verdict is None:
            return
        result = verdict.result._value_ if answer.ok else "duplicate"
        key = (decision.kind, decision.source, result, verdict.code or "")
        counts = self.verdicts
        if key in counts:
            counts[key] += 1
        else:
            counts.add(key)
        if self.waiting and decision.id in self.waiting:
            self.waiting.discard(decision.id)
        else:
            received_us = decision.received_us
            arrivals[received_us] = arrivals.get(received_us, 0) + 1
        if result in {"held", "deferred"}:
            self.waiting.add(decision.id)
        if answer.started and verb.plan is not None:
            self.attempts.add((verb.plan.actions[0].effector, "first"))

    def _acted(self, acts: tuple[Act, ...], found: Open) -> None:
        plan = found.plan
        if plan is None:
            return
        events = self.events
        for act in acts:
            key = (plan.actions[act.ordinal].effector, str(act.event))
            events[key] = events.get(key, 0) + 1

    def _ended(self, found: Open, at_us: int) -> None:
        decision, outcome = found.decision, found.outcome
        if outcome is None:
            return
        self.waiting.discard(decision.id)
        key = (decision.kind, decision.source, outcome.result, outcome.code or "")
        if key in self.outcomes:
            self.outcomes[key] += 1
        else:
            self.outcomes.add(key)
        seconds = self.outcome_s.get(decision.kind)
        if seconds is None:
            seconds = self.outcome_s[decision.kind] = Histogram()
        seconds.add((at_us - decision.received_us) / 1e6)

    def _other(self, verb: Verb, answer: Answer) -> None:
        if isinstance(verb, Shed):
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
