"""Is a journal what it should be? Reads the stored file alone: no stage, no `State`, arithmetic of its own.

First the bytes: SQLite's own check, positions without gaps, each fact against its leaf, the chain over all commits,
the tree over all facts and what was signed of it (I14). Where they are damaged nothing more is judged. Then what
history shows, fact by fact (I1-I13, I16 as far as it tells), and that every table is what follows from it (I15).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import apsw
import msgspec

from lictor.audit.note import PublicKey
from lictor.errors import JournalDamagedError, JournalError
from lictor.journal import codec
from lictor.journal.batch import decision_of

from .archive import read
from .audit import Audit
from .file import APPLICATION_ID
from .packing import Commit, PackedFact, facts, history_rows, payloads
from .queries import QUERIES, migrations
from .tables import Tables
from .tree_check import TreeCheck
from .volumes import wrong

#: One cause can break much; beyond this many findings the rest is counted, not listed.
LISTED_MAX = 1_000


class Finding(msgspec.Struct, frozen=True):
    """One thing that is wrong: the invariant that it breaks, and where."""

    check: str
    detail: str


class Findings(msgspec.Struct, frozen=True):
    """What `verify` found in one journal."""

    path: str
    commits: int
    facts: int
    archived: int
    decisions: int
    open: int
    findings: tuple[Finding, ...]
    more: int = 0
    #: False where facts are archived and their archives were not given: then the bytes were checked, the story was not.
    judged: bool = True

    @property
    def clean(self) -> bool:
        """Nothing is wrong, and all was looked at."""
        return self.judged and not self.findings


class _Stored(msgspec.Struct):
    """A row of `commits`."""

    first_seq: int
    id: int
    at_us: int
    epoch: int
    size: int
    chain: bytes
    leaves: bytes
    ends: bytes
    keys: bytes
    facts: bytes | None
    payloads: bytes | None
    #: Its facts come from an archive.
    was_archived: bool = False

    def commit(self) -> Commit:
        """As facts are read from it."""
        return Commit(self.first_seq, self.id, self.at_us, self.size, self.facts, self.payloads)


class _Verification:
    """One run over one file."""

    def __init__(self, db: apsw.Connection, archives: Sequence[str | Path], keys: Sequence[PublicKey]) -> None:
        self.db = db
        self.keys = keys
        self.archived_lines = {line.first_seq: line for path in archives for line in read(Path(path))}
        self.findings: list[Finding] = []
        self.more = 0
        self.commits = self.facts = self.archived = 0

    def note(self, check: str, detail: str) -> None:
        """Something is wrong."""
        if len(self.findings) < LISTED_MAX:
            self.findings.append(Finding(check, detail))
        else:
            self.more += 1

    def rows(self) -> Iterator[_Stored]:
        """All commits in order."""
        for values in self.db.execute(QUERIES["audit_commits"]):
            row = _Stored(*values)
            line = self.archived_lines.get(row.first_seq)
            if row.facts is None and line is not None:
                row.facts, row.payloads = line.packed()
                row.was_archived = True
            yield row

    def bytes_hold(self) -> None:
        """The file's own structure, gaps, leaves, chain (I14)."""
        for (said,) in self.db.execute("PRAGMA integrity_check"):
            if said != "ok":
                self.note("FILE", str(said))
        next_seq, next_id, chain = 1, 1, codec.GENESIS
        tree = TreeCheck(self.db, self.note, self.keys)
        for row in self.rows():
            if (row.first_seq, row.id) != (next_seq, next_id):
                missing = f"commit {row.id} at {row.first_seq} follows where {next_id} at {next_seq} should"
                self.note("I14", f"history has a gap: {missing}")
            elif codec.chain(chain, row.leaves) != row.chain:
                self.note("I14", f"commit {row.id}: its chain does not follow from the one before")
            next_seq, next_id, chain = row.first_seq + row.size, row.id + 1, row.chain
            self.commits += 1
            self._leaves(row)
            tree.commit(row.id, row.at_us, row.leaves)
        tree.end()

    def _leaves(self, row: _Stored) -> None:
        if len(row.leaves) != 32 * row.size:
            self.note("I14", f"commit {row.id}: {len(row.leaves)} bytes of leaves for {row.size} facts")
            return
        if row.facts is None:
            self.archived += row.size
            return
        try:
            packed, kept = facts(row.facts), payloads(row.payloads, row.size)
        except JournalDamagedError as error:
            self.note("I14", f"commit {row.id}: {error}")
            return
        if len(packed) != row.size or len(kept) != row.size:
            self.note("I14", f"commit {row.id}: {len(packed)} facts and {len(kept)} payloads of {row.size}")
            return
        for ordinal, (fact, payload) in enumerate(zip(packed, kept, strict=True)):
            self._leaf(row, ordinal, fact, payload)

    def _leaf(self, row: _Stored, ordinal: int, fact: PackedFact, payload: list[bytes] | None) -> None:
        event, decision, body = fact
        seq = row.first_seq + ordinal
        self.facts += 1
        if not body:
            self.archived += 1
            return
        wanted = row.leaves[32 * ordinal : 32 * ordinal + 32]
        digest = codec.NO_PAYLOAD
        if payload is not None:
            digest = payload[0] if len(payload) == 1 else sha256(payload[0] + payload[1]).digest()
        if event not in codec.EVENTS or codec.leaf(event, body, digest) != wanted:
            self.note("I14", f"fact {seq}: its bytes are not those that were committed")
            return
        try:
            verb = codec.decode(event, body, b"")
        except JournalDamagedError as error:
            self.note("I14", f"fact {seq}: {error}")
            return
        if decision_of(verb) != decision:
            self.note("I14", f"fact {seq}: filed under decision {decision}, but it is about {decision_of(verb)}")

    def history_holds(self) -> tuple[Audit, Tables]:
        """What the facts show, and the tables that follow from them."""
        audit = Audit(self.note)
        tables = Tables(self.db, self.note)
        for row in self.rows():
            tables.begin(row.ends, row.keys, archived=row.was_archived)
            for fact in history_rows(row.commit()):
                audit.read(fact)
                tables.read(fact, audit)
            tables.end(row.id)
            if row.epoch != audit.epoch:
                self.note("I9", f"commit {row.id} is of epoch {row.epoch}, while {audit.epoch} was in force")
        tables.compare(audit)
        for detail in wrong(self.db):
            self.note("I15", detail)
        return audit, tables


def verify(path: str | Path, archives: Sequence[str | Path] = (), keys: Sequence[PublicKey] = ()) -> Findings:
    """Check a journal. It may be open in a node: what is checked is one snapshot of it.

    With public keys the signatures of its checkpoints are checked, too.
    Where history was archived, what it shows can be judged only with all of its archives.

    Raises:
        JournalError: there is no journal at that path, it is from a newer engine, or an archive cannot be read.
    """
    try:
        db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    except apsw.Error as error:
        raise JournalError(f"there is no journal at {path}: {error}") from error
    try:
        return _verify(db, str(path), archives, keys)
    except (apsw.CorruptError, apsw.NotADBError) as error:
        return Findings(str(path), 0, 0, 0, 0, 0, (Finding("FILE", str(error)),))
    finally:
        db.close()


def _verify(db: apsw.Connection, path: str, archives: Sequence[str | Path], keys: Sequence[PublicKey]) -> Findings:
    db.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
    db.pragma("query_only", True)  # noqa: FBT003 - the value of a setting
    if db.pragma("application_id") != APPLICATION_ID:
        raise JournalError(f"{path} is not a Lictor journal")
    if db.pragma("user_version") > len(migrations()):
        raise JournalError(f"{path} was written by a newer engine")
    run = _Verification(db, archives, keys)
    db.execute("BEGIN")
    run.bytes_hold()
    decisions = still_open = 0
    judged = not run.findings and not run.archived
    if judged:
        audit, _ = run.history_holds()
        decisions, still_open = len(audit.closed), len(audit.open)
    db.execute("COMMIT")
    counts = (run.commits, run.facts, run.archived, decisions, still_open)
    return Findings(path, *counts, tuple(run.findings), run.more, judged)


def summary(found: Findings) -> dict[str, Any]:
    """As plain data, for reports."""
    return msgspec.to_builtins(found)  # type: ignore[no-any-return]
