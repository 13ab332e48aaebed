"""What a route answers with: any ASGI callable. `Answer` is the lean one; Starlette's responses are others."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import msgspec

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
#: Sends an answer. Starlette's responses are such, and so is `Answer`.
Response = Callable[[Scope, Receive, Send], Awaitable[None]]
Pairs = tuple[tuple[bytes, bytes], ...]

JSON = b"application/json"
#: The extension of a server that sends an `Answer` at once: called with it, True where it was sent (connection.py).
WHOLE = "lictor.whole"

encode = msgspec.json.Encoder(decimal_format="string", enc_hook=str).encode


class Answer:
    """A whole body, known at once. What holds for every answer is added by the site."""

    __slots__ = ("body", "headers", "media", "status")

    def __init__(self, status: int, body: bytes = b"", media: bytes = JSON, headers: Pairs = ()) -> None:
        self.status = status
        self.body = body
        self.media = media
        self.headers: list[tuple[bytes, bytes]] = [
            (b"content-type", media),
            (b"content-length", b"%d" % len(body)),
            *headers,
        ]

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status, "headers": self.headers})
        await send({"type": "http.response.body", "body": self.body})


def answer(value: Any, status: int = 200, headers: Pairs = ()) -> Answer:
    """Plain data as JSON."""
    return Answer(status, encode(value), JSON, headers)
