"""Many decisions in one request: one a line in, one answer a line out, in the same order, while lines still come.

Only so many lines are under way at once. Who does not read its answers, or sends faster than the node decides, is read
from more slowly: the window is full, nothing more is taken off the connection, and TCP tells the sender.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any

import msgspec

from lictor.entry import Handle
from lictor.errors import LictorError

from . import submitting
from .answers import Receive, Response, Scope, Send, encode
from .decoding import decode
from .problem import HttpError, told_as
from .reading import lines_of
from .route import BODY_BYTES_MAX, Asked

NDJSON = "application/x-ndjson"
#: Lines whose answers have not been sent, at most.
AHEAD_MAX = 2_000
#: Answers are sent when they come to so many bytes, or when the next one is not there yet.
CHUNK_BYTES = 64 << 10

_decoder = msgspec.json.Decoder(submitting.Submit)
#: What was submitted, or what is wrong with the line.
Given = asyncio.Future[Handle] | LictorError


async def many(asked: Asked) -> Response:
    """The answer to a stream of decisions."""
    return Stream(asked)


class Stream:
    """One request of many lines."""

    def __init__(self, asked: Asked) -> None:
        self._asked = asked
        self._window: deque[tuple[int, Given]] = deque()
        self._room = asyncio.Event()
        self._news = asyncio.Event()
        self._ended = False

    async def __call__(self, _scope: Scope, receive: Receive, send: Send) -> None:
        """Read and answer, side by side."""
        headers = [(b"content-type", NDJSON.encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        reading = asyncio.create_task(self._read(receive))
        try:
            await self._write(send)
            await send({"type": "http.response.body", "body": b""})
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)

    async def _read(self, receive: Receive) -> None:
        """Submit line by line, never more than the window holds."""
        number = 0
        try:
            async for lines in lines_of(receive, BODY_BYTES_MAX):
                self._still()
                for line in lines:
                    number += 1
                    if line and not line.isspace():
                        while len(self._window) >= AHEAD_MAX:
                            self._room.clear()
                            self._news.set()
                            await self._room.wait()
                        self._window.append((number, await self._submit(line)))
                self._news.set()
        except LictorError as error:
            self._window.append((number + 1, error))
        except Exception as error:  # noqa: BLE001 - whoever reads the answers is told, and the node goes on
            self._asked.site.defect(self._asked.scope, error)
            self._window.append((number + 1, HttpError(500, "DEFECT", "a defect of the node; its log says more")))
        finally:
            self._ended = True
            self._news.set()

    def _still(self) -> None:
        """The key may have been revoked while lines came."""
        if not self._asked.site.door.still(self._asked.principal):
            raise HttpError(401, "UNAUTHENTICATED", "the key has been revoked, or has ended")

    async def _submit(self, line: bytes) -> Given:
        try:
            sent = decode(_decoder, line, "the line is no decision")
            signal = submitting.plain_signal(self._asked.principal, sent, sent.key)
            if sent.parent is not None or sent.supersedes is not None:
                signal = await submitting.related(self._asked, sent, signal)
            return self._asked.node.offer(signal)
        except LictorError as error:
            return error

    async def _write(self, send: Send) -> None:
        """Answer in order, as much at a time as is there."""
        told = bytearray()
        window = self._window
        while window or not self._ended:
            if not window:
                await self._flush(send, told)
                self._news.clear()
                if not window and not self._ended:
                    await self._news.wait()
                continue
            number, given = window[0]
            if isinstance(given, asyncio.Future) and not given.done():
                await self._flush(send, told)
            told += await self._line(number, given)
            window.popleft()
            if not self._room.is_set() and len(window) <= AHEAD_MAX // 2:
                self._room.set()
            if len(told) >= CHUNK_BYTES:
                await self._flush(send, told)
        await self._flush(send, told)

    async def _flush(self, send: Send, told: bytearray) -> None:
        if told:
            await send({"type": "http.response.body", "body": bytes(told), "more_body": True})
            told.clear()

    async def _line(self, number: int, given: Given) -> bytes:
        answered: dict[str, Any] = {"line": number}
        try:
            if isinstance(given, LictorError):
                raise given
            handle = given.result() if given.done() else await given
            answered.update(await self._asked.requests.submitted(handle))
        except LictorError as error:
            answered["error"] = told_as(error)
        return encode(answered) + b"\n"
