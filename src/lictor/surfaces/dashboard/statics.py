"""The few files that pages load: our own style and script, htmx and uPlot. Read once, kept in memory."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from lictor.surfaces.http.answers import Answer, Response
from lictor.surfaces.http.problem import HttpError
from lictor.surfaces.http.route import Asked

#: File -> its type; nothing else is served.
FILES = {
    "lictor.css": b"text/css; charset=utf-8",
    "lictor.js": b"text/javascript; charset=utf-8",
    "icon.svg": b"image/svg+xml",
    "vendor/htmx.min.js": b"text/javascript; charset=utf-8",
    "vendor/uplot.min.js": b"text/javascript; charset=utf-8",
    "vendor/uplot.min.css": b"text/css; charset=utf-8",
    "vendor/htmx.LICENSE.txt": b"text/plain; charset=utf-8",
    "vendor/uplot.LICENSE.txt": b"text/plain; charset=utf-8",
}


class StaticFile(Answer):
    """A file that a browser may keep: its address changes when it does."""

    __slots__ = ()

    def __init__(self, body: bytes, media: bytes) -> None:
        super().__init__(200, body, media)
        self.headers = [
            (b"content-type", media),
            (b"content-length", b"%d" % len(body)),
            (b"cache-control", b"public, max-age=31536000, immutable"),
            (b"x-content-type-options", b"nosniff"),
        ]


@cache
def content(name: str) -> bytes:
    """One file."""
    return (files("lictor.surfaces.dashboard") / "static" / name).read_bytes()


async def static_file(asked: Asked) -> Response:
    """`/static/VERSION/NAME`."""
    _, _, name = asked.path["name"].partition("/")
    media = FILES.get(name)
    if media is None:
        raise HttpError(404, "NOT_FOUND", f"there is no file {name:.80}")
    return StaticFile(content(name), media)
