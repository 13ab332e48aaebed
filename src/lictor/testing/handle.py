"""What a simulated loop schedules: callbacks, tasks and futures that know their place in the order of creation."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from typing import Any, cast

from lictor.testing.machine import Machine


class SimHandle(asyncio.TimerHandle):
    """One callback, ready or timed, with its machine and its number in the order of scheduling."""

    __slots__ = ("machine", "seq")

    _callback: Callable[..., object] | None
    _context: contextvars.Context
    _scheduled: bool

    def __init__(
        self,
        when: float,
        callback: Callable[..., object],
        args: tuple[Any, ...],
        loop: asyncio.AbstractEventLoop,
        context: contextvars.Context,
        machine: Machine,
        seq: int,
    ) -> None:
        # Not by way of asyncio's two constructors, which take longer than the step itself.
        self._callback = callback
        self._args = args
        self._loop = loop
        self._context = context
        self._cancelled = self._scheduled = False
        self._repr = self._source_traceback = None
        self._when = when
        self.machine = machine
        self.seq = seq


class _Numbered:
    """Hashes by a number of its own: sets of these, and asyncio keeps some, iterate alike in every process."""

    _number: int

    def __hash__(self) -> int:
        try:
            return self._number
        except AttributeError:
            self._number = number = self.get_loop().number()  # type: ignore[attr-defined]
            return cast("int", number)


class SimFuture(_Numbered, asyncio.Future[Any]):
    """A future of a SimLoop. The dead cannot settle it."""

    def set_result(self, result: Any) -> None:
        if self.get_loop().muted is None:  # type: ignore[attr-defined]
            _set_result(self, result)

    def set_exception(self, exception: Any) -> None:
        if self.get_loop().muted is None:  # type: ignore[attr-defined]
            _set_exception(self, exception)

    def cancel(self, msg: Any = None) -> bool:
        return self.get_loop().muted is None and _cancel(self, msg)  # type: ignore[attr-defined]


# Named here because `super()` takes longer than what it finds.
_set_result = asyncio.Future.set_result
_set_exception = asyncio.Future.set_exception
_cancel = asyncio.Future.cancel


class SimTask(_Numbered, asyncio.Task[Any]):
    """A task of a SimLoop. The dead cannot cancel it."""

    def cancel(self, msg: Any = None) -> bool:
        return self.get_loop().muted is None and super().cancel(msg)  # type: ignore[attr-defined]


def label(work: object) -> str:
    """The qualified name of a coroutine, task, callback or partial: never a `repr`, which has an address."""
    work = getattr(work, "func", work)
    owner = getattr(work, "__self__", None)
    if isinstance(owner, asyncio.Task):
        work = owner.get_coro()
    name = getattr(work, "__qualname__", None)
    return name if isinstance(name, str) else type(work).__qualname__


def place(coro: Any) -> str:
    """Where a suspended coroutine waits: the innermost line of Python that it awaits at."""
    frame = None
    while coro is not None:
        frame = _first(coro, "cr_frame", "gi_frame", "ag_frame") or frame
        coro = _first(coro, "cr_await", "gi_yieldfrom", "ag_await")
    if frame is None:
        return "its start"
    code = frame.f_code
    return f"{code.co_filename.rpartition('/')[2]}:{frame.f_lineno} in {code.co_qualname}"


def _first(thing: object, *names: str) -> Any:
    return next((value for name in names if (value := getattr(thing, name, None)) is not None), None)
