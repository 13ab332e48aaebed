"""Browsers that logged in, how often a log-in may fail, and what a cookie is not believed for."""

import pytest
from tests.surfaces.access.clock import Hand

from lictor.errors import DeniedError
from lictor.runtime.randomness import Randomness
from lictor.surfaces.access.attempts import ADDRESSES_MAX, ALL_MAX, PER_ADDRESS_MAX, WINDOW_S, Attempts
from lictor.surfaces.access.csrf import check_origin, check_token
from lictor.surfaces.access.guard import Guard
from lictor.surfaces.access.principal import Principal
from lictor.surfaces.access.sessions import IDLE_S, PER_KEY_MAX, SESSIONS_MAX, WHOLE_S, Sessions


@pytest.fixture
def hand():
    return Hand()


@pytest.fixture
def sessions(hand):
    return Sessions(hand, Randomness(1).bytes)


def test_a_session_is_found_by_its_cookie_alone(sessions) -> None:
    cookie = sessions.begin("a")
    assert sessions.find(cookie).grant == "a"
    assert sessions.find(cookie).csrf != cookie
    for other in ("", cookie[:-1], cookie + "0", "x" * 1_000, "\udcff"):
        assert sessions.find(other) is None
    assert cookie not in repr(sessions._open)
    sessions.end(cookie)
    assert sessions.find(cookie) is None


def test_a_session_ends_when_nobody_uses_it(hand, sessions) -> None:
    cookie = sessions.begin("a")
    hand.pass_s(IDLE_S - 1)
    assert sessions.find(cookie) is not None
    hand.pass_s(IDLE_S)
    assert sessions.find(cookie) is None
    assert not len(sessions)


def test_a_session_ends_however_much_it_is_used(hand, sessions) -> None:
    cookie = sessions.begin("a")
    used = 0
    while sessions.find(cookie) is not None:
        hand.pass_s(IDLE_S / 2)
        used += 1
    assert used == WHOLE_S / (IDLE_S / 2)


def test_sessions_are_bounded_for_each_key_and_together(hand, sessions) -> None:
    cookies = []
    for _ in range(PER_KEY_MAX + 1):
        cookies.append(sessions.begin("a"))
        hand.pass_s(1)
    assert [sessions.find(cookie) is not None for cookie in cookies] == [False] + [True] * PER_KEY_MAX
    for number in range(SESSIONS_MAX + 5):
        sessions.begin(f"k{number}")
    assert len(sessions) == SESSIONS_MAX


def test_log_ins_may_fail_so_often_a_minute(hand) -> None:
    attempts = Attempts(hand)
    for _ in range(PER_ADDRESS_MAX):
        assert attempts.wait_s("1.2.3.4") is None
        attempts.failed("1.2.3.4")
    assert 0 < attempts.wait_s("1.2.3.4") <= WINDOW_S
    assert attempts.wait_s("5.6.7.8") is None
    hand.pass_s(WINDOW_S)
    assert attempts.wait_s("1.2.3.4") is None
    for number in range(ALL_MAX):
        attempts.failed(f"a{number}")
    assert attempts.wait_s("5.6.7.8") is not None
    for number in range(ADDRESSES_MAX * 2):
        attempts.failed(f"b{number}")
    assert len(attempts._failed) <= ADDRESSES_MAX


def test_the_token_of_another_session_is_none() -> None:
    principal = Principal(name="olga", permissions=frozenset(), session="abc")
    check_token(principal, "abc")
    for given in (None, "", "abd", "é"):
        with pytest.raises(DeniedError):
            check_token(principal, given)
    with pytest.raises(DeniedError):
        check_token(Principal(name="olga", permissions=frozenset()), "")


@pytest.mark.parametrize(
    ("headers", "good"),
    [
        ({"host": "localhost:8700"}, True),  # no browser
        ({"host": "localhost:8700", "origin": "http://localhost:8700"}, True),
        ({"host": "localhost:8700", "sec-fetch-site": "same-origin", "origin": "https://proxied"}, True),
        ({"host": "localhost:8700", "origin": "http://localhost:8701"}, False),
        ({"host": "localhost:8700", "origin": "http://evil.example"}, False),
        ({"host": "localhost:8700", "origin": "null"}, False),
        ({"host": "localhost:8700", "sec-fetch-site": "cross-site"}, False),
        ({"host": "localhost:8700", "sec-fetch-site": "same-site"}, False),
        ({"host": "localhost:8700", "sec-fetch-site": "none"}, False),
    ],
)
def test_where_a_request_comes_from(headers, good) -> None:
    if good:
        check_origin(headers)
    else:
        with pytest.raises(DeniedError):
            check_origin(headers)


@pytest.mark.parametrize(
    ("host", "served"),
    [
        (b"localhost:8700", True),
        (b"LOCALHOST", True),
        (b"127.0.0.1:8700", True),
        (b"[::1]:8700", True),
        (b"10.1.2.3", True),
        (b"lictor.example", True),
        (b"lictor.example.:443", True),
        (b"evil.example", False),
        (b"evil.example:8700", False),
        (b"localhost.evil.example", False),
        (b"localhost:8700@evil.example", False),
        (b"127.0.0.1.evil.example", False),
        (b"[::1", False),
        (b"[::1]x", False),
        (b"", False),
        (None, False),
    ],
)
def test_only_names_that_are_ours_are_served(host, served) -> None:
    guard = Guard(["Lictor.example"])
    assert guard.serves(host) is served
    assert guard.serves(host) is served  # also once it is remembered
