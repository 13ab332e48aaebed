"""Worker processes: one for each slot, each runs one call at a time and can be killed in the midst of it.

Started anew (`sys.executable`), not forked, so that no lock and no connection of the node is inherited. A worker that
dies is started again, after a wait that doubles while it keeps dying. Nothing but bytes goes in and out.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress

from .worker import READY

#: Seconds until a worker that died is started again: the first, and the longest.
RESTART_S, RESTART_S_MAX = 0.1, 5.0
_LENGTH = 4


class WorkerDied(Exception):
    """A worker ended in the midst of a call: what it has done nobody knows."""


class WorkerNotStarted(Exception):
    """No worker could be started: the call has certainly not begun."""


class Processes:
    """The workers of one effector. `serves` is `module:maker` and its argument, as `lictor.runtime.worker` says."""

    def __init__(self, slots: int, serves: str, argument: str) -> None:
        self._workers = [_Worker(f"{serves}\n{argument}".encode()) for _ in range(slots)]
        self._free = list(self._workers)
        self._waiting: list[asyncio.Future[_Worker]] = []

    def start(self) -> None:
        """Begin to start the workers, without waiting for them."""
        for worker in self._workers:
            worker.prepare()

    async def run(self, request: Callable[[], bytes]) -> bytes:
        """The answer to a request, which is made when a worker is ready for it; what making it raises is raised.

        Cancelling kills the worker, and does not return before it is dead.

        Raises:
            WorkerNotStarted: nothing has begun.
            WorkerDied: nobody knows.
        """
        worker = await self._take()
        try:
            return await worker.ask(request)
        finally:
            self._give_back(worker)

    async def _take(self) -> _Worker:
        if self._free:
            return self._free.pop()
        waits: asyncio.Future[_Worker] = asyncio.get_running_loop().create_future()
        self._waiting.append(waits)
        try:
            return await waits
        except asyncio.CancelledError:
            if waits.done() and not waits.cancelled():
                self._give_back(waits.result())
            raise

    def _give_back(self, worker: _Worker) -> None:
        while self._waiting:
            waits = self._waiting.pop(0)
            if not waits.done():
                waits.set_result(worker)
                return
        self._free.append(worker)

    @property
    def pids(self) -> list[int]:
        """The processes that are alive."""
        return [worker.process.pid for worker in self._workers if worker.process is not None]

    async def stop(self) -> None:
        """Kill them all and wait until they are gone."""
        await asyncio.gather(*(worker.stop() for worker in self._workers))


class _Worker:
    """One process, and the next one when it has died."""

    def __init__(self, serves: bytes) -> None:
        self._serves = serves
        self._starting: asyncio.Task[None] | None = None
        self._deaths = 0
        self._stopped = False
        self.process: asyncio.subprocess.Process | None = None

    def prepare(self) -> asyncio.Task[None]:
        """Let it start, if it is not about to."""
        if self._starting is None:
            self._starting = asyncio.get_running_loop().create_task(self._start())
            self._starting.add_done_callback(lambda task: task.cancelled() or task.exception())
        return self._starting

    async def _start(self) -> None:
        if self._deaths:
            await asyncio.sleep(min(RESTART_S_MAX, RESTART_S * 2.0 ** min(self._deaths - 1, 10)))
        code = f"import sys; sys.path[:] = {sys.path!r}; from lictor.runtime.worker import main; main()"
        pipe = asyncio.subprocess.PIPE
        try:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable, "-c", code, stdin=pipe, stdout=pipe, start_new_session=True
            )
            self._write(self._serves)
            said = await self._read()
        except (OSError, asyncio.IncompleteReadError) as error:
            await self._end()
            raise WorkerNotStarted(f"{type(error).__name__}: {error}") from error
        if said != READY:
            await self._end()
            raise WorkerNotStarted(said[1:].decode(errors="replace"))

    async def ask(self, request: Callable[[], bytes]) -> bytes:
        """As `Processes.run` says."""
        try:
            await asyncio.shield(self.prepare())
        except WorkerNotStarted:
            self._starting = None
            raise
        data = request()
        try:
            self._write(data)
            said = await self._read()
        except (OSError, asyncio.IncompleteReadError) as error:
            code = await self._end()
            self._again()
            raise WorkerDied(f"the worker process ended with {code} in the midst of the call") from error
        except BaseException:
            await asyncio.shield(self._end())
            self._again()
            raise
        self._deaths = 0
        return said

    def _again(self) -> None:
        self._starting = None
        if not self._stopped:
            self.prepare()

    def _write(self, data: bytes) -> None:
        if self.process is None or self.process.stdin is None:
            raise BrokenPipeError
        self.process.stdin.write(len(data).to_bytes(_LENGTH, "big") + data)

    async def _read(self) -> bytes:
        if self.process is None or self.process.stdout is None:
            raise BrokenPipeError
        length = await self.process.stdout.readexactly(_LENGTH)
        return await self.process.stdout.readexactly(int.from_bytes(length, "big"))

    async def _end(self) -> int | None:
        """Kill it, and what it has started, and wait until it is gone; its exit code."""
        process, self.process = self.process, None
        self._deaths += 1
        if process is None:
            return None
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        if process.stdin is not None:
            process.stdin.close()
        return await process.wait()

    async def stop(self) -> None:
        """For good."""
        self._stopped = True
        if self._starting is not None:
            self._starting.cancel()
            with suppress(asyncio.CancelledError, WorkerNotStarted):
                await self._starting
        await self._end()
