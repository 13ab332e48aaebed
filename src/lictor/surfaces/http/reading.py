"""Reads the body of a request, bounded in size and in time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from .answers import Receive
from .headers import Headers
from .problem import HttpError

#: A body that is not there after so long is given up.
BODY_S = 30.0


async def read_body(headers: Headers, receive: Receive, bytes_max: int) -> bytes:
    """The whole body.

    Raises:
        HttpError: 413, it is larger; 408, it is too slow; 400, its sender has gone.
    """
    told = headers.raw.get(b"content-length")
    if told is not None and int(told) > bytes_max:
        raise too_large(bytes_max)
    message = await receive()  # the server gives up who sends nothing at all
    if message["type"] == "http.request" and not message.get("more_body"):
        body: bytes = message["body"]
        if len(body) > bytes_max:
            raise too_large(bytes_max)
        return body
    parts = bytearray()
    try:
        async with asyncio.timeout(BODY_S):
            while True:
                if message["type"] != "http.request":
                    raise HttpError(400, "GONE", "the connection was closed before the body had come")
                parts += message.get("body", b"")
                if len(parts) > bytes_max:
                    raise too_large(bytes_max)
                if not message.get("more_body"):
                    return bytes(parts)
                message = await receive()
    except TimeoutError:
        raise HttpError(408, "TIMEOUT", f"the body had not come within {BODY_S:g} s") from None


def too_large(bytes_max: int) -> HttpError:
    """413."""
    return HttpError(413, "TOO_LARGE", f"the body is larger than {bytes_max} bytes")


async def lines_of(receive: Receive, bytes_max: int) -> AsyncIterator[list[bytes]]:
    """The lines of a body as they come, those of one chunk together; the last may end without a line feed.

    Raises:
        HttpError: 413, one is larger than that.
    """
    rest = bytearray()  # grown in place: a line that comes byte by byte costs its length, not the square of it
    while True:
        message = await receive()
        if message["type"] != "http.request":
            return  # whoever sent it has gone, and reads no answer
        first, *more = message.get("body", b"").split(b"\n")
        rest += first
        lines = [bytes(rest), *more[:-1]] if more else []
        if more:
            rest = bytearray(more[-1])
        if len(rest) > bytes_max or any(len(line) > bytes_max for line in lines):
            raise too_large(bytes_max)
        if not message.get("more_body"):
            lines.append(bytes(rest))
            yield lines
            return
        if lines:
            yield lines
