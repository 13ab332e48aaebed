"""What a connection may take: its size, its time, and how many there may be."""

from __future__ import annotations

import asyncio
import json

import pytest
from tests.surfaces.http.test_api import run

from lictor.surfaces.http import connection, server


async def said(http, *parts: bytes) -> bytes:
    """What a bare connection is told, until it is closed."""
    reader, writer = await asyncio.open_connection("127.0.0.1", http.server.port)
    for part in parts:
        writer.write(part)
        await writer.drain()
    told = await asyncio.wait_for(reader.read(), 20)
    writer.close()
    return told


BEGIN = b"POST /v1/decisions HTTP/1.1\r\nhost: 127.0.0.1\r\n"


@pytest.mark.parametrize(
    ("parts", "bound"),
    [
        ((b"",), "HEAD_S"),
        ((BEGIN,), "HEAD_S"),
        (
            (BEGIN + b"content-length: 9\r\ncontent-type: application/json\r\nauthorization: KEY\r\n\r\n", b"{"),
            "STALL_S",
        ),
    ],
)
def test_who_is_too_slow_is_told_and_closed(monkeypatch, parts, bound) -> None:
    monkeypatch.setattr(connection, bound, 0.1)
    monkeypatch.setattr(server, "LOOK_S", 0.05)

    async def scenario(http):
        key = http.headers["authorization"].encode()
        return await said(http, *(part.replace(b"KEY", key) for part in parts))

    head, _, body = run(scenario).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 408")
    assert json.loads(body)["code"] == "TIMEOUT"


def test_a_body_that_goes_on_after_its_answer_is_cut(monkeypatch) -> None:
    monkeypatch.setattr(connection, "DISCARD_S", 0.1)
    monkeypatch.setattr(server, "LOOK_S", 0.05)

    async def scenario(http):
        return await said(http, BEGIN + b"content-length: 999999\r\n\r\n", b"x" * 1000)

    assert run(scenario).startswith(b"HTTP/1.1 401")


def test_what_is_no_http_is_told_so() -> None:
    async def scenario(http):
        return await said(http, b"\x16\x03\x01 hello\r\n\r\n")

    assert run(scenario).startswith(b"HTTP/1.1 400")


def test_a_head_that_never_ends_is_cut() -> None:
    async def scenario(http):
        return await said(http, BEGIN, *[b"x-more: " + b"y" * 8_000 + b"\r\n"] * 9)

    assert b"431" in run(scenario)[:20]


def test_connections_are_bounded(monkeypatch) -> None:
    monkeypatch.setattr(connection.Connection, "connections_max", 2)

    async def scenario(http):
        kept = [await asyncio.open_connection("127.0.0.1", http.server.port) for _ in range(2)]
        while len(http.server._server.server_state.connections) < 2:
            await asyncio.sleep(0.01)
        told = await said(http)
        for _, writer in kept:
            writer.close()
        return told

    told = run(scenario)
    assert told.startswith(b"HTTP/1.1 503")
    assert b"retry-after: 1\r\n" in told


def test_who_reads_none_of_its_answers_is_given_up(monkeypatch) -> None:
    monkeypatch.setattr(connection, "UNREAD_S", 0.2)
    monkeypatch.setattr(server, "LOOK_S", 0.05)

    async def scenario(http):
        _, writer = await asyncio.open_connection("127.0.0.1", http.server.port, limit=1)
        connections = http.server._server.server_state.connections
        while not connections:
            await asyncio.sleep(0.01)
        (served,) = [one for one in connections if one.transport.get_extra_info("peername") == mine(writer)]
        writer.write(b"GET /openapi.json HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n" * 500)
        async with asyncio.timeout(20):
            while served in connections:
                await asyncio.sleep(0.05)
        assert served.unread_s is not None
        writer.transport.abort()

    def mine(writer):
        return writer.get_extra_info("sockname")

    run(scenario)


def test_a_connection_on_which_nobody_asks_is_closed(monkeypatch) -> None:
    monkeypatch.setattr(server, "IDLE_S", 0.1)
    monkeypatch.setattr(server, "LOOK_S", 0.05)

    async def scenario(http):
        return await said(http, b"GET /healthz HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n")

    assert run(scenario).startswith(b"HTTP/1.1 200")  # and no more, and read to the end


def test_requests_that_come_together_are_answered_in_turn() -> None:
    async def scenario(http):
        ask = b"%b HTTP/1.1\r\nhost: 127.0.0.1\r\n"
        asks = (b"HEAD /healthz", b"GET /nowhere", b"GET /healthz")
        return await said(http, b"\r\n".join(ask % each for each in asks) + b"connection: close\r\n\r\n")

    first, second, third = run(scenario).split(b"HTTP/1.1 ")[1:]
    assert (first[:3], second[:3], third[:3]) == (b"200", b"404", b"200")
    assert first.endswith(b"\r\n\r\n")
    assert b"NOT_FOUND" in second
    assert b"\r\nconnection: close\r\n" in third


def test_a_header_with_a_line_break_is_not_sent() -> None:
    async def scenario(http):
        http.server.app.door.guard.pairs = ((b"x-name", b"a\r\nx-other: b"),)
        return await said(http, b"GET /healthz HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n")

    told = run(scenario)
    assert told.startswith(b"HTTP/1.1 500")
    assert b"x-other" not in told
