import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lictor.desks.trading.fix.store import SessionStore


def message(kind, seq):
    return f"8=FIX.4.4\x019=99\x0135={kind}\x0149=A\x0156=B\x0134={seq}\x0111=k{seq}\x0110=000\x01".encode()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "session"


def reopened(path, store, **kwargs):
    store.close()
    return SessionStore(path, **kwargs)


def test_numbers_survive(path):
    store = SessionStore(path)
    store.incr_next_sender_msg_seq_num()
    store.set_next_target_msg_seq_num(7)
    store.settle()
    store = reopened(path, store)
    assert (store.next_sender_msg_seq_num(), store.next_target_msg_seq_num()) == (2, 7)
    store.close()


def test_what_the_application_did_not_take_is_asked_for_again(path):
    store = SessionStore(path)
    store.incr_next_target_msg_seq_num()
    store.settle()
    store.incr_next_target_msg_seq_num()  # and a crash before the application has it, though something is still sent
    store.incr_next_sender_msg_seq_num()
    assert store.next_target_msg_seq_num() == 3
    store = reopened(path, store)
    assert store.next_target_msg_seq_num() == 2
    store.close()


def test_an_order_is_never_given_back_to_be_sent_again(path):
    """The client keeps nothing; the venue keeps reports and refusals, not market data."""
    client = SessionStore(path)
    client.set(1, message("D", 1))
    assert client.get(1, 5) == []
    client.close()
    venue = SessionStore(path.with_name("venue"), replay=("8", "9"))
    for seq, kind in enumerate(["8", "W", "9", "D", "8"], 1):
        venue.set(seq, message(kind, seq))
    venue = reopened(path.with_name("venue"), venue, replay=("8", "9"))
    assert venue.get(1, 5) == [message("8", 1), message("9", 3), message("8", 5)]
    venue.close()


def test_a_torn_last_message_is_cut_off(path):
    store = SessionStore(path, replay=("8",))
    store.set(1, message("8", 1))
    store.set(2, message("8", 2))
    store.close()
    os.truncate(path.with_suffix(".sent"), path.with_suffix(".sent").stat().st_size - 5)
    store = SessionStore(path, replay=("8",))
    assert store.get(1, 2) == [message("8", 1)]
    store.set(3, message("8", 3))
    store = reopened(path, store, replay=("8",))
    assert store.get(1, 9) == [message("8", 1), message("8", 3)]
    store.close()


def test_reset_forgets_everything(path):
    store = SessionStore(path, replay=("8",))
    store.set(1, message("8", 1))
    store.incr_next_sender_msg_seq_num()
    store.reset()
    store = reopened(path, store, replay=("8",))
    assert (store.next_sender_msg_seq_num(), store.next_target_msg_seq_num(), store.get(1, 9)) == (1, 1, [])
    store.close()


@given(st.lists(st.binary(max_size=60).filter(lambda body: b"\x0110=" not in body), max_size=20))
def test_any_body_comes_back_as_it_was(tmp_path_factory, bodies):
    path = tmp_path_factory.mktemp("store") / "s"
    store = SessionStore(path, replay=("8",))
    kept = [b"8=FIX.4.4\x019=1\x0135=8\x01" + body for body in bodies]
    for seq, body in enumerate(kept, 1):
        store.set(seq, body)
    store = reopened(path, store, replay=("8",))
    assert store.get(1, len(kept)) == kept
    store.close()
