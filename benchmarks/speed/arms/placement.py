"""Where a commit runs: on the loop, in a thread, half and half, or in a process of its own. One class each.

`commit` takes the rows of one group and returns when they are durable. `delay_ms` is added to each commit, where the
sync would be, to stand for a slower disk.
"""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Protocol

import msgspec

from benchmarks.speed.arms.tables import History, Settled, State, Tables
from benchmarks.speed.run import Run


class Rows(msgspec.Struct, array_like=True):
    """What one group commits."""

    history: Sequence[History]
    state: Sequence[State]
    settled: Sequence[Settled]


class Placement(Protocol):
    """A way to run commits."""

    async def commit(self, rows: Rows) -> None: ...

    def cpu_s(self) -> float: ...

    def close(self) -> None: ...


class Inline:
    """On the event loop, which stands still for as long as it takes."""

    def __init__(self, path: Path, delay_ms: float) -> None:
        self._tables = Tables(path)
        self._delay_s = delay_ms / 1e3

    async def commit(self, rows: Rows) -> None:
        self.write(rows)
        self.sync()

    def write(self, rows: Rows) -> None:
        self._tables.write(rows.history, rows.state, rows.settled)

    def sync(self) -> None:
        if self._delay_s:
            time.sleep(self._delay_s)
        self._tables.commit()

    def cpu_s(self) -> float:
        return 0.0

    def close(self) -> None:
        self._tables.close()


class Thread(Inline):
    """Rows and sync in one other thread, which has to win the interpreter lock back after each statement."""

    def __init__(self, path: Path, delay_ms: float) -> None:
        super().__init__(path, delay_ms)
        self._pool = ThreadPoolExecutor(1)

    async def commit(self, rows: Rows) -> None:
        await asyncio.get_running_loop().run_in_executor(self._pool, self._both, rows)

    def _both(self, rows: Rows) -> None:
        self.write(rows)
        self.sync()

    def close(self) -> None:
        self._pool.shutdown()
        super().close()


class Split(Thread):
    """Rows on the loop, where the lock is held already; only the sync, which needs no lock, in a thread."""

    async def commit(self, rows: Rows) -> None:
        self.write(rows)
        await asyncio.get_running_loop().run_in_executor(self._pool, self.sync)


class Process:
    """In a writer process, over a socket pair: `length (4 bytes), msgpack` there, one byte back."""

    def __init__(self, path: Path, delay_ms: float) -> None:
        ours, theirs = socket.socketpair()
        self._writer = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.speed.arms.placement", str(theirs.fileno()), str(path), str(delay_ms)],
            pass_fds=[theirs.fileno()],
        )
        theirs.close()
        ours.setblocking(False)  # noqa: FBT003 - the standard library's own signature
        self._socket = ours
        self._encode = msgspec.msgpack.Encoder().encode

    async def commit(self, rows: Rows) -> None:
        loop = asyncio.get_running_loop()
        body = self._encode(rows)
        await loop.sock_sendall(self._socket, len(body).to_bytes(4, "big") + body)
        if await loop.sock_recv(self._socket, 1) != b"+":
            raise RuntimeError("the writer process is gone")

    def cpu_s(self) -> float:
        import psutil  # only this placement needs it

        used = psutil.Process(self._writer.pid).cpu_times()
        return float(used.user + used.system)

    def close(self) -> None:
        self._socket.close()
        self._writer.wait(10)


def place(run: Run, path: Path) -> Placement:
    """The placement that a run asks for, its switch interval set."""
    if run.switch_interval_s is not None:
        sys.setswitchinterval(run.switch_interval_s)
    made: dict[str, type[Inline | Process]] = {"inline": Inline, "thread": Thread, "split": Split, "process": Process}
    return made[run.commit](path, run.commit_delay_ms)


def _write_until_closed(pipe: socket.socket, path: Path, delay_ms: float) -> None:
    decode = msgspec.msgpack.Decoder(Rows).decode
    store = Inline(path, delay_ms)
    stream = pipe.makefile("rb")
    while length := stream.read(4):
        store.write(decode(stream.read(int.from_bytes(length, "big"))))
        store.sync()
        try:
            pipe.sendall(b"+")
        except BrokenPipeError:  # whoever waited for this has gone
            break
    store.close()


if __name__ == "__main__":
    _write_until_closed(socket.socket(fileno=int(sys.argv[1])), Path(sys.argv[2]), float(sys.argv[3]))
