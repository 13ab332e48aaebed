"""The world: a process of its own that does effects when asked over TCP and logs every arrival before all else.

One JSON line a request, one a reply. `do` performs an effect under a key; an `idempotent` one is performed once however
often it arrives, any other at each arrival, so that the log shows every double. `ask` says what became of a key. With
`silent` the effect is performed and the connection closed without a reply: the caller cannot know.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from pathlib import Path
from typing import Any


class World:
    """What has been done so far; the log is the truth and survives this process."""

    def __init__(self, log: Path) -> None:
        self.done: dict[str, int] = {}
        for line in log.read_text().splitlines() if log.exists() else ():
            self._note(json.loads(line))
        self._log = log.open("a", buffering=1)

    def _note(self, arrival: dict[str, Any]) -> None:
        key = arrival["key"]
        if not (arrival["idempotent"] and key in self.done):
            self.done[key] = self.done.get(key, 0) + 1

    def perform(self, request: dict[str, Any]) -> dict[str, Any]:
        """Log the arrival, then do it."""
        arrival = {name: request[name] for name in ("key", "body", "idempotent", "attempt", "fence")}
        self._log.write(json.dumps(arrival, sort_keys=True) + "\n")
        self._note(arrival)
        return {"done": True, "count": self.done[request["key"]]}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection."""
        try:
            while line := await reader.readline():
                request = json.loads(line)
                if request["what"] == "ask":
                    answer = {"done": self.done.get(request["key"], 0) > 0}
                else:
                    answer = self.perform(request)
                    if request.get("silent"):
                        break
                writer.write(json.dumps(answer).encode() + b"\n")
                await writer.drain()
        except (ConnectionError, json.JSONDecodeError):
            pass  # the caller was killed in the middle
        finally:
            writer.close()


async def main() -> None:
    """Serve until standard input closes, which is when whoever started this is gone."""
    parser = argparse.ArgumentParser()
    parser.add_argument("log", type=Path)
    options = parser.parse_args()
    server = await asyncio.start_server(World(options.log).serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    server.close()


if __name__ == "__main__":
    asyncio.run(main())
