"""Buried coroutines are freed without running; the same ones, freed as Python frees them, do run."""

import asyncio
import contextlib
import gc
import weakref

import pytest

from lictor.testing.burial import bury


class Pause:
    def __await__(self):
        yield


class Marker:
    """To see that a frame was freed and not kept."""


class Blocks:
    """Everything that can have a `finally`, each logging its own."""

    def __init__(self, log):
        self.log = log

    @contextlib.contextmanager
    def plain(self):
        try:
            yield
        finally:
            self.log.append("context manager")

    @contextlib.asynccontextmanager
    async def asynchronous(self):
        try:
            yield
        finally:
            self.log.append("asynchronous context manager")

    def numbers(self):
        try:
            yield 1
        finally:
            self.log.append("generator")

    async def stream(self):
        try:
            yield 1
            await Pause()
        finally:
            self.log.append("asynchronous generator")

    async def inner(self):
        try:
            with self.plain():
                async with self.asynchronous(), contextlib.AsyncExitStack():
                    async for _ in self.stream():
                        pass
        finally:
            self.log.append("inner")

    async def outer(self, marker):
        generator = self.numbers()
        next(generator)
        unstarted, listed = asyncio.sleep(0), [asyncio.sleep(0)]
        try:
            await self.inner()
        finally:
            self.log.append("outer")
            for each in (unstarted, *listed):
                each.close()
            marker.used = True


def started(log):
    """A coroutine that is suspended below all of them, and a reference that tells when it has been freed."""
    marker = Marker()
    coro = Blocks(log).outer(marker)
    coro.send(None)
    return coro, weakref.ref(marker)


def test_what_is_buried_is_freed_and_never_runs():
    log = []
    coro, marker = started(log)
    bury([coro])
    del coro
    gc.collect()
    assert marker() is None
    assert log == []


def test_what_is_not_buried_runs_when_it_is_freed():
    log = []
    coro, marker = started(log)
    del coro
    gc.collect()
    assert marker() is None
    assert {"outer", "inner", "context manager", "generator"} <= set(log)


def test_a_coroutine_in_a_cycle_is_freed_too():
    log = []
    coro, marker = started(log)
    loop = [coro]
    loop.append(loop)
    bury([coro])
    del coro, loop
    gc.collect()
    assert marker() is None
    assert log == []


def test_what_is_buried_unstarted_gives_no_warning(recwarn):
    coro = asyncio.sleep(0)
    bury([coro])
    del coro
    gc.collect()
    assert list(recwarn) == []


def test_and_unburied_it_gives_one():
    with pytest.warns(RuntimeWarning, match="never awaited"):
        asyncio.sleep(0)
