"""Reads stored history and closed decisions, on a connection of its own. Nothing here reads the current state."""

from __future__ import annotations

from collections.abc import Iterator

import apsw

from lictor.journal import port
from lictor.journal.batch import outcome_by
from lictor.journal.listing import Matcher
from lictor.records import Outcome

from .packing import Commit, Opened, ends, facts, history_rows, payloads, unpack
from .queries import QUERIES
from .volumes import ID_MAX, Volumes

#: Commits that are kept open.
OPENED_MAX = 8


class Reader:
    """What is stored, as the port shows it."""

    def __init__(self, db: apsw.Connection) -> None:
        self._db = db
        self._opened: list[Opened] = []
        self._volumes = Volumes(db)

    def forget(self) -> None:
        """What was read lately may have been changed."""
        self._opened = []
        self._volumes.forget()

    def fact(self, seq: int) -> port.HistoryRow | None:
        """The fact at a position; None where there is none, or it is archived."""
        opened = self._opened_at(seq)
        return opened.row(seq - opened.commit.first_seq) if opened is not None else None

    def _opened_at(self, seq: int) -> Opened | None:
        """The commit that holds a position; who asks of a decision mostly asks of others of its commit too."""
        for known in self._opened:
            if 0 <= seq - known.commit.first_seq < known.commit.size:
                return known
        row = self._db.execute(QUERIES["commit_at"], (seq,)).fetchone()
        if row is None or seq >= row[0] + row[3]:
            return None
        opened = Opened(Commit(*row))
        self._opened = [opened, *self._opened[: OPENED_MAX - 1]]
        return opened

    def span(self, decision: int) -> tuple[int, int] | None:
        """First and last position of a closed decision."""
        row: tuple[int, int] | None = self._db.execute(QUERIES["decision"], (decision,)).fetchone()
        return row

    def history(self, decision: int, born: int | None) -> list[port.HistoryRow]:
        """All facts of a decision that are not archived, in order; `born` is its first position while it is open."""
        seqs: set[int] = {seq for (seq,) in self._db.execute(QUERIES["steps_of"], (decision,))}
        seqs.update(self.span(decision) or ())
        if born is not None:
            seqs.add(born)
        rows = (self.fact(seq) for seq in sorted(seqs))
        return [row for row in rows if row is not None and _tells_of(row, decision)]

    def verdict_and_outcome(self, decision: int) -> tuple[port.Admit | None, Outcome | None]:
        """The admission and the outcome in force of a closed decision."""
        rows = self.history(decision, None)
        mine = (row.verb for row in reversed(rows) if row.decision == decision)
        last = next((verb for verb in mine if isinstance(verb, port.Admit)), None)
        return last, outcome_by(rows[-1].verb, decision, rows[-1].at_us) if rows else None

    def decisions(self, wanted: port.Filter) -> list[port.DecisionRow]:
        """Closed decisions, newest first."""
        return self._volumes.decisions(wanted)

    def parked(self, wanted: port.Filter) -> list[port.DecisionRow]:
        """Parked decisions, newest first."""
        asked = Matcher(wanted)
        if not asked.may_be_open or "admitted" not in asked.values.get("state", ("admitted",)):
            return []
        before = ID_MAX if wanted.before is None else wanted.before
        limits = (asked.since_us, asked.until_us, wanted.limit)
        given = (before, *asked.as_json("kind", "tenant", "source"), wanted.key, wanted.parent, *limits)
        return [port.DecisionRow(*row) for row in self._db.execute(QUERIES["parked_rows"], given)]

    def outcomes(self, source: str | None, after: int, limit: int) -> list[port.OutcomeRow]:
        """The outcome feed after a cursor."""
        found: list[port.OutcomeRow] = []
        holding = self._db.execute(QUERIES["commit_at"], (after + 1,)).fetchone()
        start = holding[0] if holding is not None else 1
        for first_seq, at_us, count, ended, packed, kept in self._db.execute(QUERIES["ends_from"], (start,)):
            mine = [
                (first_seq + ordinal, decision, by)
                for ordinal, decision, by in ends(ended)
                if by is not None and first_seq + ordinal > after and source in (None, by)
            ]
            if not mine or packed is None:
                continue
            commit = Commit(first_seq, 0, at_us, count, packed, kept)
            unpacked, content = facts(packed), payloads(kept, count)
            for seq, decision, by in mine:
                row = unpack(commit, seq - first_seq, unpacked, content)
                outcome = outcome_by(row.verb, decision, at_us)
                if outcome is None:
                    continue
                kind, key = self._db.execute(QUERIES["kind_and_key"], (decision,)).fetchone() or ("", None)
                found.append(port.OutcomeRow(seq, decision, by or "", kind, key, outcome))
                if len(found) >= limit:
                    return found
        return found

    def reference(self, name: str, version: str) -> bytes | None:
        """A recorded version of a reference."""
        seq = self._db.execute(QUERIES["version"], (name, version)).get
        row = self.fact(seq) if seq is not None else None
        return row.verb.value if row is not None and isinstance(row.verb, port.Refer) else None

    def sources(self, tenant: str) -> list[str]:
        """All sources that ever decided for a tenant."""
        return [source for owner, source in self._db.execute(QUERIES["all_sources"]) if owner == tenant]

    def scan(self, after: int) -> Iterator[port.HistoryRow]:
        """All facts after a position that are not archived."""
        holding = self._db.execute(QUERIES["commit_at"], (after + 1,)).fetchone()
        start = holding[0] if holding is not None else 1
        while True:
            row = self._db.execute(f"{QUERIES['commits_from']} LIMIT 1", (start,)).fetchone()
            if row is None:
                return
            commit = Commit(*row)
            for fact in history_rows(commit):
                if fact.seq > after:
                    yield fact
            start = commit.first_seq + commit.size


def _tells_of(row: port.HistoryRow, decision: int) -> bool:
    """Not the admission of a child, which is noted with its parent."""
    verb = row.verb
    return row.decision in (None, decision) or (isinstance(verb, port.Admit) and verb.decision.supersedes == decision)
