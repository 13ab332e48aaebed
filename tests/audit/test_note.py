"""Signed notes and checkpoints: as others write them, and worth nothing once a byte of them is changed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lictor.audit.checkpoint import Checkpoint, SignedCheckpoint, Trust
from lictor.audit.note import Note, PublicKey, SecretKey
from lictor.errors import MalformedError

ONE = SecretKey.made("lictor/1", b"1" * 32)
TWO = SecretKey.made("lictor/1", b"2" * 32)
#: From the documentation of golang.org/x/mod/sumdb/note: keys and a note that we did not make.
GO_SECRET = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
GO_PUBLIC = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_NOTE = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
    "\n"
    "\N{EM DASH} PeterNeumann "
    "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM="
    "\n"
)


def test_the_notes_and_keys_of_go_are_ours():
    key, secret = PublicKey.read(GO_PUBLIC), SecretKey.read(GO_SECRET)
    assert secret.public == key
    assert (key.text(), secret.text()) == (GO_PUBLIC, GO_SECRET)
    note = Note.read(GO_NOTE)
    assert note.signers([key]) == [key]
    assert Note.signed(note.text, [secret]).write() == GO_NOTE


def test_a_private_key_shows_itself_nowhere():
    assert "AYEK" not in f"{SecretKey.read(GO_SECRET)!r} {SecretKey.read(GO_SECRET)}"
    with pytest.raises(MalformedError) as caught:
        SecretKey.read(GO_SECRET.replace("c74f", "c74e"))
    assert "AYEK" not in str(caught.value)


def test_no_byte_of_a_note_can_be_changed():
    for at in range(len(GO_NOTE)):
        for other in "A\n ":
            if GO_NOTE[at] == other:
                continue
            changed = GO_NOTE[:at] + other + GO_NOTE[at + 1 :]
            try:
                assert Note.read(changed).signers([PublicKey.read(GO_PUBLIC)]) == []
            except MalformedError:
                continue


@given(st.text())
def test_what_is_no_note_is_refused(text):
    with pytest.raises(MalformedError):
        Note.read(text)
    with pytest.raises(MalformedError):
        PublicKey.read(text)
    with pytest.raises(MalformedError):
        SecretKey.read(text)
    with pytest.raises(MalformedError):
        Checkpoint.read(text)


NAMES = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]))


@given(NAMES, st.integers(0), st.binary(min_size=32, max_size=32))
def test_a_checkpoint_comes_back_as_it_was(origin, size, root):
    wanted = Checkpoint(origin, size, root)
    assert SignedCheckpoint.read(SignedCheckpoint.signed(wanted, [ONE, TWO]).write()).checkpoint == wanted
    assert wanted.text().startswith(f"{origin}\n{size}\n")


@pytest.mark.parametrize(
    "text",
    [
        "a\n01\n" + "A" * 43 + "=\n",
        "a\n-1\n" + "A" * 43 + "=\n",
        "a\n1\nAAAA\n",
        "a\n1\n" + "A" * 42 + "B=\n",
        "a\n1\n" + "A" * 43 + "=\nmore\n",
        "a\n1\n" + "A" * 43 + "=\nwas x\nnext y\n",
        "a\n1\n",
    ],
)
def test_what_is_no_checkpoint_is_refused(text):
    with pytest.raises(MalformedError):
        Checkpoint.read(text)


def at(size, *keys, **lines):
    return SignedCheckpoint.signed(Checkpoint("lictor/1", size, bytes(32), **lines), keys)


def judged(given, signed):
    trust = Trust([key.public for key in given], signed)
    return [trust.accepts(one) for one in signed]


def test_a_hand_over_is_followed_from_either_key_and_the_earlier_one_signs_no_more():
    over = at(2, ONE, TWO, was=ONE.public, next=TWO.public)
    story = [at(1, ONE), over, at(3, TWO), at(4, ONE)]
    assert judged([ONE], story) == [True, True, True, False]
    assert judged([TWO], story) == [True, True, True, False]
    assert judged([ONE], [at(1, ONE), at(3, TWO)]) == [True, False]
    half = at(2, ONE, was=ONE.public, next=TWO.public)
    assert judged([ONE], [half, at(3, TWO)]) == [False, False]
    stranger = SecretKey.made("lictor/1", b"3" * 32)
    assert judged([stranger], story) == [False] * 4
    assert judged([ONE], [at(2, ONE, stranger, was=ONE.public, next=TWO.public)]) == [False]
    assert judged([ONE], [at(2, ONE, stranger)]) == [False]  # a signature that nobody can check
