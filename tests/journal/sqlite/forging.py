"""Forges journals: edits what is stored and seals it again, so that the bytes hold and only the story is wrong."""

import apsw
import msgspec

from lictor.journal import codec
from lictor.journal.batch import decision_of
from lictor.journal.sqlite.packing import Commit, history_rows, pack

replace = msgspec.structs.replace


def run(path, statement, *parameters):
    """Edit the stored file, past the engine."""
    db = apsw.Connection(str(path))
    db.execute(statement, parameters)
    changes = db.changes()
    db.close()
    return changes


def read(path, statement, *parameters):
    """One stored value."""
    db = apsw.Connection(str(path))
    found = db.execute(statement, parameters).get
    db.close()
    return found


def forge(path, edit):
    """Let `edit` change, add and drop facts, given as [event, verb] by commit, or return other times; then seal it."""
    db = apsw.Connection(str(path))
    query = "SELECT first_seq, id, at_us, count, facts, payloads FROM commits ORDER BY first_seq"
    stored = [Commit(*row) for row in db.execute(query)]
    told = [[[row.event, row.verb] for row in history_rows(commit)] for commit in stored]
    times = edit(told) or [commit.at_us for commit in stored]
    assert isinstance(times, list)
    chain, first_seq = codec.GENESIS, 1
    for commit, facts, at_us in zip(stored, told, times, strict=True):
        packed, payloads, leaves = [], [], []
        for event, verb in facts:
            body, payload = codec.encode(verb)
            salt = b"s" * codec.SALT_BYTES
            packed.append((event, decision_of(verb), body))
            payloads.append((salt, payload) if payload else None)
            leaves.append(codec.leaf(event, body, codec.payload_digest(salt, payload)))
        chain = codec.chain(chain, b"".join(leaves))
        db.execute(
            "UPDATE commits SET first_seq = -?, at_us = ?, count = ?, chain = ?, leaves = ?, facts = ?, payloads = ?"
            " WHERE id = ?",
            (first_seq, at_us, len(facts), chain, b"".join(leaves), pack(packed), pack(payloads), commit.id),
        )
        first_seq += len(facts)
    db.execute("UPDATE commits SET first_seq = -first_seq")
    db.close()


def first(told, kind, decision=None):
    """The first fact of a kind (about a decision), as the [event, verb] that may be edited, and its commit."""
    for facts in told:
        for fact in facts:
            if isinstance(fact[1], kind) and decision in (None, decision_of(fact[1])):
                return fact, facts
    raise LookupError(kind)
