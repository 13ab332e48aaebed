"""What a call does, step by step, without doing it: the core that the sync and the async client share.

A call is a generator. It yields steps, is sent what came of each, and returns its result; a client only performs steps.
Nothing here reads, writes or waits.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec

from .failures import (
    ApiError,
    BadRequestError,
    BusyError,
    NotAllowedError,
    NotThereError,
    ServerError,
    UnreachableError,
)
from .patience import NOT_TAKEN, UNKNOWN, Patience

T = TypeVar("T")
JSON = "application/json"
#: From here on a status says no.
ERRORS = 400
REFUSED = 422
#: With JSON and no problem, the body is a verdict: refused (422) or shed.
VERDICTS = frozenset({REFUSED, 429, 503})


@dataclass(frozen=True, slots=True)
class Send:
    """A request, to be answered by a `Reply` or a `Lost`."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    media: str = JSON
    #: It only reads, or it has its effect once however often it arrives.
    again: bool = True
    #: The node itself waits so long before it answers.
    wait_s: float = 0.0
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Listen:
    """A request whose answer has no end: a `Reply` without a body, then `Line` after `Line`."""

    send: Send


@dataclass(frozen=True, slots=True)
class Line:
    """The next line of what is listened to: text, or None where it has ended."""


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Take:
    """The next item that the caller gives, or `END`."""


END = object()


@dataclass(frozen=True, slots=True)
class Give:
    """Something for whoever iterates."""

    item: Any


@dataclass(frozen=True, slots=True)
class Reply:
    """What the node answered."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def judged(self) -> bool:
        """With a status of an error, and a verdict all the same: refused or shed, and nothing was done."""
        return self.status in VERDICTS and self.headers.get("content-type", "").startswith(JSON)


@dataclass(frozen=True, slots=True)
class Lost:
    """No answer came; `sent` where the request may have arrived."""

    detail: str
    sent: bool


Step = Send | Listen | Line | Pause | Take | Give
Steps = Generator[Step, Any, T]


@dataclass(frozen=True, slots=True)
class Manner:
    """How calls are made."""

    patience: Patience
    #: A uniform random number between two bounds.
    draw: Callable[[float, float], float]


class Problem(msgspec.Struct, frozen=True):
    """What an error looks like on the wire."""

    detail: str = ""
    title: str = ""
    status: int = 500
    code: str | None = None
    hint: str | None = None
    retry_after_s: float | None = None


def ask(send: Send, manner: Manner, *, listen: bool = False) -> Steps[Reply]:
    """Make a call, again where that is safe, until there is an answer. A verdict is one, whatever it says.

    Raises:
        ApiError: the node said no.
        UnreachableError: nobody answered.
    """
    tried = 0
    while True:
        tried += 1
        came: Reply | Lost = yield Listen(send) if listen else send
        if isinstance(came, Reply) and (came.status < ERRORS or (came.status == REFUSED and came.judged)):
            return came
        error = _unreachable(came) if isinstance(came, Lost) else failure(came)
        wait_s = manner.patience.wait_s(tried, error.retry_after_s, manner.draw) if _safe(send, came) else None
        if wait_s is not None:
            yield Pause(wait_s)
        elif isinstance(came, Reply) and came.judged:
            return came
        else:
            raise error


def _safe(send: Send, came: Reply | Lost) -> bool:
    """Whether the same request may be made again: it had no effect, or has it once."""
    if isinstance(came, Lost):
        return send.again or not came.sent
    return came.judged or came.status in NOT_TAKEN or (came.status in UNKNOWN and send.again)


def _unreachable(lost: Lost) -> UnreachableError:
    return UnreachableError(lost.detail, unknown=lost.sent)


def failure(reply: Reply) -> ApiError:
    """The error that an answer is."""
    try:
        told = msgspec.json.decode(reply.body, type=Problem)
    except msgspec.MsgspecError:  # something else than a node answered
        told = Problem()
    text = reply.headers.get("retry-after", "")
    return error_of(told, reply.status, float(text) if text.isascii() and text.isdecimal() else None)


def error_of(told: Problem, status: int, retry_after_s: float | None = None) -> ApiError:
    """The error that a problem is."""
    type_ = next((made for (low, high), made in _TYPES.items() if low <= status <= high), ServerError)
    return type_(
        told.detail or told.title or f"answered with status {status}",
        code=told.code,
        status=status,
        hint=told.hint,
        retry_after_s=retry_after_s if told.retry_after_s is None else told.retry_after_s,
    )


_TYPES: dict[tuple[int, int], type[ApiError]] = {
    (401, 401): NotAllowedError,
    (403, 403): NotAllowedError,
    (404, 404): NotThereError,
    (429, 429): BusyError,
    (503, 503): BusyError,
    (400, 499): BadRequestError,
}


def read(type_: type[T], body: bytes) -> T:
    """An answer as a record.

    Raises:
        ServerError: it is none.
    """
    try:
        return msgspec.json.decode(body, type=type_)
    except msgspec.MsgspecError as error:
        raise ServerError(f"the answer cannot be read: {error}", code="ANSWER") from error
