"""Run a coroutine function in simulation, as `asyncio.run` does on a real loop."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from lictor.testing.loop import SimLoop
from lictor.testing.trace import Trace

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Run(Generic[T]):
    """What one simulated run gave and did."""

    value: T
    #: SHA-256 of the trace: two runs with the same digest took the same steps at the same times.
    digest: str
    steps: int
    time_s: float
    trace: Trace


def run(seed: int, main: Callable[[SimLoop], Coroutine[Any, Any, T]], **options: Any) -> Run[T]:
    """Make a loop from the seed and `SimLoop`'s options, run `main(loop)` to its end, cancel what it left, close.

    Raises what main raises, `DeadlockError` or `LivelockError` if it cannot end, each with a note that says how to
    replay it; and an exception group of what reached the exception handler, which on a real loop would only be logged.
    """
    loop = SimLoop(seed, **options)
    try:
        with _uncollected():
            value = loop.run_until_complete(main(loop))
            _cancel_leftovers(loop)
            loop.run_until_complete(loop.shutdown_asyncgens())
            digest = loop.trace.digest()
            loop.raise_unhandled()
            return Run(value, digest, loop.steps, loop.time(), loop.trace)
    except BaseException as error:
        drawn = "".join(f", {name}={value!r}" for name, value in options.items())
        error.add_note(f"replay: run({seed}, main{drawn}); step {loop.steps}, {loop.time():.6f} s")
        raise
    finally:
        loop.close()


def _cancel_leftovers(loop: SimLoop) -> None:
    """Cancel the world's tasks, oldest first, and let them end. Machines are not asked: they stop with the run."""
    leftovers = list(loop.world.tasks)
    for task in leftovers:
        task.cancel()
    if leftovers:
        loop.run_until_complete(asyncio.gather(*leftovers, return_exceptions=True))


@contextmanager
def _uncollected() -> Iterator[None]:
    """No garbage collection during a run: it costs time, and would call finalizers at moments of its own.

    Between runs it works as ever. A campaign calls `gc.freeze()` once after its imports, which takes them out of it.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
