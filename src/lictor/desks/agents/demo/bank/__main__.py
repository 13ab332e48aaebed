"""`python -m lictor.desks.agents.demo.bank --ledger FILE`: HTTP on a free port of loopback.

POST /payments books a payment and GET /payments?key=K says what was booked under a key. The key is kept and compared
with nothing: a payment that comes twice is paid twice. Each booking is a line of the ledger, on disk before it is
answered, and a line on standard output. It never answers the first payment to `--silent-for`, though it books it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

HEAD_BYTES_MAX = 16_384


class Bank:
    """Books payments."""

    def __init__(self, ledger: Path, silent_for: str) -> None:
        self.booked: list[dict[str, Any]] = []
        self._ledger = ledger
        self._silent_for = silent_for

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, one request."""
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            method, target, _ = head[0].split(" ")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
            body = await reader.readexactly(int(headers.get("content-length", 0)))
            answer = self._book(headers, body) if method == "POST" else self._find(target)
            if answer is None:  # booked, and nobody is told
                await reader.read()
                return
            text = json.dumps(answer).encode()
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n")
            writer.write(b"content-length: %d\r\n\r\n" % len(text) + text)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError, ValueError):
            pass
        finally:
            writer.close()

    def _book(self, headers: dict[str, str], body: bytes) -> dict[str, Any] | None:
        wanted = json.loads(body)
        booking = {"receipt": f"receipt {len(self.booked) + 1}", "key": headers["idempotency-key"], **wanted}
        self.booked.append(booking)
        with self._ledger.open("a") as ledger:
            ledger.write(json.dumps(booking) + "\n")
            ledger.flush()
            os.fsync(ledger.fileno())
        say(booking)
        if wanted["to"] == self._silent_for:
            self._silent_for = ""
            return None
        return booking

    def _find(self, target: str) -> dict[str, Any]:
        (key,) = parse_qs(urlsplit(target).query)["key"]
        return {"booked": [booking for booking in self.booked if booking["key"] == key]}


def say(what: dict[str, Any]) -> None:
    """A line for whoever started us."""
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


async def main(ledger: Path, silent_for: str) -> None:
    """Serve until standard input ends, which is when whoever started us has gone."""
    bank = Bank(ledger, silent_for)
    server = await asyncio.start_server(bank.serve, "127.0.0.1", 0, limit=HEAD_BYTES_MAX)
    say({"port": server.sockets[0].getsockname()[1]})
    gone = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(gone), sys.stdin)
    async with server:
        await gone.read()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="bank")
    parser.add_argument("--ledger", type=Path, required=True)
    parser.add_argument("--silent-for", default="")
    given = parser.parse_args()
    asyncio.run(main(given.ledger, given.silent_for))
