"""Errors as problem+json (RFC 9457): type, title, status, detail, and with the engine's `code` also what to do.

    400 what came cannot be understood
    422 understood, and names what is not declared     409 it is not in a state in which that can be done
    401 no good credential                             413, 414, 415, 406, 405, 408, 431 as HTTP has them
    403 this credential may not                        429 too much from this source or tenant; Retry-After
    404 there is no such thing, or not for you         500 a defect   503 not now; Retry-After

A defect says that it is one, and nothing of what is inside: that is in the node's log.
"""

from __future__ import annotations

from http import HTTPStatus
from math import ceil

import msgspec

from lictor.errors import (
    DeclarationError,
    DeniedError,
    JournalError,
    LictorError,
    MalformedError,
    NodeStoppedError,
    NotFoundError,
)

from .answers import Answer, Pairs, encode

MEDIA = b"application/problem+json"
#: When a node that stops may be asked again: another one, or itself once it has started.
STOPPED_AGAIN_S = 5.0

_STATUS: tuple[tuple[type[LictorError], int], ...] = (
    (MalformedError, 400),
    (DeclarationError, 422),
    (DeniedError, 403),
    (NotFoundError, 404),
    (NodeStoppedError, 503),
    (JournalError, 503),
)


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What went wrong, as every error is told."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    hint: str | None = None
    retry_after_s: float | None = None


class HttpError(LictorError):
    """A request that cannot be answered as it was made."""

    code = "REQUEST"

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        hint: str | None = None,
        headers: Pairs = (),
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message, hint=hint)
        self.status = status
        self.code = code
        self.headers = headers
        self.retry_after_s = retry_after_s


def status_of(error: LictorError) -> int:
    """The status that an error of the engine is told with; 409 for those that have none of their own."""
    if isinstance(error, HttpError):
        return error.status
    return next((status for type_, status in _STATUS if isinstance(error, type_)), 409)


def problem(error: LictorError) -> Answer:
    """An error as an answer."""
    told = told_as(error)
    headers = error.headers if isinstance(error, HttpError) else ()
    if told.retry_after_s is not None:
        headers = (*headers, retry_after(told.retry_after_s))
    return Answer(told.status, encode(told), MEDIA, headers)


def told_as(error: LictorError) -> Problem:
    """An error as everybody is told it."""
    status = status_of(error)
    again_s = error.retry_after_s if isinstance(error, HttpError) else None
    if again_s is None and isinstance(error, NodeStoppedError):
        again_s = STOPPED_AGAIN_S
    return Problem(
        type=type_of(error.code),
        title=HTTPStatus(status).phrase,
        status=status,
        detail=error.message,
        code=error.code,
        hint=error.hint,
        retry_after_s=again_s,
    )


def type_of(code: str) -> str:
    """The URI that identifies a kind of problem."""
    return f"urn:lictor:{code.lower().replace('_', '-')}"


def retry_after(seconds: float) -> tuple[bytes, bytes]:
    """The header, in whole seconds, at least one."""
    return b"retry-after", b"%d" % max(1, ceil(seconds))


def defect() -> LictorError:
    """What whoever asked is told of a defect."""
    return HttpError(500, "DEFECT", "a defect of the node; its log says more")
