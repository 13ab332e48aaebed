"""The journal in memory: for tests, for simulation, and for work that may be lost (`durability=memory`).

A `MemoryDisk` outlives its journal as a file outlives a process: opening another journal on it recovers by folding, which is how
the simulator restarts a crashed node. Facts are kept as the same encoded rows that SQLite stores, so nothing is shared by accident.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import NamedTuple

from lictor.errors import JournalFencedError, JournalLockedError
from lictor.records import Outcome, Quarantined, Verdict

from . import codec, port
from .open import Open
from .state import KeysInMemory, State


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
        self.references: dict[tuple[str, str], bytes] = {}


class MemoryJournal:
    """A journal on a `MemoryDisk`."""

    durability = "memory"

    def __init__(self, disk: MemoryDisk | None = None) -> None:
        self.disk = disk or MemoryDisk()
        self.state = State(KeysInMemory())
        self._closed: dict[int, port.DecisionRow] = {}
        self._rows_of: dict[int, list[int]] = {}
        self._feed: list[port.OutcomeRow] = []
        self._epoch = -1

    async def open(self, at_us: int) -> State:
        if self._epoch >= 0:
            raise JournalLockedError
        self.state = State(KeysInMemory())
        for seq, row in enumerate(self.disk.rows, 1):
            self._fold(codec.decode(row.event, row.body, row.payload), seq, row.at_us)
        self.disk.epoch += 1
        self._epoch = self.disk.epoch
        await self.write([port.Epoch(self._epoch, max(at_us, self.state.at_us))], at_us)
        return self.state

    async def write(self, verbs: Sequence[port.Verb], at_us: int) -> list[port.Answer]:
        if self._epoch != self.disk.epoch:
            raise JournalFencedError
        at_us = max(at_us, self.state.at_us)
        commit = self.disk.commits + 1
        answers = []
        for verb in verbs:
            answer, fact = self.state.decide(verb, at_us)
            if fact is not None:
                row = Row(commit, at_us, decision_of(fact), *codec.encode(fact))
                self.disk.rows.append(row)
                self._fold(fact, len(self.disk.rows), at_us)
                if isinstance(fact, port.Admit) and fact.verdict.result != "refused":
                    answer.open = self.state.open.get(fact.decision.id)
            elif answer.code == "DUPLICATE" and answer.decision is not None:
                self._original(answer)
            answers.append(answer)
        self.disk.commits = commit
        return answers

    async def close(self) -> None:
        self._epoch = -1

    def _original(self, answer: port.Answer) -> None:
        """The verdict and outcome that the first submission of this key got."""
        for row in self._history(answer.decision or 0):
            if isinstance(row.verb, port.Admit):
                answer.verdict = row.verb.verdict
        answer.outcome = next((row.outcome for row in self._feed if row.decision == answer.decision), None)

    def _fold(self, fact: port.Verb, seq: int, at_us: int) -> None:
        decision = decision_of(fact)
        before = self.state.open.get(decision) if decision is not None else None
        replaced = self.state.open.get(fact.decision.supersedes or 0) if isinstance(fact, port.Admit) else None
        self.state.evolve(fact, seq, at_us)
        if isinstance(fact, port.Refer):
            self.disk.references[fact.name, fact.version] = fact.value
        if isinstance(fact, port.Start):
            for item in fact.items:
                self._rows_of.setdefault(item.decision, []).append(seq)
        if decision is None:
            return
        self._rows_of.setdefault(decision, []).append(seq)
        if isinstance(fact, port.Admit) and fact.verdict.result == "refused":
            self._closed[decision] = row_of(fact.decision, "refused", fact.verdict.code, at_us)
        for closed in (before, replaced):
            if closed is not None and closed.outcome is not None and closed.decision.id not in self.state.open:
                self._finished(closed, closed.outcome, seq)

    def _finished(self, found: Open, outcome: Outcome, seq: int) -> None:
        d = found.decision
        self._closed[d.id] = row_of(d, found.state, outcome.code, outcome.at_us)
        if d.id not in self._rows_of or self._rows_of[d.id][-1] != seq:
            self._rows_of[d.id].append(seq)
        self._feed.append(port.OutcomeRow(seq, d.id, d.source, d.kind, d.key, outcome))

    async def find(self, tenant: str, source: str | None, key: str) -> list[int]:
        if source is not None:
            bound = self.state.keys.get(tenant, source, key)
            return [bound.decision] if bound else []
        return [b.decision for (t, _, k), b in self.state.keys.items() if (t, k) == (tenant, key)][::-1]  # type: ignore[attr-defined]

    def _history(self, decision: int) -> list[port.HistoryRow]:
        return [self._row(seq) for seq in self._rows_of.get(decision, ())]

    def _row(self, seq: int) -> port.HistoryRow:
        row = self.disk.rows[seq - 1]
        verb = codec.decode(row.event, row.body, row.payload)
        return port.HistoryRow(seq, row.commit, row.at_us, row.decision, row.event, verb)

    async def history(self, decision: int) -> list[port.HistoryRow]:
        return self._history(decision)

    async def decisions(self, wanted: port.Filter) -> list[port.DecisionRow]:
        rows = [row_of(o.decision, o.state, None, None) for o in self.state.open.values()]
        if not wanted.open_only:
            rows += self._closed.values()
        rows = [row for row in rows if matches(row, wanted)]
        return sorted(rows, key=lambda row: -row.id)[: wanted.limit]

    async def outcomes(self, source: str | None, after: int, limit: int) -> list[port.OutcomeRow]:
        return [row for row in self._feed if row.cursor > after and source in (None, row.source)][:limit]

    async def reference(self, name: str, version: str) -> bytes | None:
        return self.disk.references.get((name, version))

    async def quarantined(self, source: str | None, limit: int) -> list[Quarantined]:
        entries = [e for e in self.state.quarantine.values() if source in (None, e.source)]
        return entries[::-1][:limit]

    async def scan(self, after: int = 0) -> AsyncIterator[port.HistoryRow]:
        for seq in range(after + 1, len(self.disk.rows) + 1):
            yield self._row(seq)


def decision_of(fact: port.Verb) -> int | None:
    """The one decision that a fact is about, if there is one."""
    if isinstance(fact, port.Admit):
        return fact.decision.id
    if isinstance(fact, port.Progress | port.Close | port.Undo | port.Cancel):
        return fact.decision
    return fact.approval.decision if isinstance(fact, port.Approve) else None


def row_of(d: port.Decision, state: str, code: str | None, closed_us: int | None) -> port.DecisionRow:
    """A decision as lists show it."""
    return port.DecisionRow(
        d.id, d.kind, d.tenant, d.source, d.key, d.order_key, d.priority, state, code, d.received_us, d.deadline_us,
        closed_us, d.parent,
    )


def matches(row: port.DecisionRow, wanted: port.Filter) -> bool:
    """Whether a list that asks for `wanted` shows this row."""
    for name in ("state", "kind", "tenant", "source", "code", "key"):
        asked = getattr(wanted, name)
        if asked is not None and asked != getattr(row, name):
            return False
    return wanted.before is None or row.id < wanted.before
