"""The server over real sockets: from a submit to its story, and what it refuses to do."""

from __future__ import annotations

import asyncio

import pytest
from tests.surfaces.http.served import served

from lictor import DeclarationError
from lictor.surfaces.http.server import address_of, check_bind


def test_a_decision_is_submitted_and_looked_at() -> None:
    async def main():
        async with served() as http:
            made = await http.post(
                "/v1/decisions", json={"kind": "Payout", "payload": {"account": "a-17", "amount": 5}}
            )
            assert made.status_code == 202
            id_ = made.json()["id"]
            story = await http.get(f"/v1/decisions/{id_}")
            health = await http.get("/healthz", headers={"authorization": ""})
            return made.json(), story, health

    made, story, health = asyncio.run(main())
    assert made["verdict"]["result"] == "admitted"
    assert story.status_code == 200
    assert story.json()["entries"][0]["event"] == "received"
    assert health.json() == {"alive": True}


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "example.org"])
def test_nobody_listens_beyond_this_machine_in_the_clear(host) -> None:
    with pytest.raises(DeclarationError, match="in the clear"):
        check_bind(host, tls=False, behind_proxy=None)
    check_bind(host, tls=True, behind_proxy=None)
    check_bind(host, tls=False, behind_proxy="10.0.0.9")


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "127.9.9.9"])
def test_loopback_needs_no_tls(host) -> None:
    check_bind(host, tls=False, behind_proxy=None)


def test_addresses() -> None:
    assert address_of("127.0.0.1:8700") == ("127.0.0.1", 8700)
    assert address_of(":9") == ("127.0.0.1", 9)
    assert address_of("[::1]:9") == ("::1", 9)
    for bad in ("", "x", "h:99999", "h:-1"):
        with pytest.raises(DeclarationError):
            address_of(bad)
