"""The stream of everything that changes: `GET /v1/events`, as server-sent events."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Literal, TypedDict

from lictor.surfaces.access.principal import Permission

from .answers import Receive, Response, Scope, Send, encode
from .events import VIEWERS_MAX, Hub, Viewer
from .problem import HttpError
from .route import Asked, Route

MEDIA = "text/event-stream"
#: A comment is sent after so long, so that whoever sits between does not take the connection for dead.
QUIET_S = 15.0


class Told(TypedDict, total=False):
    """One event; `data` is JSON."""

    id: str
    event: Literal["hello", "decisions", "notes", "dropped"]
    data: str
    retry: int


async def events(asked: Asked) -> Response:
    """Watch."""
    hub: Hub = asked.site.events
    if len(hub.viewers) >= VIEWERS_MAX:
        raise HttpError(503, "BUSY", f"{VIEWERS_MAX} watch already", retry_after_s=5.0)
    return Watching(asked, hub)


class Watching:
    """One connection that watches."""

    def __init__(self, asked: Asked, hub: Hub) -> None:
        self._asked = asked
        self._hub = hub

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Tell what changes, until the viewer leaves, is too slow, or the node goes."""
        headers = [(b"content-type", MEDIA.encode()), (b"x-accel-buffering", b"no")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        if scope["method"] == "HEAD":
            await send({"type": "http.response.body", "body": b""})
            return
        viewer = self._hub.join(self._asked.principal, self._asked.headers.get("last-event-id"))
        leaving = asyncio.create_task(_left(receive, viewer))
        try:
            await self._tell(viewer, send)
        finally:
            self._hub.leave(viewer)
            leaving.cancel()

    async def _tell(self, viewer: Viewer, send: Send) -> None:
        door = self._asked.site.door
        while True:
            if not viewer.behind and viewer.ended is None:
                viewer.news.clear()
                with suppress(TimeoutError):
                    async with asyncio.timeout(QUIET_S):
                        await viewer.news.wait()
            if not door.still(viewer.principal):
                viewer.ended = "UNAUTHENTICATED"
            if viewer.ended is not None:
                last = b"event: dropped\ndata: " + encode({"code": viewer.ended}) + b"\n\n"
                await send({"type": "http.response.body", "body": last})
                return
            told, viewer.behind = b"".join(viewer.behind) or b":\n\n", []
            await send({"type": "http.response.body", "body": told, "more_body": True})


async def _left(receive: Receive, viewer: Viewer) -> None:
    """Notice that the viewer has gone."""
    while (await receive())["type"] != "http.disconnect":
        continue
    viewer.end("GONE")


ROUTES = (
    Route(
        "GET", "/v1/events", Permission.READ, events, "Everything that changes, as server-sent events",
        gives=Told, media=MEDIA, headers={"Last-Event-ID": str},
    ),
)  # fmt: skip
