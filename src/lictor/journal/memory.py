"""The journal in memory: for tests, for simulation, and for work that may be lost (`durability=memory`).

A `MemoryDisk` outlives its journal as a file outlives a process: opening another journal on it recovers by folding,
which is how the simulator restarts a crashed node. Facts are kept as the same encoded rows that SQLite stores, so
nothing is shared by accident.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from typing import NamedTuple

from lictor.audit.checkpoint import SignedCheckpoint
from lictor.audit.tree import Tree
from lictor.errors import JournalFencedError, JournalLockedError
from lictor.records import Outcome, Quarantined

from . import codec, port
from .batch import Batch, decision_of, take, touched
from .listing import Matcher, kept, open_rows, row_of
from .open import Open
from .parking import Deadlines, Parked, Queue, queue_of
from .state import Ended, KeysInMemory, State


class Row(NamedTuple):
    """One stored fact."""

    commit: int
    at_us: int
    decision: int | None
    event: str
    body: bytes
    payload: bytes


class MemoryDisk:
    """What survives the process."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.commits = 0
        self.epoch = 0
        self.owner: MemoryJournal | None = None
        #: Where each parked decision was admitted.
        self.parked: dict[int, int] = {}


class ParkedInMemory:
    """Parked decisions of a journal in memory: nothing of them but the rows of their admissions."""

    def __init__(self, disk: MemoryDisk) -> None:
        self._disk = disk
        self._deadlines = Deadlines()
        self.count = len(disk.parked)
        for found in self.all():
            self._deadlines.add(found)

    def park(self, found: Open) -> None:
        """Its admission is durable."""
        self._disk.parked[found.decision.id] = found.born
        self.count += 1
        self._deadlines.add(found)

    def get(self, id_: int) -> Open | None:
        seq = self._disk.parked.get(id_)
        if seq is None:
            return None
        row = self._disk.rows[seq - 1]
        return Open.admitted(codec.decode(row.event, row.body, row.payload), seq)  # type: ignore[arg-type]

    def take(self, id_: int) -> Open | None:
        found = self.get(id_)
        if found is not None:
            del self._disk.parked[id_]
            self.count -= 1
        return found

    def take_first(self, queue: Queue, count: int) -> list[Open]:
        taken: list[Open] = []
        while len(taken) < count and (id_ := self._deadlines.next(queue)) is not None:
            found = self.take(id_)
            if found is not None:
                taken.append(found)
        return taken

    def queues(self) -> dict[Queue, Parked]:
        found: dict[Queue, Parked] = {}
        for each in self.all():
            queue, due_us = queue_of(each), each.decision.deadline_us
            before = found.get(queue, Parked(0, due_us))
            found[queue] = Parked(before.waiting + 1, min(before.first_us, due_us))
        return found

    def all(self) -> Iterator[Open]:
        for id_ in sorted(self._disk.parked, key=self._disk.parked.__getitem__):
            found = self.get(id_)
            if found is not None:
                yield found


class MemoryJournal:
    """A journal on a `MemoryDisk`. Opening a disk that another journal has open takes it over and fences the other."""

    durability = "memory"
    #: What is gone with the process needs no proof.
    tree: Tree | None = None

    def __init__(self, disk: MemoryDisk | None = None) -> None:
        self.disk = disk or MemoryDisk()
        self.state = State(KeysInMemory())
        self._closed: dict[int, port.DecisionRow] = {}
        self._rows_of: dict[int, list[int]] = {}
        self._feed: list[port.OutcomeRow] = []
        self._references: dict[tuple[str, str], bytes] = {}
        self._parking = ParkedInMemory(self.disk)
        self._epoch = -1

    async def open(self, at_us: int) -> State:
        if self._epoch >= 0:
            raise JournalLockedError
        self.__init__(self.disk)  # type: ignore[misc]
        for seq, row in enumerate(self.disk.rows, 1):
            fact = codec.decode(row.event, row.body, row.payload)
            self.state.evolve(fact, seq, row.at_us)
            self._index(fact, seq, row.at_us, self.state.ended)
            self.state.ended = []
        for id_ in self.disk.parked:
            del self.state.open[id_]
        self.state.parking = self._parking = ParkedInMemory(self.disk)
        self.disk.epoch += 1
        self.disk.owner = self
        self._epoch = self.disk.epoch
        await self.write([port.Epoch(self._epoch, max(at_us, self.state.at_us), self.state.doubt)], at_us)
        return self.state

    async def write(self, verbs: Sequence[port.Verb], at_us: int) -> list[port.Answer]:
        if self._epoch != self.disk.epoch:
            raise JournalFencedError
        at_us = max(at_us, self.state.at_us)
        try:
            batch = take(self.state, verbs, at_us, len(self.disk.rows) + 1)
            self._store(batch)
            for found in batch.parked:
                del self.state.open[found.decision.id]
                self._parking.park(found)
        except Exception:
            self._epoch = -1  # the state holds half a batch: this journal is done
            raise
        for answer in batch.unanswered:
            self._original(answer)
        return batch.answers

    async def rest(self) -> None:
        """Nothing to do."""

    async def tend(self) -> int:
        return 0

    async def keep(self, signed: SignedCheckpoint, at_us: int) -> None:
        """Nothing: no tree is kept in memory."""

    def free_bytes(self) -> int | None:
        return None

    async def close(self) -> None:
        if self.disk.owner is self:
            self.disk.owner = None
        self._epoch = -1

    def _store(self, batch: Batch) -> None:
        if not batch.facts:
            return
        self.disk.commits += 1
        ended = iter([*batch.ended, None])
        end = next(ended)
        for seq, (fact, event) in enumerate(zip(batch.facts, batch.events, strict=True), batch.first_seq):
            row = Row(self.disk.commits, batch.at_us, decision_of(fact), event, *codec.encode(fact))
            self.disk.rows.append(row)
            mine = []
            while end is not None and end.seq == seq:
                mine.append(end)
                end = next(ended)
            self._index(fact, seq, batch.at_us, mine)

    def _index(self, fact: port.Verb, seq: int, at_us: int, ended: list[Ended]) -> None:
        if isinstance(fact, port.Refer):
            self._references[fact.name, fact.version] = fact.value
        stories = dict.fromkeys([*touched(fact), *(end.open.decision.id for end in ended)])
        for decision in stories:
            self._rows_of.setdefault(decision, []).append(seq)
        for end in ended:
            d, outcome = end.open.decision, end.open.outcome
            code = outcome.code if outcome is not None else end.open.verdict.code
            self._closed[d.id] = row_of(d, end.open.state, code, at_us)
            if outcome is not None:
                self._feed.append(port.OutcomeRow(seq, d.id, d.source, d.kind, d.key, outcome))

    def _original(self, answer: port.Answer) -> None:
        """The verdict and outcome in force of a decision that is closed."""
        if answer.decision not in self._closed:
            return
        for row in self._history(answer.decision or 0):
            if isinstance(row.verb, port.Admit) and row.decision == answer.decision:
                answer.verdict = row.verb.verdict
        answer.outcome = self._outcome(answer.decision)

    def _outcome(self, decision: int | None) -> Outcome | None:
        return next((row.outcome for row in self._feed if row.decision == decision), None)

    async def find(self, tenant: str, source: str | None, key: str) -> list[int]:
        keys: KeysInMemory = self.state.keys  # type: ignore[assignment]
        if source is not None:
            bound = keys.get(tenant, source, key)
            return [bound.decision] if bound else []
        return sorted((b.decision for (t, _, k), b in keys.bound.items() if (t, k) == (tenant, key)), reverse=True)

    def _history(self, decision: int) -> list[port.HistoryRow]:
        return [self._row(seq) for seq in self._rows_of.get(decision, ())]

    def _row(self, seq: int) -> port.HistoryRow:
        row = self.disk.rows[seq - 1]
        verb = codec.decode(row.event, row.body, row.payload)
        return port.HistoryRow(seq, row.commit, row.at_us, row.decision, row.event, verb)

    async def history(self, decision: int) -> list[port.HistoryRow]:
        return self._history(decision)

    async def decisions(self, wanted: port.Filter) -> list[port.DecisionRow]:
        rows = open_rows(self.state.all_open(), wanted)
        if not wanted.open_only:
            rows += filter(Matcher(wanted).takes, self._closed.values())
        return sorted(rows, key=lambda row: -row.id)[: wanted.limit]

    async def outcomes(self, source: str | None, after: int, limit: int) -> list[port.OutcomeRow]:
        return [row for row in self._feed if row.cursor > after and source in (None, row.source)][:limit]

    async def reference(self, name: str, version: str) -> bytes | None:
        return self._references.get((name, version))

    async def quarantined(self, source: str | None, limit: int) -> list[Quarantined]:
        return kept(self.state, source, limit)

    async def scan(self, after: int = 0) -> AsyncIterator[port.HistoryRow]:
        for seq in range(after + 1, len(self.disk.rows) + 1):
            yield self._row(seq)
