"""A machine: a place whose work can vanish at once. One object is one incarnation, from boot to crash.

Whatever a machine's code schedules belongs to that machine, through tasks, timers and futures, because ownership
travels in the context. A crash drops all of it without running another line: no `finally`, no `except`, nothing is
cancelled. What was scheduled lies in its `remains` until the loop closes, because freeing a suspended coroutine would
run its `finally` blocks in the middle of the run.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable, Coroutine
from contextlib import AbstractContextManager, suppress
from typing import Any, Protocol, TypeVar

from lictor.testing.burial import bury

T = TypeVar("T")

#: Which machine the running code belongs to.
OWNER: contextvars.ContextVar[Machine] = contextvars.ContextVar("machine")


class Crashed(BaseException):
    """This machine is gone. An end and not an error: `except Exception` does not see it.

    Raised in the step in which the machine crashes, if it crashes in one of its own. Blocks on the way out still run,
    as in any exception, but the dead are mute: what they schedule, settle, cancel or spawn does not happen, and they
    never go on after an await. A part of the world that machines call directly keeps them out with `Machine.check`.
    """

    def __init__(self, machine: Machine) -> None:
        super().__init__(f"{machine.label} crashed")
        self.machine = machine


class Hosting(Protocol):
    """What a machine needs of its loop."""

    def create_future(self) -> asyncio.Future[Any]: ...

    def create_task(
        self, coro: Any, *, name: str | None = None, context: contextvars.Context | None = None
    ) -> asyncio.Task[Any]: ...

    def acting_as(self, machine: Machine) -> AbstractContextManager[None]:
        """Make the enclosed calls those of a machine."""
        ...

    def crash(self, machine: Machine) -> None:
        """Drop everything of a machine."""
        ...


class Machine:
    """One incarnation of a simulated host; made by `SimLoop.boot`."""

    def __init__(self, loop: Hosting, name: str, incarnation: int, ready: list[Any]) -> None:
        self.name = name
        self.incarnation = incarnation
        #: How traces name it.
        self.label = f"{name}.{incarnation}" if incarnation else name
        self.alive = True
        #: Where its ready handles go: the loop's ready list, a list of its own while paused, its remains once dead.
        self.inbox = ready
        self.remains: list[Any] = []
        #: Its unfinished tasks in order of creation; also what keeps them from being freed.
        self.tasks: dict[asyncio.Task[Any], None] = {}
        self._down: asyncio.Future[None] = loop.create_future()
        self._loop = loop
        self._context = contextvars.copy_context()
        self._context.run(OWNER.set, self)

    def spawn(self, coro: Coroutine[Any, Any, T], *, name: str | None = None) -> asyncio.Task[T]:
        """Start a task on this machine."""
        return self._loop.create_task(coro, name=name, context=self._context.copy())

    def call(self, function: Callable[..., T], *args: Any) -> T:
        """Call a function as this machine, now, in the caller's step. Raises Crashed if the machine is or goes down."""
        with self._loop.acting_as(self):
            return self._context.copy().run(function, *args)

    async def join(self, task: asyncio.Task[T]) -> T:
        """Wait from elsewhere for a task of this machine; raises Crashed if the machine goes down first."""
        if not task.done():
            await asyncio.wait((task, self._down), return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise Crashed(self)
        return task.result()

    async def crashed(self) -> None:
        """Wait from elsewhere until it has crashed."""
        await asyncio.wait((self._down,))  # a bare await would cancel the future with whoever waits

    def check(self) -> None:
        """Raise Crashed unless it is up: what a part of the world does first when a machine calls it."""
        if not self.alive:
            raise Crashed(self)

    def settle(self) -> None:
        """Tell who waits for it that it has crashed."""
        self._down.set_result(None)

    def crash(self) -> None:
        """Lose the machine here and now; raises Crashed if it is this machine that runs."""
        self._loop.crash(self)

    def close(self) -> None:
        """Close its unfinished coroutines, and run their `finally` blocks: the world ends, it does not crash."""
        for task in self.tasks:
            with suppress(Exception):  # one that tries to wait there is buried as it is
                task.get_coro().close()

    def bury(self) -> None:
        """Let go of everything that it still has, without running any of it."""
        for task in self.tasks:
            task._log_destroy_pending = False  # type: ignore[attr-defined]  # noqa: SLF001 - so does asyncio
        bury(task.get_coro() for task in self.tasks)
        bury(arg for handle in self.remains for arg in handle._args or ())  # noqa: SLF001 - nothing else shows them
        self.tasks.clear()
        self.remains.clear()

    def __repr__(self) -> str:
        return f"<Machine {self.label} {'up' if self.alive else 'down'}>"
