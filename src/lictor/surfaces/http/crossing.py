"""What a cookie is not believed for: a request that changes something comes from our own page and carries its token.

Held here for all routes at once, before any of them is asked: none can forget it.
"""

from __future__ import annotations

from urllib.parse import parse_qs

from lictor.surfaces.access import csrf
from lictor.surfaces.access.principal import Principal

from .answers import Message, Receive
from .headers import Headers
from .reading import read_body

FORM = "application/x-www-form-urlencoded"
#: A form that a person fills in; what is longer sends its token in the header.
FORM_BYTES_MAX = 256 << 10


async def crossed(principal: Principal, headers: Headers, receive: Receive) -> Receive:
    """What the route reads the body from, once the request is known to be meant.

    Raises:
        CrossSiteError: it is not.
        HttpError: its form cannot be read.
    """
    csrf.check_origin(headers)
    given = headers.get(csrf.HEADER)
    if given is None and (headers.get("content-type") or "").partition(";")[0].strip().lower() == FORM:
        body = await read_body(headers, receive, FORM_BYTES_MAX)
        given = next(iter(parse_qs(body.decode("latin-1")).get(csrf.FIELD, ())), None)
        receive = again(body, receive)
    csrf.check_token(principal, given)
    return receive


def again(body: bytes, receive: Receive) -> Receive:
    """Gives a body that was read once more, then what comes after it."""
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def give() -> Message:
        return waiting.pop() if waiting else await receive()

    return give
