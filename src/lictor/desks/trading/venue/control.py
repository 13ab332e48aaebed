"""A way for tests and demonstrations to steer the venue: JSON objects, one a line, over TCP on this machine.

`{"do": "fault", "kind": "drop_acks", "count": 2, "after": 0}`, `{"do": "halt"}`, `{"do": "resume"}`,
`{"do": "book", "depth": 5}`, `{"do": "stats"}`, `{"do": "cut", "client": "DESK"}`, `{"do": "stop"}`.
Each is answered by one line, `{"ok": true, ...}` or `{"ok": false, "error": ...}`.
"""

from __future__ import annotations

import asyncio
import json
import resource
from typing import Any

from lictor.desks.trading.venue.floor import VenueFloor
from lictor.desks.trading.venue.gateway import HOST


class Control:
    """The control socket of one venue."""

    def __init__(self, floor: VenueFloor, stop: asyncio.Event) -> None:
        self._floor = floor
        self._stop = stop
        self._server: asyncio.Server | None = None
        self._open: dict[asyncio.Task[None] | None, asyncio.StreamWriter] = {}

    async def listen(self, port: int) -> int:
        """Bind to 127.0.0.1; 0 takes a free port. Returns the port."""
        self._server = await asyncio.start_server(self._connected, HOST, port)
        bound: int = self._server.sockets[0].getsockname()[1]
        return bound

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        self._open[task] = writer
        try:
            while line := await reader.readline():
                writer.write(json.dumps(self._answer(line)).encode() + b"\n")
                await writer.drain()
        except OSError:
            return
        finally:
            del self._open[task]
            writer.close()

    def _answer(self, line: bytes) -> dict[str, Any]:
        try:
            return {"ok": True, **self._do(json.loads(line))}
        except (KeyError, TypeError, ValueError) as error:
            return {"ok": False, "error": f"{type(error).__name__}: {error}"}

    def _do(self, command: dict[str, Any]) -> dict[str, Any]:
        floor = self._floor
        now_us = floor.advance()
        match command["do"]:
            case "fault":
                floor.faults.arm(command["kind"], int(command["count"]), int(command.get("after", 0)))
            case "halt" | "resume" as what:
                if not floor.closed.is_set():
                    floor.exchange.closed = "HALTED" if what == "halt" else ""
            case "book":
                snapshot = floor.snapshot(now_us, int(command.get("depth", 10)))
                return {"at_us": now_us, "bids": snapshot.bids, "asks": snapshot.asks}
            case "stats":
                used = resource.getrusage(resource.RUSAGE_SELF)
                cpu_s = round(used.ru_utime + used.ru_stime, 3)
                counts = {**floor.exchange.counts, "trades": floor.trades, "faults": dict(floor.faults.fired)}
                return {"at_us": now_us, "cpu_s": cpu_s, "rss_mib": used.ru_maxrss // 1024, **counts}
            case "cut":
                floor.gateway.ports[command["client"]].cut()
            case "stop":
                self._stop.set()
            case other:
                raise ValueError(f"unknown command {other!r}")
        return {}

    async def close(self) -> None:
        """Stop listening and end the connections."""
        if self._server is not None:
            self._server.close()
        for writer in self._open.values():
            writer.close()
        await asyncio.gather(*filter(None, self._open), return_exceptions=True)
