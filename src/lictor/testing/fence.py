"""What a simulated run may not do: start a thread or a process, open a socket, handle a signal, really sleep.

All of that would let real time and the real scheduler in, and one seed would no longer be one run. It raises
`FenceError`, whether it is asked for through the loop, the standard library, or an extension that reports to
CPython's audit hooks.
"""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from lictor.errors import LictorError

#: Audit events of what is fenced (the audit events table in Python's documentation).
_EVENTS = frozenset(
    {
        "_thread.start_joinable_thread",
        "_thread.start_new_thread",
        "os.exec",
        "os.fork",
        "os.forkpty",
        "os.kill",
        "os.posix_spawn",
        "os.spawn",
        "os.system",
        "signal.pthread_kill",
        "socket.__new__",
        "socket.getaddrinfo",
        "subprocess.Popen",
        "time.sleep",
    }
)


class FenceError(LictorError):
    """A simulated run reached for the real world."""

    code = "FENCE"

    def __init__(self, what: str) -> None:
        super().__init__(
            f"{what} is real and this is a simulation", hint="go through runtime, or pass a simulated part"
        )


class _Fence:
    """The one thread that is inside a simulation, if any."""

    thread: int | None = None
    hooked = False

    def check(self, what: str) -> None:
        if self.thread is not None and self.thread == threading.get_ident():
            raise FenceError(what)

    def audit(self, event: str, _args: tuple[object, ...]) -> None:
        if event in _EVENTS:
            self.check(event)

    def guard(self, real: Callable[..., Any], what: str) -> Any:
        def guarded(*args: Any, **kwargs: Any) -> Any:
            self.check(what)
            return real(*args, **kwargs)

        return guarded


_FENCE = _Fence()


@contextmanager
def fence() -> Iterator[None]:
    """Fence the calling thread while the block runs. Other threads are left alone."""
    if _FENCE.thread is not None:
        raise RuntimeError("another simulation is running in this process")
    if not _FENCE.hooked:
        sys.addaudithook(_FENCE.audit)  # can never be removed; outside a run it compares two numbers
        _FENCE.hooked = True
    # CPython 3.11 reports none of these three.
    start, handle, sleep = threading.Thread.start, signal.signal, time.sleep
    threading.Thread.start = _FENCE.guard(start, "threading.Thread.start")  # type: ignore[method-assign]
    signal.signal = _FENCE.guard(handle, "signal.signal")
    time.sleep = _FENCE.guard(sleep, "time.sleep")
    _FENCE.thread = threading.get_ident()
    try:
        yield
    finally:
        _FENCE.thread = None
        threading.Thread.start, signal.signal, time.sleep = start, handle, sleep  # type: ignore[method-assign]
