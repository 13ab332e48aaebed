"""Canaries: secrets put wherever users put them, and looked for in everything that comes out."""

import copy
import json
from dataclasses import dataclass, field

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lictor.monitoring.redaction import HIDDEN, NAMES, Redactor, Secret

CANARY = "c4n4ry-8f1e"


@dataclass
class Login:
    user: str = "ann"
    password: str = CANARY
    nested: dict = field(default_factory=lambda: {"refresh_token": CANARY, "n": 1})


class Struct(msgspec.Struct):
    client_secret: str = CANARY
    plain: int = 1


@pytest.mark.parametrize(
    "value",
    [
        {"password": CANARY},
        {"Password": CANARY},
        {"x-api-key": CANARY},
        {"API_KEY": [CANARY, {"a": CANARY}]},
        {"db": {"user": "ann", "passwd": CANARY}},
        {"list": [{"deep": {"accessKey": CANARY}}]},
        {"pin": 1234, "card_number": CANARY},
        {"access_token": CANARY.encode()},
        ({"credentials": (CANARY,)},),
        Login(),
        Struct(),
        Secret(CANARY),
        {"plain": Secret(CANARY)},
        [Secret(CANARY), {Secret(CANARY)}],
        f"login failed for password={CANARY}",
        f'{{"token": "{CANARY}", "n": 1}}',
        f"api_key: '{CANARY}' was refused",
        f"Authorization: Bearer {CANARY}",
        f"called with bearer {CANARY}",
        f"cannot reach postgres://ann:{CANARY}@db/prod",
        f"https://x.example/?a=1&access_token={CANARY}&b=2",
        f"client-secret={CANARY}, retry",
        ValueError(f"secret={CANARY}"),
    ],
    ids=repr,
)
def test_no_canary_comes_out(value):
    shown = Redactor()(value)
    assert CANARY not in json.dumps(shown)
    assert CANARY not in repr(shown)
    assert HIDDEN in json.dumps(shown)


@pytest.mark.parametrize(
    "value",
    [
        {"amount": 250, "account": "a-17", "ratio": 0.5, "none": None, "yes": True},
        "reserved 250 of cash/acme",
        "see https://x.example/a?b=1 at 10:31:02",
        {"spinning": 1, "opinion": "fine", "pinned": True},
        [1, "a", [2.5, None]],
    ],
)
def test_what_is_no_secret_stays(value):
    assert Redactor()(value) == value


def test_names_of_ones_own():
    redact = Redactor(("payload_ref", "Kontonummer"))
    assert redact({"payload-ref": 1, "KONTONUMMER": 2, "other": 3}) == {
        "payload-ref": HIDDEN,
        "KONTONUMMER": HIDDEN,
        "other": 3,
    }
    assert CANARY not in redact.text(f"kontonummer={CANARY}")


def test_a_secret_shows_itself_to_who_asks_and_to_nobody_else():
    secret = Secret(CANARY)
    assert secret.reveal() == CANARY
    shown = [
        repr(secret),
        str(secret),
        f"{secret}",
        f"{secret:>20}",
        f"{secret}",
        repr([secret]),
        repr({"a": secret}),
    ]
    assert not any(CANARY in text for text in shown)
    assert secret == Secret(CANARY)
    assert secret != CANARY
    assert len({secret, Secret(CANARY)}) == 1
    for leak in (copy.copy, copy.deepcopy, json.dumps, msgspec.json.encode, msgspec.msgpack.encode):
        with pytest.raises(TypeError):
            leak(secret)


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=12,
)


@given(plain, st.sampled_from(NAMES), plain)
def test_whatever_stands_under_a_secret_name_is_gone_and_the_original_is_whole(around, name, secret):
    value = {"a": around, f"my_{name}" if name not in {"pin", "ssn", "cvv", "iban"} else name: [CANARY, secret]}
    before = copy.deepcopy(value)
    shown = Redactor()(value)
    assert CANARY not in json.dumps(shown)
    assert value == before


def test_what_nests_without_end_is_cut():
    endless = []
    endless.append(endless)
    assert HIDDEN in json.dumps(Redactor()(endless))


def test_text_takes_time_in_proportion_to_its_length():
    """No pattern that backtracks: a hundred kilobytes of near misses come back, and unchanged."""
    for unit in ("token", "a://b:", "bearer ", "secret_secret-", "x=" * 3, "password "):
        text = unit * (100_000 // len(unit))
        assert isinstance(Redactor().text(text), str)


def test_json_that_is_none_is_not_shown():
    assert Redactor().json(b"") is None
    assert Redactor().json(b"\xff" + CANARY.encode()) == f"{len(CANARY) + 1} bytes"
    assert Redactor().json(b'{"token":"' + CANARY.encode() + b'"}') == {"token": HIDDEN}
