"""An event loop in a thread of its own, for callers that have none."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")


class ClosedError(Exception):
    """The loop takes no more work."""


class Background:
    """Runs coroutines on its loop for any number of threads."""

    def __init__(self, name: str) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name=name, daemon=True)
        self._lock = threading.Lock()
        self._open = False
        self._process = os.getpid()

    def start(self) -> None:
        """Start the thread."""
        self._open = True
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T], timeout_s: float | None = None) -> T:
        """Run it on the loop and wait for what it returns or raises.

        Raises:
            TimeoutError: it took longer; it is cancelled.
            ClosedError: the loop is closed, was never started, or stayed behind in the process that forked this one.
            RuntimeError: called on the loop's own thread, which would wait for itself.
        """
        future = self._submit(work)
        try:
            return future.result(timeout_s)
        except BaseException:
            future.cancel()
            raise

    def _submit(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        with self._lock:
            if threading.current_thread() is self._thread:
                work.close()
                raise RuntimeError("this thread runs the loop and cannot wait for it; use the async call here")
            if not self._open or self._process != os.getpid():
                work.close()
                raise ClosedError
            return asyncio.run_coroutine_threadsafe(work, self._loop)

    def close(self, last: Coroutine[Any, Any, None]) -> None:
        """Take no more, run `last`, cancel what still runs, and end the thread. What `last` raises is raised here."""
        with self._lock:
            if not self._open or self._process != os.getpid():
                last.close()
                return
            self._open = False
            ending = asyncio.run_coroutine_threadsafe(_end(last), self._loop)
        try:
            ending.result()
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()


async def _end(last: Coroutine[Any, Any, None]) -> None:
    try:
        await last
    finally:
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        await asyncio.get_running_loop().shutdown_asyncgens()
