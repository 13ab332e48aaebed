"""The only door. Signals wait here, bounded, for the next turn.

Each is then trusted, refused, or put into quarantine with its reason. Who submitted what is in quarantine is answered
when the entry is durable.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from lictor.capacity.lane import Lane
from lictor.declarations.declared import Declared
from lictor.declarations.plain import text
from lictor.entry import Entry, Handle
from lictor.errors import Code, InvariantViolation, LictorError
from lictor.journal.port import Journal, Verb
from lictor.records import CLASS_WORTH, Result, Signal, worth_of
from lictor.runtime.ids import Ids, id_text
from lictor.runtime.randomness import Randomness

from .doorkeeper import Doorkeeper
from .envelope import fault, presentable
from .finding import Finding, Reason, found
from .limits import read
from .numbers import Numbers
from .quality import SourceQuality
from .quarantining import Quarantining
from .recall import recall
from .shedding import Shedding


class Note(Protocol):
    """Hears what is made of each signal: it counts for the quality score of its source."""

    def __call__(self, source: str, good: bool, count: int = 1) -> None:  # noqa: FBT001 - one word says it
        """So many more judgements."""


#: Entries that were taken and not answered are looked through again when they have doubled, and are at least this many.
_UNANSWERED_MIN = 1_000


class Intake:
    """Signals that have arrived and not been decided on."""

    def __init__(
        self,
        app: Declared,
        ids: Ids,
        waiting_max: int,
        shed_every_s: float,
        quarantine_max: int,
        note: Note,
        outside_us: Callable[[], int],
    ) -> None:
        self._app = app
        self._note = note
        #: The wall clock as it is set now: what signals say of their time is held against it.
        self._outside_us = outside_us
        #: Signals of this turn that have become decisions, by source.
        self._good: dict[str, int] = {}
        self._waiting: list[Entry] = []
        self._taken: list[Entry] = []
        self._look_again = _UNANSWERED_MIN
        self._answers: list[tuple[Entry, Code, int, dict[str, Any]]] = []
        #: What a key was decided on for, by tenant, source and key.
        self._bound: Callable[[str, str, str], object] = lambda _tenant, _source, _key: None
        self._numbers = {name: Numbers(kind.type) for name, kind in app.kinds.items()}
        #: The gates of the sources that declare a `Quality`.
        self.gates = {s.name: SourceQuality(s.quality) for s in app.sources.values() if s.quality is not None}
        self.quarantining = Quarantining(quarantine_max, ids.next)
        self.shedding = Shedding(shed_every_s)
        self.waiting_max = waiting_max
        #: The journal has no room for more than it needs for what is open.
        self.closed = False
        self._journal: Journal | None = None
        self._door: Doorkeeper | None = None

    async def recover(self, journal: Journal) -> None:
        """Take up what is in quarantine, the index of keys that were decided on, and what the gates had seen."""
        state, self._journal = journal.state, journal
        self.quarantining.recover(state.quarantine)
        self._bound = state.keys.get
        await recall(journal, self.gates)

    # -- arrivals -------------------------------------------------------------------------------------------------

    def guard(self, lanes: Mapping[str, Lane[Any]], randomness: Randomness) -> None:
        """Let what would come too late be shed at the door; `lanes` by effector."""
        self._door = Doorkeeper(self._app, self.shedding, lanes, randomness)

    def turned_away(self, signal: Signal, now_us: int) -> Handle | None:
        """The answer of a signal that is shed at the door; None for one that may come in."""
        if self._door is None or self.closed or self._journal is None or self._journal.state.halts:
            return None  # what is halted is refused as such
        return self._door.turned_away(signal, now_us, self._bound)

    @property
    def full(self) -> bool:
        """No more until the next turn has taken what waits (I17)."""
        return len(self._waiting) >= self.waiting_max

    def offer(self, entry: Entry) -> None:
        """Add an arrival; the caller has asked `full`."""
        if len(self._waiting) >= self.waiting_max:
            raise InvariantViolation("I17", f"more than {self.waiting_max} signals wait for a turn")
        self._waiting.append(entry)

    def take(self, count_max: int) -> list[Entry]:
        """Arrivals since the last turn, the first `count_max` of them."""
        waiting = self._waiting
        if self._door is not None:
            self._door.begin_turn()
        if len(waiting) <= count_max:
            self._waiting = []
            taken = waiting
        else:
            taken, self._waiting = waiting[:count_max], waiting[count_max:]
        if len(self._taken) > self._look_again:
            self._taken = [entry for entry in self._taken if entry.handle is None]
            self._look_again = max(_UNANSWERED_MIN, 2 * len(self._taken))
        self._taken += taken
        return taken

    def __len__(self) -> int:
        return len(self._waiting)

    def abandon(self, error: Exception) -> None:
        """The node has stopped: tell all who still wait for a verdict. Whether theirs was written they cannot know."""
        for entry in self._taken + self._waiting:
            if entry.handle is None and entry.future is not None and not entry.future.done():
                entry.future.set_exception(error)
                entry.future.exception()  # who no longer waits for it is not told in the log either
        self._taken, self._waiting = [], []

    # -- trust ----------------------------------------------------------------------------------------------------

    def trusted(self, entry: Entry, now_us: int) -> bool:
        """Whether the signal is trusted; if not, it has been refused or put into quarantine, and is answered."""
        signal = entry.signal
        if signal is None:
            return True
        if (wrong := fault(signal)) is not None:
            entry.signal = presentable(signal)
            self._quarantine(entry, signal, found(Reason.ENVELOPE, wrong), now_us)
            return False
        finding = self._distrust(entry, signal, now_us)
        if finding is None:
            return True
        if finding.reason is None:
            self.shed(entry, finding.code, now_us, {"why": finding.detail})
        else:
            self._quarantine(entry, signal, finding, now_us)
        return False

    def _distrust(self, entry: Entry, signal: Signal, now_us: int) -> Finding | None:
        app = self._app
        if signal.kind not in app.kinds and entry.fault is None:  # what could not be read may be of no kind
            known = ", ".join(app.kinds) or "none"
            return Finding(Code.KIND_UNKNOWN, f"no kind {signal.kind!r} is declared; there are: {known}")
        if app.sources and signal.source not in app.sources:
            return Finding(Code.SOURCE_UNKNOWN, f"no source {signal.source!r} is declared")
        if entry.fault is not None:
            reason, detail = entry.fault
            return found(Reason(reason), detail)
        numbers = self._numbers[signal.kind]
        if signal.payload is None:
            finding, content = numbers.in_value(signal.value), signal.value
        else:
            finding, content = read(signal.payload)
            finding = finding or numbers.in_content(content)
        if finding is not None:
            return finding
        gate = self.gates.get(signal.source)
        return None if gate is None else self._judged(gate, entry, signal, content, now_us)

    def _judged(self, gate: SourceQuality, entry: Entry, signal: Signal, content: Any, now_us: int) -> Finding | None:
        """What the source's gate finds. A person vouches for a replay; of a corrected one only ranges are judged."""
        if entry.replay is not None:
            return gate.content_finding(content) if entry.replay.corrected else None
        finding = gate.judge(signal, content, now_us, self._outside_us())
        if finding is None or not self.decided_before(signal):
            return finding
        return None  # a retry, perhaps a late one: the journal has its answer (I10)

    def malformed(self, entry: Entry, error: LictorError, now_us: int) -> None:
        """The payload does not fit its kind: into quarantine."""
        if entry.signal is not None:
            self._quarantine(entry, entry.signal, found(Reason.SCHEMA, text(error.message)), now_us)

    def decided(self, entry: Entry) -> None:
        """The signal has become a decision, whatever its verdict: good, and no longer in quarantine if it was."""
        if entry.signal is None:
            return
        if entry.replay is not None:
            self.quarantining.replayed(entry.replay.id, entry.replay.by)
        else:
            source = entry.signal.source
            self._good[source] = self._good.get(source, 0) + 1

    # -- answers --------------------------------------------------------------------------------------------------

    def _quarantine(self, entry: Entry, signal: Signal, finding: Finding, now_us: int) -> None:
        """Keep the signal aside, with the reason, until someone replays or discards it."""
        seen: dict[str, Any] = {"reason": str(finding.reason), "detail": finding.detail}
        if entry.replay is not None:
            seen["quarantine"] = id_text(entry.replay.id)  # it stays where it is
            self._answers.append((entry, finding.code, now_us, seen))
            return
        source = entry.signal.source if entry.signal is not None else signal.source
        if entry.signal is signal and self.decided_before(signal):
            self.shed(entry, finding.code, now_us, {**seen, "why": "its key was decided on before"})
            return
        id_, new = self.quarantining.keep(source, signal, finding, now_us)
        if new or id_ is None:
            self._tell_good()
            self._note(source, good=False)
        if id_ is None:
            self.shed(entry, finding.code, now_us, {**seen, "why": "the quarantine is full"})
            return
        seen["quarantine"] = id_text(id_)
        self._answers.append((entry, finding.code, now_us, seen))

    def decided_before(self, signal: Signal) -> bool:
        """Whether its key was: the journal has its answer, whatever would be said of it now (I10)."""
        return signal.key is not None and self._bound(signal.tenant, signal.source, signal.key) is not None

    def committed(self) -> None:
        """What was put into quarantine is durable: answer."""
        answers, self._answers = self._answers, []
        for entry, code, at_us, seen in answers:
            entry.refuse(Result.REFUSED, code, at_us, seen)

    def shed(
        self,
        entry: Entry,
        code: Code,
        now_us: int,
        seen: dict[str, Any],
        retry_after_s: float | None = None,
    ) -> None:
        """Refuse without a record of its own: count it, answer at once.

        With `retry_after_s` it is shed, else refused.
        """
        if entry.signal is not None:
            self.shedding.count(entry.signal, code, now_us, self._worth(entry, entry.signal))
            if entry.decision is not None and (gate := self.gates.get(entry.signal.source)) is not None:
                gate.excuse(entry.signal)
        result = Result.REFUSED if retry_after_s is None else Result.SHED
        entry.refuse(result, code, now_us, seen, retry_after_s=retry_after_s)

    def _worth(self, entry: Entry, signal: Signal) -> float:
        """What is shed: by its content where that was read, else by the class of its kind."""
        if entry.decision is not None:
            return worth_of(entry.decision)
        kind = self._app.kinds.get(signal.kind)
        return 0.0 if kind is None else CLASS_WORTH[kind.priority]

    def _tell_good(self) -> None:
        """What was good in this turn counts before what comes now."""
        good, self._good = self._good, {}
        for source, count in good.items():
            self._note(source, good=True, count=count)

    def verbs(self, now_us: int) -> list[Verb]:
        """What this stage has to write."""
        self._tell_good()
        verbs: list[Verb] = list(self.quarantining.verbs())
        shed = self.shedding.verb(now_us)
        return [*verbs, shed] if shed is not None else verbs
