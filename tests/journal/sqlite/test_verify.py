"""`verify` finds what is wrong with a journal and nothing else: each check, by damage or by a forgery."""

import asyncio

import pytest
from tests.journal.sqlite.forging import first, forge, read, replace, run

from lictor.errors import JournalError
from lictor.journal.port import (
    Act,
    Admit,
    Approve,
    Close,
    Declare,
    Epoch,
    Learn,
    Progress,
    Refer,
    SetHalt,
    Start,
    StartItem,
)
from lictor.journal.sqlite import SqliteJournal, writer
from lictor.journal.sqlite.keys import StoredKeys
from lictor.journal.sqlite.verify import verify
from lictor.records import Approval, Halt, Lease, Lesson, Ruling
from lictor.testing.journal_stand import T0_US, admit, cash, close, decision, hold, limit, refuse, start

MANIFEST = {"control": ["cancel"], "effectors": {"transfer": False}}
FENCE = (1 << 40) + 1


def approval(of, approver="olga"):
    wanted = Approval(
        decision=of.id, gate="g", gate_version="1", digest=of.digest, approver=approver, approved=True, at_us=T0_US
    )
    return Approve(wanted)


HELD = decision(5)
TWO, BY_ONE = Ruling("g", "hold", "1", "LARGE", approvers=2), {"approved_by": ["olga"]}
BATCHES = [
    [limit(100), Declare("a", "1", "p", T0_US, MANIFEST), Refer("prices", "v1", T0_US, b"[1]")],
    [admit(decision(1, b'{"a":1}', key="k", order_key="o"), cash(30), fence=FENCE)],
    [admit(decision(2, order_key="o"), cash(20)), refuse(decision(3, key="r"), "NO")],
    [Progress(1, (Act(0, "pend", FENCE, report="r-1"),), T0_US)],
    [SetHalt(Halt(scope="kind:other", mode="halted", at_us=T0_US, by="olga")), Learn((), (), T0_US)],
    [close(1, "succeed", [Act(0, "succeed", FENCE, settled=(("cash", "acme", 40),))], value={"r": 1})],
    [start(2, FENCE + 1), hold(HELD)],
    [approval(HELD), Learn((Lesson(name="score", subject="a", at_us=T0_US),), (), T0_US)],
    [limit(100, reset_latch=True), admit(decision(6), cash(10))],
    [admit(decision(7, key="k7"), fence=FENCE + 2), admit(HELD, cash(1), fence=FENCE + 3)],
    [close(7, "fail", code="E")],
]


def make(path):
    def few_keys(db):
        return StoredKeys(db, segment_keys=1, shelf_segments=2)

    async def main():
        journal = SqliteJournal(path, durability="journal", make_keys=few_keys)
        await journal.open(T0_US)
        for at_us, batch in enumerate(BATCHES, T0_US):
            answers = await journal.write(batch, at_us)
            assert all(answer.ok for answer in answers), answers
        await journal.close()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(writer, "WINDOW_FACTS", 5)
        asyncio.run(main())


@pytest.fixture
def path(quick_path):
    make(quick_path / "journal.db")
    return quick_path / "journal.db"


def checks(path):
    return {finding.check for finding in verify(path).findings}


def test_a_sound_journal_is_clean(path):
    found = verify(path)
    assert found.findings == ()
    assert found.clean
    assert (found.commits, found.decisions, found.open) == (12, 3, 3)
    assert found.facts == sum(len(batch) for batch in BATCHES) + 1


def test_what_is_no_journal_is_told_apart(quick_path):
    with pytest.raises(JournalError, match="there is no journal"):
        verify(quick_path / "nothing.db")
    run(quick_path / "other.db", "CREATE TABLE a (b)")
    with pytest.raises(JournalError, match="not a Lictor journal"):
        verify(quick_path / "other.db")
    (quick_path / "text.db").write_text("not a database at all" * 100)
    assert checks(quick_path / "text.db") == {"FILE"}


def flipped(data, at):
    changed = bytearray(data)
    changed[at] ^= 1
    return bytes(changed)


def test_any_flipped_byte_of_history_is_found_with_its_fact(path):
    """I14: every byte of every fact and payload, and every leaf and link."""
    for id_ in (3, 7):
        first_seq = read(path, "SELECT first_seq FROM commits WHERE id = ?", id_)
        for column in ("facts", "payloads", "leaves", "chain"):
            sound = read(path, f"SELECT {column} FROM commits WHERE id = ?", id_)
            for at in range(0, len(sound), 1 if column == "facts" else 5):
                run(path, f"UPDATE commits SET {column} = ? WHERE id = ?", flipped(sound, at), id_)
                found = verify(path).findings
                assert {finding.check for finding in found} == {"I14"}, f"byte {at} of {column}"
                assert any(
                    word in found[0].detail for word in (f"commit {id_}", f"fact {first_seq}", f"fact {first_seq + 1}")
                )
            run(path, f"UPDATE commits SET {column} = ? WHERE id = ?", sound, id_)
    assert checks(path) == set()


DAMAGE = {
    "a commit is gone": ("DELETE FROM commits WHERE id = 5", "I14"),
    "the last commit is gone": ("DELETE FROM commits WHERE id = 12", "I15"),
    "a commit was moved": ("UPDATE commits SET first_seq = first_seq + 100 WHERE id = 12", "I14"),
    "facts were swapped": (
        "UPDATE commits SET facts = (SELECT o.facts FROM commits o WHERE o.id = 15 - commits.id) WHERE id IN (7, 8)",
        "I14",
    ),
    "a commit lost its facts": ("UPDATE commits SET facts = x'90' WHERE id = 4", "I14"),
    "an epoch was changed": ("UPDATE commits SET epoch = 9 WHERE id = 4", "I9"),
    "a time was changed": ("UPDATE commits SET at_us = at_us - 1000 WHERE id = 5", "I16"),
    "ends were forgotten": ("UPDATE commits SET ends = x'90' WHERE id = 12", "I15"),
    "keys were forgotten": ("UPDATE commits SET keys = x'' WHERE id = 3", "I15"),
    "a balance was lowered": ("UPDATE balances SET settled = '0'", "I3"),
    "a reservation was lost": ("UPDATE balances SET reserved = '0'", "I3"),
    "a balance was removed": ("DELETE FROM balances", "I3"),
    "a limit was raised": ("UPDATE limits SET value = '999'", "I3"),
    "a latch was set": ("UPDATE limits SET latched = 1", "I3"),
    "a decision was removed": ("DELETE FROM decisions WHERE id = 7", "I15"),
    "a decision was made up": (
        "INSERT INTO decisions SELECT 99, 1, 1, 'failed', NULL, 'a', 'b', 'c', NULL, NULL, 1, 1, 1, 1, NULL",
        "I15",
    ),
    "a state was changed": ("UPDATE decisions SET state = 'succeeded' WHERE id = 7", "I15"),
    "a code was changed": ("UPDATE decisions SET code = NULL WHERE id = 3", "I15"),
    "an open decision was forgotten": ("DELETE FROM births WHERE id = 2", "I15"),
    "a step was forgotten": ("DELETE FROM steps WHERE decision = 2", "I15"),
    "a step was made up": ("INSERT INTO steps VALUES (7, 1)", "I15"),
    "a halt was lifted": ("DELETE FROM current WHERE what = 'halt'", "I15"),
    "a lesson was changed": ("UPDATE current SET body = x'00' WHERE what = 'lesson'", "I15"),
    "a version was forgotten": ("DELETE FROM versions", "I15"),
    "a source was forgotten": ("DELETE FROM sources", "I15"),
    "an epoch was forgotten": ("UPDATE meta SET value = 7 WHERE name = 'epoch'", "I15"),
    "a key was forgotten": ("DELETE FROM keys WHERE decision = 1", "I10"),
    "a key was bound elsewhere": ("UPDATE keys SET decision = 9 WHERE decision = 1", "I10"),
}


@pytest.mark.parametrize(("statement", "check"), DAMAGE.values(), ids=DAMAGE)
def test_damage_is_found(path, statement, check):
    assert run(path, statement) >= 1
    assert checks(path) - {check} <= ({"I3"} if "commit" in statement else set())
    assert check in checks(path)


def test_a_damaged_page_is_found(path):
    root = read(path, "SELECT rootpage FROM sqlite_master WHERE name = 'decisions'")
    size = read(path, "PRAGMA page_size")
    data = bytearray(path.read_bytes())
    data[(root - 1) * size : (root - 1) * size + 64] = b"\xff" * 64
    path.write_bytes(data)
    assert checks(path) == {"FILE"}


def edits(told, kind, decision, change):
    """Edit one fact: `change` takes and gives a verb."""
    fact, _ = first(told, kind, decision)
    fact[1] = change(fact[1])


def of_decision(**fields):
    return lambda verb: replace(verb, decision=replace(verb.decision, **fields))


def of_verdict(**fields):
    return lambda verb: replace(verb, verdict=replace(verb.verdict, **fields))


def inserts(told, kind, decision, event, verb):
    """Put a fact before another."""
    fact, facts = first(told, kind, decision)
    facts.insert(facts.index(fact), [event, verb])


def drops(told, kind):
    """Leave a fact out."""
    fact, facts = first(told, kind)
    facts.remove(fact)


#: What is forged -> how, and the check that sees it.
FORGERIES = {
    "admitted on other content": (lambda told: edits(told, Admit, 2, of_verdict(digest=b"x" * 32)), "I1"),
    "started before it was admitted": (
        lambda told: inserts(told, Approve, 5, "start", Start((StartItem(5, (0,), FENCE),), T0_US)),
        "I1",
    ),
    "started an action that it has not": (
        lambda told: edits(told, Start, None, lambda verb: replace(verb, items=(StartItem(2, (0, 4), FENCE + 1),))),
        "I1",
    ),
    "closed twice": (lambda told: inserts(told, Close, 7, "close", close(7, "fail")), "I2"),
    "an end that cannot follow": (
        lambda told: edits(told, Close, 7, lambda verb: replace(verb, event="compensated")),
        "I2",
    ),
    "an outcome that is not the end": (
        lambda told: edits(told, Close, 7, lambda verb: replace(verb, outcome=replace(verb.outcome, result="expired"))),
        "I2",
    ),
    "admitted twice": (lambda told: inserts(told, Close, 7, "admit", admit(decision(7), fence=FENCE + 9)), "I2"),
    "news of nothing": (lambda told: inserts(told, Close, 7, "progress", Progress(77, (), T0_US)), "I2"),
    "a budget was overspent": (lambda told: edits(told, Admit, 6, of_verdict(reservations=(cash(61),))), "I3"),
    "reserved while latched": (
        lambda told: inserts(told, Start, None, "admit", admit(decision(9), cash(1))),
        "I3",
    ),
    "started out of order": (
        lambda told: (
            edits(told, Admit, 2, lambda verb: replace(verb, lease=Lease(FENCE + 1, T0_US))),
            drops(told, Start),
        )[2:],
        "I4",
    ),
    "started past its deadline": (lambda told: edits(told, Admit, 2, of_decision(deadline_us=T0_US + 6)), "I5"),
    "admitted past its deadline": (lambda told: edits(told, Admit, 6, of_decision(deadline_us=T0_US + 6)), "I5"),
    "tried again in doubt": (
        lambda told: (
            inserts(told, Close, 7, "progress", Progress(7, (Act(0, "doubt", FENCE + 2),), T0_US)),
            inserts(told, Close, 7, "start", start(7, FENCE + 9)),
        )[2:],
        "I8",
    ),
    "news of an old attempt": (
        lambda told: edits(told, Progress, 1, lambda verb: replace(verb, acts=(replace(verb.acts[0], fence=5),))),
        "I9",
    ),
    "a report counted twice": (
        lambda told: edits(
            told, Progress, 1, lambda verb: replace(verb, acts=(*verb.acts, Act(0, "report", FENCE, report="r-1")))
        ),
        "I9",
    ),
    "a fence that does not grow": (
        lambda told: (
            inserts(told, Close, 7, "progress", Progress(7, (Act(0, "back_off", FENCE + 2),), T0_US)),
            inserts(told, Close, 7, "start", start(7, FENCE + 2)),
        )[2:],
        "I9",
    ),
    "an epoch came twice": (lambda told: inserts(told, Close, 7, "epoch", Epoch(1, T0_US)), "I9"),
    "a key was bound twice": (lambda told: edits(told, Admit, 7, of_decision(key="k")), "I10"),
    "a free key was refused": (lambda told: edits(told, Admit, 3, of_verdict(code="KEY_REUSED")), "I10"),
    "refused without a code": (lambda told: edits(told, Admit, 3, of_verdict(code=None)), "I11"),
    "admitted while halted": (
        lambda told: edits(
            told, SetHalt, None, lambda verb: replace(verb, halt=replace(verb.halt, scope="source:agent"))
        ),
        "I12",
    ),
    "started while halted": (
        lambda told: edits(
            told, SetHalt, None, lambda verb: replace(verb, halt=replace(verb.halt, scope="effector:transfer"))
        ),
        "I12",
    ),
    "approved by its source": (lambda told: edits(told, Approve, 5, lambda _: approval(HELD, "agent")), "I13"),
    "approved on other content": (
        lambda told: edits(told, Approve, 5, lambda _: approval(replace(HELD, digest=b"other"))),
        "I13",
    ),
    "approved twice": (lambda told: inserts(told, Approve, 5, "approve", approval(HELD, "piet")), "I13"),
    "approved by fewer than it says": (
        lambda told: edits(told, Admit, 5, of_verdict(rulings=(TWO, Ruling("g", "allow", "1", seen=BY_ONE)))),
        "I13",
    ),
    "approved when it was not held": (lambda told: inserts(told, Close, 7, "approve", approval(decision(7))), "I13"),
}


@pytest.mark.parametrize(("edit", "check"), FORGERIES.values(), ids=FORGERIES)
def test_a_forged_history_is_seen_through(path, edit, check):
    """What is sealed with care still has to make sense; the tables, which nobody forged, show it too (I15)."""
    forge(path, lambda told: edit(told) and None)
    found = checks(path)
    assert check in found
    assert found <= {check, "I15"} | ({"I3"} if check in {"I1", "I2"} else set())


def test_a_forgery_that_changes_nothing_is_clean(path):
    forge(path, lambda told: None)
    assert checks(path) == set()


def test_time_that_runs_back_is_seen(path):
    forge(path, lambda told: [T0_US + 100 - n for n in range(len(told))])
    assert "I16" in checks(path)
