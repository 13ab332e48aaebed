"""I14: what was changed in an exported history is found from the export and a public key alone."""

import pytest
from tests.audit import stories
from tests.audit.stories import FACTS, KEY, NEXT, exported, fact, signed

from lictor.audit import history
from lictor.audit.note import SecretKey
from lictor.audit.proof import check as check_proof
from lictor.audit.proof import prove

PUBLIC = [KEY.public]


def spans(start, end):
    return stories.root(end - start, FACTS[start:])


def test_an_export_is_clean_by_any_of_its_keys():
    for keys in (PUBLIC, [NEXT.public], [KEY.public, NEXT.public]):
        found = history.check(exported(), keys)
        assert (found.clean, found.facts, found.checkpoints, found.origin) == (True, 5, 3, KEY.name)
    stranger = SecretKey.made(KEY.name, b"3" * 32)
    assert len(history.check(exported(), [stranger.public]).findings) == 3
    assert not history.check(exported(), []).clean
    assert list(history.facts_of(exported())) == FACTS


def test_i14_every_flipped_byte_is_found():
    whole = b"".join(exported())
    for at in range(len(whole)):
        flipped = whole[:at] + bytes([whole[at] ^ (1, 0x20)[at & 1]]) + whole[at + 1 :]
        assert not history.check(flipped.splitlines(keepends=True), PUBLIC).clean, at


def test_i14_every_missing_repeated_or_moved_line_is_found():
    lines = exported()
    for at in range(len(lines)):
        assert not history.check([*lines[:at], *lines[at + 1 :]], PUBLIC).clean, lines[at]
        assert not history.check([*lines[:at], lines[at], *lines[at:]], PUBLIC).clean, lines[at]
        for to in range(len(lines)):
            moved = [*lines[:at], *lines[at + 1 :]]
            moved.insert(to, lines[at])
            assert moved == lines or not history.check(moved, PUBLIC).clean, (at, to)


def test_a_history_that_was_made_anew_is_found():
    """Whoever has no key cannot sign it; whoever has one cannot unsay what others have kept."""
    other = [fact(1), fact(2), fact(3), fact(4), fact(6)]
    other[4] = history.msgspec.structs.replace(other[4], seq=5, commit=3, at_us=3_000)
    forger = SecretKey.made(KEY.name, b"3" * 32)
    assert not history.check(exported(other, [signed(5, forger, facts=other)]), PUBLIC).clean
    thief = exported(other, [signed(5, facts=other)])
    assert history.check(thief, PUBLIC).clean
    for kept in (signed(2), signed(5)):
        assert "not those of the checkpoint that was kept" in str(history.check(thief, PUBLIC, [kept]).findings)
    cut = exported(FACTS[:4], [signed(2), signed(4)])
    assert history.check(cut, PUBLIC).clean
    assert history.check(cut, PUBLIC, [signed(2), signed(4)]).clean
    assert "history was cut" in str(history.check(cut, PUBLIC, [signed(5)]).findings)
    elsewhere = history.msgspec.structs.replace(signed(2).checkpoint, origin="lictor/2")
    kept = history.SignedCheckpoint.signed(elsewhere, [KEY])
    assert "another history" in str(history.check(cut, PUBLIC, [kept]).findings)


def test_what_is_no_export_is_told_and_listed_up_to_a_bound():
    found = history.check([b"{}\n"] * 150, PUBLIC)
    assert len(found.findings) == history.LISTED_MAX
    assert found.more > 50
    assert not history.check([], PUBLIC).clean
    assert history.plain(found)["clean"] is False


@pytest.mark.parametrize("shown", [{"event": "admit"}, {"body": b"x"}, {"salt": stories.SALT}, {"digest": bytes(32)}])
def test_a_fact_that_shows_a_part_of_itself_is_none(shown):
    assert history.msgspec.structs.replace(fact(3, shown=False), **shown).fault() == "shows a part of itself"
    whole = fact(2, payload=b"{}")
    assert history.msgspec.structs.replace(whole, payload=None).fault() == "shows a part of its payload"
    assert history.msgspec.structs.replace(whole, at_us=-1).fault() == "is no fact"


def test_a_proof_is_checked_by_itself_and_every_flipped_byte_of_it_found():
    after = prove(FACTS[1:4], signed(5, NEXT), spans, [stories.story()[1]])
    before = prove(FACTS[:2], signed(2), spans)
    for proof in (after, before):
        whole = proof.write()
        assert check_proof(whole, PUBLIC).clean
        for at in range(len(whole)):
            flipped = whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :]
            assert not check_proof(flipped, PUBLIC).clean, whole[max(0, at - 20) : at + 1]
    assert check_proof(after.write(), [NEXT.public]).clean
    assert not check_proof(before.write(), [NEXT.public]).clean
    none = history.msgspec.structs.replace(before, facts=())
    assert "has no facts" in str(check_proof(none.write(), PUBLIC).findings)
