"""Nobody's page makes a logged-in browser ask for something: what a cookie is believed for.

A browser sends a cookie also with requests that another site made it send. So a cookie counts for reading alone; a
request that changes something needs the token of its session beside it, which no other site can read, and must say
that it comes from our own pages. Either alone would do; each covers for a mistake in the other. A key in a header is
sent by nobody unasked and needs neither.
"""

from __future__ import annotations

from collections.abc import Mapping
from hmac import compare_digest
from typing import Protocol
from urllib.parse import urlsplit

from lictor.errors import DeniedError

from .principal import Principal

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
#: Where the token stands: in this header, or in this field of a form.
HEADER = "x-csrf-token"
FIELD = "csrf"


class CrossSiteError(DeniedError):
    """The request does not come from a page of this site."""

    code = "CROSS_SITE"


class Asking(Protocol):
    """A request whose principal is known."""

    @property
    def principal(self) -> Principal:
        """Who asks."""
        ...


def token(asked: Asking) -> str:
    """What forms of this session carry; empty for one who showed a key, or nothing."""
    return asked.principal.session or ""


def check_token(principal: Principal, given: str | None) -> None:
    """Refuse a request that carries not the token of its session.

    Raises:
        CrossSiteError: it does not.
    """
    wanted = principal.session
    if wanted is None or given is None or not compare_digest(given.encode(), wanted.encode()):
        raise CrossSiteError(
            "the form's token is not the one of this session", hint="load the page again, and send it from there"
        )


def check_origin(headers: Mapping[str, str]) -> None:
    """Refuse what a browser says comes from elsewhere. Who is no browser says nothing.

    Raises:
        CrossSiteError: it comes from elsewhere.
    """
    fetched = headers.get("sec-fetch-site")
    if fetched is not None:
        if fetched != "same-origin":
            raise CrossSiteError(f"the browser says that this request is {fetched!r:.40}")
        return
    origin = headers.get("origin")
    if origin is not None and (origin == "null" or urlsplit(origin).netloc.lower() != headers.get("host", "").lower()):
        raise CrossSiteError(f"this request comes from {origin!r:.80}")
