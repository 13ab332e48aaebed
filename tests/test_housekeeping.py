"""Behind the commits a node grows the tree over history and signs checkpoints of it; what was signed stays so (I14)."""

import asyncio
import os

import apsw
import msgspec
import pytest
from tests.journal.sqlite.forging import forge, read, run

from lictor import App, Call, Node, Settings, Signal
from lictor.audit.anchor import Anchor
from lictor.audit.keyring import Keyring
from lictor.errors import InvariantViolation
from lictor.journal.port import Filter
from lictor.journal.sqlite import SqliteJournal
from lictor.journal.sqlite import tree as stored_tree
from lictor.journal.sqlite.verify import verify
from lictor.testing.journal_stand import T0_US, decision, refuse

SETTINGS = Settings(durability="journal", checkpoint_every_s=3_600, tune_collector=False)


class Note(msgspec.Struct, frozen=True):
    text: str


def built():
    found = App("notes", version="1")
    kind = found.decision(expires_in_s=60)(Note)

    @found.effector(idempotent=True, timeout_s=5)
    async def write(call: Call, text: str) -> str:
        return text

    found.plan(kind)(lambda decision: write.action(decision.text))
    return found


async def decide(node, count):
    handles = await node.submit_many(
        Signal(source="s", kind="Note", payload=b'{"text":"%d"}' % number) for number in range(count)
    )
    for handle in handles:
        await handle.outcome()


def live(path, count, settings=SETTINGS, then=None):
    """One life of a node; what `then` gives at its end."""

    async def main():
        async with Node(built(), str(path), settings=settings) as node:
            await decide(node, count)
            while await node.journal.tend():
                pass
            return await then(node) if then is not None else None

    return asyncio.run(main())


def keys_of(path):
    return Keyring(f"{path}.key", os.urandom).keys().all()


def test_a_node_signs_what_there_is_when_it_stops_and_all_of_it_verifies(tmp_path):
    path = tmp_path / "journal.db"
    for _ in range(2):
        live(path, 400)
    sizes = [kept[0] for kept in _rows(path, "SELECT size FROM checkpoints")]
    assert len(sizes) == 2
    assert sizes[0] < sizes[1] == read(path, "SELECT sum(count) FROM commits")
    assert read(path, "SELECT count(*) FROM spans WHERE level = 1") == sizes[1] // 256
    assert (tmp_path / "journal.db.key").stat().st_mode & 0o777 == 0o600
    found = verify(path, keys=keys_of(path))
    assert (found.findings, found.clean) == ((), True)
    stranger = Keyring(tmp_path / "other.key", os.urandom).made()
    assert [finding.check for finding in verify(path, keys=stranger.all()).findings] == ["I14", "I14"]


def _rows(path, statement):
    db = apsw.Connection(str(path))
    found = list(db.execute(statement))
    db.close()
    return found


def test_checkpoints_come_while_it_runs_and_the_lag_is_shown(tmp_path):
    settings = Settings(durability="journal", checkpoint_every_s=3_600, checkpoint_facts=100, tune_collector=False)

    async def look(node):
        tree, audited = node.journal.tree, node.housekeeping.audited
        await node.housekeeping.sign(tree)
        covered = tree.newest().signed.checkpoint.size
        assert audited.unsigned < 100
        assert covered > 500
        await decide(node, 3)
        await node.housekeeping.sign(tree)
        assert audited.unsigned == tree.size - tree.newest().signed.checkpoint.size
        assert f"lictor_history_facts {float(tree.size)}" in node.metrics()
        assert f"lictor_history_unsigned {float(audited.unsigned)}" in node.metrics()
        audited.behind = 2_000_000
        assert "AUDIT_BEHIND" in [reason.code for reason in node.health().reasons]

    live(tmp_path / "journal.db", 300, settings, look)


def test_memory_keeps_no_history_and_makes_no_key(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    async def main():
        async with Node(built(), "memory:") as node:
            await decide(node, 2)
            assert node.journal.tree is None
            assert "lictor_history" not in node.metrics()

    asyncio.run(main())
    assert list(tmp_path.iterdir()) == []


def test_a_key_is_handed_over_by_the_next_checkpoint(tmp_path):
    path = tmp_path / "journal.db"
    live(path, 3)
    ring = Keyring(f"{path}.key", os.urandom)
    first = ring.made().public
    ring.rotate()
    live(path, 3)
    live(path, 3)
    keys = ring.keys()
    assert keys.all() == [first, keys.public]
    assert len(keys.signing) == 1
    for key in keys.all():
        assert verify(path, keys=[key]).clean


@pytest.mark.parametrize("settings", [{}, {"checkpoint_every_s": 0}], ids=["signed", "not signed"])
def test_i14_a_history_that_was_made_anew_is_found_by_what_was_signed_and_by_that_alone(tmp_path, settings):
    """The ablation: without a checkpoint a whole history can be replaced, and nothing tells."""
    path = tmp_path / "journal.db"
    options = {"durability": "journal", "tune_collector": False, "checkpoint_every_s": 3_600, **settings}
    live(path, 3, Settings(**options))

    def other_times(told):
        return [at_us for (at_us,) in _rows(path, "SELECT at_us + 1 FROM commits ORDER BY first_seq")]

    forge(path, other_times)  # the commits, sealed again from end to end
    found = verify(path)
    if settings:
        assert "I14" not in [finding.check for finding in found.findings]
        live(path, 1, Settings(**options))
        return
    assert [finding.check for finding in found.findings] == ["I14"]
    assert "not those that checkpoint 1 was signed over" in found.findings[0].detail
    with pytest.raises(InvariantViolation, match="I14: the first"):
        live(path, 1, then=_sign_now)


async def _sign_now(node):
    await node.housekeeping.sign(node.journal.tree, now=True)


def test_i14_what_the_tree_takes_in_is_what_was_committed(tmp_path):
    path = tmp_path / "journal.db"

    async def main():
        journal = SqliteJournal(path, durability="journal")
        await journal.open(T0_US)
        for number in range(300):
            await journal.write([refuse(decision(number), "NO")], T0_US)
        assert run(path, "UPDATE commits SET leaves = zeroblob(32) WHERE id = 7")
        with pytest.raises(InvariantViolation, match="I14: commit 7 is not as it was written"):
            await journal.tend()
        with pytest.raises(InvariantViolation):
            await journal.write([refuse(decision(301), "NO")], T0_US)  # it is over

    asyncio.run(main())
    assert read(path, "SELECT count(*) FROM spans") == 0


def test_the_anchor_has_each_checkpoint_and_tells_of_another_history(tmp_path):
    path, anchor = tmp_path / "journal.db", tmp_path / "anchor.txt"
    settings = Settings(durability="journal", anchor=str(anchor), tune_collector=False)
    live(path, 3, settings)
    live(path, 3, settings)
    kept = Anchor(anchor).read()
    assert [one.checkpoint.size for one in kept] == [row[0] for row in _rows(path, "SELECT size FROM checkpoints")]
    other = tmp_path / "other.db"

    async def look(node):
        return [reason.code for reason in node.health().reasons]

    assert "AUDIT_FAILED" in live(other, 1, settings, look)
    assert Anchor(anchor).read() == kept


def test_a_key_that_cannot_be_used_stops_no_decision(tmp_path):
    path = tmp_path / "journal.db"
    live(path, 1)
    (tmp_path / "journal.db.key").chmod(0o644)

    async def look(node):
        await node.housekeeping.sign(node.journal.tree, now=True)
        assert [row.state for row in await node.journal.decisions(Filter(limit=1))] == ["succeeded"]
        return [reason.code for reason in node.health().reasons]

    assert "AUDIT_FAILED" in live(path, 1, then=look)
    assert read(path, "SELECT count(*) FROM checkpoints") == 1


@pytest.mark.parametrize(
    "tampering",
    [
        "UPDATE spans SET hash = zeroblob(32) WHERE level = 1 AND number = 1",
        "UPDATE checkpoints SET note = replace(note, 'lictor/', 'lictor-')",
        "UPDATE checkpoints SET note = 'nothing'",
        "DELETE FROM commits WHERE id = (SELECT max(id) FROM commits)",
        "UPDATE commits SET at_us = at_us + 1 WHERE id = 2",
    ],
)
def test_i14_tampering_with_the_file_is_found(tmp_path, tampering):
    path = tmp_path / "journal.db"
    live(path, 300)
    assert verify(path, keys=keys_of(path)).clean
    assert run(path, tampering)
    assert "I14" in [finding.check for finding in verify(path, keys=keys_of(path)).findings]


def test_a_tree_is_the_same_however_much_of_it_is_stored(tmp_path, monkeypatch):
    path = tmp_path / "journal.db"

    async def look(node):
        tree = node.journal.tree
        entries = list(stored_tree.entries(node.journal._db, 0, tree.size))
        frontier = stored_tree.merkle.Frontier()
        for entry in entries:
            frontier.add(entry)
            if frontier.size % 97 == 0 or frontier.size > tree.size - 5:
                assert tree.spans(0, frontier.size) == frontier.root(), frontier.size
        leaves = [fact.entry() for fact in tree.facts(1, tree.size, "leaves")]
        assert leaves == entries
        assert all(fact.fault() is None for fact in tree.facts(1, tree.size, "payloads"))
        assert all(fact.fault() is None for fact in tree.facts(3, 500, "facts"))
        return frontier.root()

    monkeypatch.setattr(stored_tree, "FAN", 16)
    monkeypatch.setattr(stored_tree, "_FAN_BITS", 4)
    root = live(path, 300, then=look)
    assert read(path, "SELECT max(level) FROM spans") == 2
    run(path, "DELETE FROM spans")
    run(path, "DELETE FROM checkpoints")
    assert len(root) == 32
    live(path, 1, then=look)
