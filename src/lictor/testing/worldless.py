"""The part of an event loop that has nothing to do with time or order: what is fenced, what went wrong, and options.

Every method that would touch the real world raises `FenceError`. What reaches the exception handler is kept in
`unhandled`, so that a test can fail for it; asyncio would log it and go on.
"""

from __future__ import annotations

import asyncio
import sys
import weakref
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar, TypeVarTuple

from lictor.testing.fence import FenceError
from lictor.testing.handle import label
from lictor.testing.machine import Crashed, Machine

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


def _fenced(name: str) -> Any:
    def method(_self: object, *_args: Any, **_kwargs: Any) -> Any:
        raise FenceError(f"loop.{name}")

    return method


class WorldlessLoop(asyncio.AbstractEventLoop):
    """An event loop that can only compute."""

    add_reader = _fenced("add_reader")
    add_signal_handler = _fenced("add_signal_handler")
    add_writer = _fenced("add_writer")
    connect_accepted_socket = _fenced("connect_accepted_socket")
    connect_read_pipe = _fenced("connect_read_pipe")
    connect_write_pipe = _fenced("connect_write_pipe")
    create_connection = _fenced("create_connection")
    create_datagram_endpoint = _fenced("create_datagram_endpoint")
    create_server = _fenced("create_server")
    create_unix_connection = _fenced("create_unix_connection")
    create_unix_server = _fenced("create_unix_server")
    getaddrinfo = _fenced("getaddrinfo")
    getnameinfo = _fenced("getnameinfo")
    remove_reader = _fenced("remove_reader")
    remove_signal_handler = _fenced("remove_signal_handler")
    remove_writer = _fenced("remove_writer")
    sendfile = _fenced("sendfile")
    sock_accept = _fenced("sock_accept")
    sock_connect = _fenced("sock_connect")
    sock_recv = _fenced("sock_recv")
    sock_recv_into = _fenced("sock_recv_into")
    sock_recvfrom = _fenced("sock_recvfrom")
    sock_recvfrom_into = _fenced("sock_recvfrom_into")
    sock_sendall = _fenced("sock_sendall")
    sock_sendfile = _fenced("sock_sendfile")
    sock_sendto = _fenced("sock_sendto")
    start_tls = _fenced("start_tls")
    subprocess_exec = _fenced("subprocess_exec")
    subprocess_shell = _fenced("subprocess_shell")

    def __init__(self) -> None:
        #: What reached the exception handler while none was set.
        self.unhandled: list[dict[str, Any]] = []
        self._exception_handler: Callable[[Any, dict[str, Any]], object] | None = None
        self._task_factory: Any = None
        self._debug = False
        #: Set while code of a dead machine may still be running: nobody hears what it does on the loop.
        self.muted: Machine | None = None
        self._generators_seen = 0
        self._generators: weakref.WeakValueDictionary[int, AsyncGenerator[Any, Any]] = weakref.WeakValueDictionary()

    # Errors

    def get_exception_handler(self) -> Any:
        return self._exception_handler

    def set_exception_handler(self, handler: Any) -> None:
        self._exception_handler = handler

    def default_exception_handler(self, context: dict[str, Any]) -> None:
        self.unhandled.append(context)

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        if self.is_closed() or self.muted is not None or isinstance(context.get("exception"), Crashed):
            return
        if self._exception_handler is None:
            self.default_exception_handler(context)
        else:
            self._exception_handler(self, context)

    def raise_unhandled(self) -> None:
        """Raise what reached the exception handler, if anything did."""
        if self.unhandled:
            errors = [each.get("exception") or RuntimeError(each["message"]) for each in self.unhandled]
            raise BaseExceptionGroup("reached the exception handler", errors)

    # Options, and what is offloaded

    def get_debug(self) -> bool:
        return self._debug

    def set_debug(self, enabled: bool) -> None:  # noqa: FBT001 - asyncio's signature
        self._debug = enabled

    def get_task_factory(self) -> Any:
        return self._task_factory

    def set_task_factory(self, factory: Any) -> None:
        self._task_factory = factory

    def run_in_executor(self, _executor: Any, func: Callable[[*Ts], T], *args: *Ts) -> asyncio.Future[T]:
        """Run the function inline, at a step that the scheduler draws."""
        future = self.create_future()

        def offloaded() -> None:
            if future.cancelled():
                return
            try:
                result = func(*args)
            except (Crashed, KeyboardInterrupt, SystemExit):
                raise
            except BaseException as error:  # noqa: BLE001 - the future carries it, as from a pool
                future.set_exception(error)
            else:
                future.set_result(result)

        offloaded.__qualname__ = f"offload:{label(func)}"
        self.call_soon(offloaded)
        return future

    def set_default_executor(self, executor: Any) -> None:
        """Accepted and ignored: what is offloaded runs inline."""

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:  # noqa: ASYNC109 - likewise
        """Nothing to shut down."""

    # Asynchronous generators

    @contextmanager
    def _keeping_generators(self) -> Iterator[None]:
        """Note asynchronous generators as they start, and finish those that are dropped, as asyncio does."""
        hooks = sys.get_asyncgen_hooks()
        sys.set_asyncgen_hooks(firstiter=self._generator_started, finalizer=self._generator_dropped)
        try:
            yield
        finally:
            sys.set_asyncgen_hooks(*hooks)

    def _generator_started(self, generator: AsyncGenerator[Any, Any]) -> None:
        self._generators_seen += 1
        self._generators[self._generators_seen] = generator

    def _generator_dropped(self, generator: AsyncGenerator[Any, Any]) -> None:
        if not self.is_closed() and self.muted is None:
            self.call_soon(self.create_task, generator.aclose())

    async def shutdown_asyncgens(self) -> None:
        for generator in list(self._generators.values()):
            await generator.aclose()
