"""The only place where a thread starts. A lane runs blocking calls one after another: in its own thread, or inline.

Inline is what a simulation uses (at a seeded step) and what the embedded journal uses by default: docs/adr/0004 has
the measurement.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol, TypeVar

T = TypeVar("T")


def _returned(call: Callable[[], T]) -> T:
    """The call's result. No future can carry a `StopIteration`: who waits for it would wait for ever."""
    try:
        return call()
    except StopIteration as error:
        raise RuntimeError("StopIteration") from error


class Lane(Protocol):
    """Runs blocking calls."""

    async def run(self, call: Callable[[], T]) -> T:
        """The call's result, or what it raised."""
        ...

    def close(self) -> None:
        """Wait for what runs and take no more."""
        ...


class InlineLane:
    """Runs the call at once, on the loop."""

    __slots__ = ()

    async def run(self, call: Callable[[], T]) -> T:
        return call()

    def close(self) -> None:
        """Nothing to wait for."""


class ThreadLane:
    """Runs calls in `slots` threads of its own."""

    __slots__ = ("_pool",)

    def __init__(self, name: str, slots: int = 1) -> None:
        self._pool = ThreadPoolExecutor(slots, thread_name_prefix=f"lictor-{name}")

    async def run(self, call: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._pool, _returned, call)

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)


#: Makes a lane by name and number of slots; a simulation passes one that is inline.
Lanes = Callable[[str, int], Lane]


def threads(name: str, slots: int) -> Lane:
    """Real threads, for sync effectors and blocking loaders."""
    return ThreadLane(name, slots)


def inline(_name: str, _slots: int) -> Lane:
    """No threads, for simulation."""
    return InlineLane()
