"""Submit what an async iterator gives, a bounded number ahead, and give the verdicts back in its order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Callable
from typing import TypeVar

from lictor.entry import Handle

V = TypeVar("V")
Waiting = tuple[V, asyncio.Future[Handle]]


async def in_order(
    values: AsyncIterable[V],
    offer: Callable[[V], asyncio.Future[Handle]],
    ahead_max: int,
    on_stop: set[Callable[[Exception], None]],
) -> AsyncGenerator[tuple[V, Handle], None]:
    """Each value with its handle, as soon as its verdict and all before it are there.

    At most `ahead_max` values are submitted and not yet taken from here; until then the source is not asked for more
    (back-pressure). What the source raises comes after the verdicts of what it gave. Closing this iterator stops
    reading; what was submitted is decided all the same. A source may be silent for long, so the end of the node is
    heard through `on_stop`.

    Raises:
        NodeStoppedError: the node stopped before it had decided.
    """
    room = asyncio.Semaphore(ahead_max)
    waiting: asyncio.Queue[Waiting[V] | Exception | None] = asyncio.Queue()

    async def read() -> None:
        source = aiter(values)
        try:
            async for value in source:
                await room.acquire()
                waiting.put_nowait((value, offer(value)))
        finally:
            if isinstance(source, AsyncGenerator):
                await source.aclose()

    reader = asyncio.get_running_loop().create_task(read())
    reader.add_done_callback(lambda _: waiting.put_nowait(None))
    on_stop.add(waiting.put_nowait)
    try:
        while (first := await waiting.get()) is not None:
            if isinstance(first, Exception):
                raise first
            value, future = first
            yield value, await future
            room.release()
        await reader
    finally:
        on_stop.discard(waiting.put_nowait)
        reader.cancel()
        await asyncio.gather(reader, return_exceptions=True)
        while not waiting.empty():
            left = waiting.get_nowait()
            if isinstance(left, tuple):
                left[1].cancel()
