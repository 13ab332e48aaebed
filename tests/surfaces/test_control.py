"""The control socket: what it refuses, what it bounds, who may open it."""

from __future__ import annotations

import asyncio
import json
import socket
import stat
from contextlib import asynccontextmanager

import pytest

from lictor import LictorError, Node
from lictor.surfaces import control
from lictor.surfaces.channel import AskError, Channel
from lictor.surfaces.control import Control, listen
from lictor.surfaces.loading import load


@pytest.fixture(autouse=True)
def _here(shell) -> None:
    """`payouts.py` is in the current directory."""


@asynccontextmanager
async def served(path):
    async with Node(load("payouts:app")) as node, Control(node, path):
        yield node


async def converse(path, *lines: bytes) -> list[dict]:
    reader, writer = await asyncio.open_unix_connection(str(path), limit=1 << 24)
    answers = []
    for line in lines:
        writer.write(line)
        answers.append(json.loads(await reader.readline()))
    writer.close()
    return answers


def test_answers_come_in_order_and_errors_keep_the_connection(tmp_path) -> None:
    async def main():
        async with served(tmp_path / "s"):
            return await converse(
                tmp_path / "s",
                b'{"do": "hello"}\n',
                b"not json\n",
                b'{"v": 7, "do": "hello"}\n',
                b'{"do": "launch"}\n',
                b'{"do": "halt", "with": {"scope": 7, "by": "ana"}}\n',
                b'{"do": "halt", "with": {"scope": "all", "by": "ana", "colour": "red"}}\n',
                b'{"do": "halt", "with": {"scope": "everything", "by": "ana"}}\n',
                b'{"do": "show", "with": {"what": "nothing"}}\n',
                b'{"v": 1, "do": "hello", "with": {}}\n',
            )

    first, *bad, last = asyncio.run(main())
    assert first["ok"]
    assert last["ok"]
    assert first["result"]["kinds"] == {"Payout": 1}
    codes = [answer["error"]["code"] for answer in bad]
    assert codes == ["MALFORMED", "PROTOCOL", "MALFORMED", "MALFORMED", "MALFORMED", "DECLARATION", "NOT_FOUND"]


def test_the_socket_is_its_owners_and_goes_with_the_node(tmp_path) -> None:
    path = tmp_path / "s"

    async def main():
        async with served(path):
            return path.stat().st_mode

    mode = asyncio.run(main())
    assert stat.S_ISSOCK(mode)
    assert stat.S_IMODE(mode) == 0o600
    assert not path.exists()
    assert [left.name for left in tmp_path.iterdir() if left.name.startswith("s")] == []


def test_a_path_that_is_longer_than_a_socket_address(tmp_path) -> None:
    folder = tmp_path / ("long" * 30)
    folder.mkdir()
    path = folder / "journal.db.sock"

    async def main():
        async with served(path):
            return await asyncio.to_thread(ask, path)

    def ask(path):
        with Channel.open(path) as channel:
            return channel.ask("hello")["app"]

    assert asyncio.run(main()) == "payouts"


def test_what_is_no_socket_is_left_alone(tmp_path) -> None:
    path = tmp_path / "s"
    path.write_text("mine")
    with pytest.raises(LictorError, match="not a socket"):
        listen(path)
    assert path.read_text() == "mine"


def test_a_socket_that_was_taken_over_is_not_removed_by_the_one_before(tmp_path) -> None:
    path = tmp_path / "s"

    async def main():
        async with Node(load("payouts:app")) as node:
            first = Control(node, path)
            await first.start()
            async with Control(node, path):
                await first.stop()
                return path.exists()

    assert asyncio.run(main())


def test_nobody_listens_where_nothing_is_and_where_a_dead_process_was(tmp_path) -> None:
    assert Channel.open(tmp_path / "s") is None
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(tmp_path / "s"))
    left.close()
    assert Channel.open(tmp_path / "s") is None
    assert Channel.open(tmp_path / "no" / "folder") is None


def test_a_request_that_is_too_long_is_refused_and_the_node_goes_on(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(control, "REQUEST_BYTES_MAX", 1 << 16)

    async def main():
        async with served(tmp_path / "s"):
            (refused,) = await converse(tmp_path / "s", b"x" * (1 << 17))
            (fine,) = await converse(tmp_path / "s", b'{"do": "hello"}\n')
            return refused, fine

    refused, fine = asyncio.run(main())
    assert refused["error"]["code"] == "TOO_LARGE"
    assert fine["ok"]


def test_connections_are_bounded(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(control, "CONNECTIONS_MAX", 2)

    async def main():
        async with served(tmp_path / "s"):
            kept = [await asyncio.open_unix_connection(str(tmp_path / "s")) for _ in range(2)]
            for reader, writer in kept:
                writer.write(b'{"do": "hello"}\n')
                assert json.loads(await reader.readline())["ok"]
            reader, writer = await asyncio.open_unix_connection(str(tmp_path / "s"))
            refused = json.loads(await reader.readline())
            for _, open_one in [*kept, (reader, writer)]:
                open_one.close()
            return refused

    assert asyncio.run(main())["error"]["code"] == "BUSY"


def test_a_request_that_takes_too_long_is_given_up(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(control, "REQUEST_S", 0.02)

    async def main():
        async with served(tmp_path / "s") as node:

            async def never(*_args, **_options):
                await asyncio.Event().wait()

            node.submit = never
            ask = b'{"do": "submit", "with": {"kind": "Payout", "payload": {}}}\n'
            return await converse(tmp_path / "s", ask, b'{"do": "hello"}\n')

    late, fine = asyncio.run(main())
    assert late["error"]["code"] == "TIMEOUT"
    assert fine["ok"]


def test_a_defect_is_told_and_the_node_goes_on(tmp_path) -> None:
    async def main():
        async with served(tmp_path / "s") as node:

            def broken():
                raise ZeroDivisionError("oops")

            node.metrics = broken
            return await converse(tmp_path / "s", b'{"do": "metrics"}\n', b'{"do": "hello"}\n')

    bad, fine = asyncio.run(main())
    assert bad["error"]["code"] == "DEFECT"
    assert "ZeroDivisionError" in bad["error"]["message"]
    assert fine["ok"]


def test_a_client_that_leaves_while_it_waits_disturbs_nobody(tmp_path) -> None:
    async def main():
        async with served(tmp_path / "s") as node:
            _, writer = await asyncio.open_unix_connection(str(tmp_path / "s"))
            payload = {"account": "a-18", "amount": 600}
            asked = {"kind": "Payout", "payload": payload, "key": "k", "wait_s": 60}
            writer.write(json.dumps({"do": "submit", "with": asked}).encode() + b"\n")
            await writer.drain()
            writer.close()
            again = {**asked, "wait_s": None}
            (answer,) = await converse(tmp_path / "s", json.dumps({"do": "submit", "with": again}).encode() + b"\n")
            assert len(node.journal.state.open) == 1
            return answer

    answer = asyncio.run(main())
    assert answer["result"]["verdict"]["result"] == "held"


def test_a_node_that_goes_away_is_named(tmp_path) -> None:
    server = socket.socket(socket.AF_UNIX)
    server.bind(str(tmp_path / "s"))
    server.listen()
    channel = Channel.open(tmp_path / "s")
    accepted, _ = server.accept()
    accepted.close()
    with channel, pytest.raises(LictorError) as told:
        channel.ask("hello")
    assert told.value.code == "NODE_STOPPED"
    assert not isinstance(told.value, AskError)
    server.close()
