"""Retention: moves history whose decisions ended long ago into an archive, and erases payloads; the chain holds.

Each commit keeps its row, its leaves and its link; its facts and payloads go. A commit stays whole while any decision
that it is about is open, or ended too lately, and while anything in it is still in force.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw
import msgspec

from lictor.journal import codec, port
from lictor.journal.batch import touched

from . import archive
from .packing import Commit, ends, facts, pack, payloads
from .queries import QUERIES
from .volumes import drop_archived

#: Commits moved in one transaction, so that no batch waits long.
SLICE_COMMITS = 100


class Retained(msgspec.Struct):
    """What was archived."""

    commits: int = 0
    facts: int = 0
    decisions: int = 0


class Retention:
    """One run; `step` until it is done."""

    def __init__(self, db: apsw.Connection, path: Path, before_us: int, in_force: Callable[[port.Verb], bool]) -> None:
        self._db = db
        self._in_force = in_force
        self._path = path
        self._before_us = before_us
        self._from_seq = 1
        self.done = False
        self.moved = Retained()

    def step(self, is_open: Callable[[int], bool]) -> None:
        """Archive some commits, then let go of them."""
        query = (self._from_seq, self._before_us, SLICE_COMMITS)
        rows = [(Commit(*row[:-1]), row[-1]) for row in self._db.execute(QUERIES["old_commits"], query)]
        if not rows:
            self.done = True
            return
        last = rows[-1][0]
        self._from_seq = last.first_seq + last.size
        old = [
            (commit, [id_ for _, id_, _ in ends(ended)])
            for commit, ended in rows
            if self._is_over(commit, ended, is_open)
        ]
        if not old:
            return
        archive.write(self._path, [commit for commit, _ in old])
        self._db.execute("BEGIN IMMEDIATE")
        for commit, ended in old:
            self._db.execute(QUERIES["archive_commit"], (commit.first_seq,))
            self.moved.commits += 1
            self.moved.facts += commit.size
            for decision in ended:
                self._db.execute(QUERIES["forget_steps"], (decision,))
                self._db.execute(QUERIES["forget_decision"], (decision,))
                self.moved.decisions += 1
        drop_archived(self._db, self._from_seq)
        self._db.execute("COMMIT")

    def _is_over(self, commit: Commit, ended: bytes, is_open: Callable[[int], bool]) -> bool:
        """All decisions that a commit is about have ended, and long enough ago."""
        ids = {id_ for _, id_, _ in ends(ended)}
        for event, decision, body in facts(commit.facts):
            if decision is not None:
                ids.add(decision)
                continue
            fact = codec.decode(event, body, b"")
            if self._in_force(fact):
                return False
            ids.update(touched(fact))
        if any(is_open(id_) for id_ in ids):
            return False
        for id_ in ids:
            row = self._db.execute(QUERIES["end_and_parent"], (id_,)).fetchone()
            if row is None:  # archived before
                continue
            closed_us, parent = row
            if closed_us >= self._before_us:
                return False
            if parent is not None and is_open(parent):  # what a child drew is part of its parent
                return False
        return True


def erase(db: apsw.Connection, decision: int) -> int:
    """Erase the payloads of a closed decision for good; the number of facts that lost one. Their digests stay."""
    erased = 0
    first: tuple[int, int] | None = db.execute(QUERIES["decision"], (decision,)).fetchone()
    seqs = {seq for (seq,) in db.execute(QUERIES["steps_of"], (decision,))} | set(first or ())
    db.execute("BEGIN IMMEDIATE")
    for seq in sorted(seqs):
        stored: tuple[Any, ...] = db.execute(QUERIES["commit_at"], (seq,)).fetchone() or ()
        commit = Commit(*stored)
        kept = payloads(commit.payloads, commit.size)
        payload = kept[seq - commit.first_seq]
        owner = facts(commit.facts)[seq - commit.first_seq][1] if commit.facts is not None else None
        if payload is None or len(payload) == 1 or owner != decision:
            continue
        kept[seq - commit.first_seq] = [codec.payload_digest(*payload)]
        db.execute(QUERIES["put_payloads"], (pack(kept), commit.first_seq))
        erased += 1
    db.execute("COMMIT")
    return erased
