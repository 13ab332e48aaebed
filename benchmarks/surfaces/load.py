"""The load generator, a process of its own: HTTP/1.1 over raw asyncio protocols, a closed loop on each connection.

python -m benchmarks.surfaces.load single PORT TOKEN CONNECTIONS SECONDS      one decision a request
python -m benchmarks.surfaces.load ndjson PORT TOKEN CONNECTIONS SECONDS      many, one a line
python -m benchmarks.surfaces.load viewers PORT TOKEN CONNECTIONS SECONDS     server-sent events, read and counted
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from itertools import count

import uvloop

from benchmarks.scale.fill import body
from benchmarks.speed.run import percentile

#: Lines of one NDJSON request.
LINES = 1_000
WARM_UP_S = 1.0


class Tally:
    """What was answered, and how long it took."""

    def __init__(self, token: str, seconds: float) -> None:
        now_s = time.perf_counter()
        self.head = f"host: 127.0.0.1\r\nauthorization: Bearer {token}\r\n"
        self.numbers, self.run = count(), os.urandom(6).hex()
        self.from_s, self.until_s = now_s + WARM_UP_S, now_s + WARM_UP_S + seconds
        self.done = self.all = 0
        self.wrong: dict[str, int] = {}
        self.latencies_s: list[float] = []
        self.ended = asyncio.Event()
        self.connected = 0

    def answered(self, good: int, began_s: float) -> bool:
        """So many answers came; whether to go on."""
        now_s = time.perf_counter()
        self.all += good
        if self.from_s <= now_s < self.until_s:
            self.done += good
            self.latencies_s.append(now_s - began_s)
        if now_s >= self.until_s:
            self.ended.set()
            return False
        return True

    def failed(self, why: str) -> None:
        self.wrong[why] = self.wrong.get(why, 0) + 1


class Single(asyncio.Protocol):
    """One connection: a request, its whole answer, the next request."""

    def __init__(self, tally: Tally) -> None:
        self.tally = tally
        self.buffer = b""
        self.began_s = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.tally.connected += 1
        self.ask()

    def ask(self) -> None:
        number = next(self.tally.numbers)
        payload = b'{"kind":"Payout","payload":' + body(number) + b"}"
        head = (
            f"POST /v1/decisions HTTP/1.1\r\n{self.tally.head}content-type: application/json\r\n"
            f"idempotency-key: {self.tally.run}-{number}\r\ncontent-length: {len(payload)}\r\n\r\n"
        )
        self.began_s = time.perf_counter()
        self.transport.write(head.encode() + payload)

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, found, rest = self.buffer.partition(b"\r\n\r\n")
        if not found:
            return
        length = _length(head)
        if len(rest) < length:
            return
        self.buffer = rest[length:]
        status = head[9:12]
        if status != b"202":
            self.tally.failed(status.decode())
        if self.tally.answered(int(status == b"202"), self.began_s):
            self.ask()
        else:
            self.transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.tally.ended.is_set():
            self.tally.failed("closed")


class Lines(Single):
    """One connection: a request of many lines, sent as fast as they are taken, answers counted line by line."""

    def ask(self) -> None:
        numbers = [next(self.tally.numbers) for _ in range(LINES)]
        lines = b"".join(
            b'{"kind":"Payout","key":"%s-%d","payload":%s}\n' % (self.tally.run.encode(), n, body(n)) for n in numbers
        )
        head = (
            f"POST /v1/decisions HTTP/1.1\r\n{self.tally.head}content-type: application/x-ndjson\r\n"
            f"content-length: {len(lines)}\r\n\r\n"
        )
        self.seen = 0
        self.began_s = time.perf_counter()
        self.transport.write(head.encode() + lines)

    def data_received(self, data: bytes) -> None:
        good = data.count(b'"result":"admitted"')
        self.seen += good
        going = self.tally.answered(good, self.began_s)
        if data.endswith(b"0\r\n\r\n"):
            if self.seen < LINES * 0.99:  # a marker may be cut in two by the edge of a packet
                self.tally.failed("answers missing")
            if going:
                self.ask()
            else:
                self.transport.close()


class Viewer(Single):
    """One browser that follows what changes."""

    def ask(self) -> None:
        self.transport.write(f"GET /v1/events HTTP/1.1\r\n{self.tally.head}accept: text/event-stream\r\n\r\n".encode())

    def data_received(self, data: bytes) -> None:
        if data.startswith(b"HTTP/1.1 ") and data[9:12] != b"200":
            self.tally.failed(data[9:12].decode())
        self.tally.answered(data.count(b"\ndata:") + data.startswith(b"data:"), self.tally.from_s)


def _length(head: bytes) -> int:
    lowered = head.lower()
    at = lowered.find(b"content-length:")
    return int(lowered[at + 15 :].split(b"\r\n", 1)[0]) if at >= 0 else 0


async def load(what: str, port: int, token: str, connections: int, seconds: float) -> dict[str, object]:
    """Drive it; what came of it."""
    kind = {"single": Single, "ndjson": Lines, "viewers": Viewer}[what]
    tally = Tally(token, seconds)
    loop = asyncio.get_running_loop()
    for _ in range(connections):
        await loop.create_connection(lambda: kind(tally), "127.0.0.1", port)
    if what == "viewers":
        print("connected", flush=True)
    await asyncio.sleep(WARM_UP_S + seconds + 0.2)
    tally.ended.set()
    latencies_s = sorted(tally.latencies_s)
    return {
        "done": tally.done,
        "all": tally.all,
        "per_second": tally.done / seconds,
        "p50_ms": 1e3 * percentile(latencies_s, 0.5) if latencies_s else None,
        "p99_ms": 1e3 * percentile(latencies_s, 0.99) if latencies_s else None,
        "connections": tally.connected,
        "wrong": tally.wrong,
    }


if __name__ == "__main__":
    _, what, port, token, connections, seconds = sys.argv
    print(json.dumps(uvloop.run(load(what, int(port), token, int(connections), float(seconds)))), flush=True)
