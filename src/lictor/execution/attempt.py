"""One running call, and the news of it: the records that attempts, those who watch them and resolution share."""

from __future__ import annotations

import asyncio
from typing import Any, Protocol

import msgspec

from lictor.declarations.effectors import Call, Effector
from lictor.records import Amount, Report
from lictor.runtime.ids import id_text

from .work import Work


class News(msgspec.Struct, frozen=True, eq=False):
    """What came of an attempt, or of asking about one.

    `event`: succeed, pend, fail (certainly no effect, final), retry (certainly no effect, may be tried again),
    unknown, give_back, or report.
    """

    work: Work
    ordinal: int
    fence: int
    event: str
    code: str | None = None
    value: Any = None
    settled: tuple[tuple[str, str | None, Amount], ...] = ()
    wait_s: float | None = None
    detail: str | None = None
    report: Report | None = None
    #: The call had timed out and has returned after all, under the same fence.
    late: bool = False
    #: The world is busy: until `wait_s` is over the whole effector starts nothing.
    busy: bool = False


def action_key(decision: int, ordinal: int) -> str:
    """The idempotency key of an action: the same for every attempt (I7)."""
    return f"{id_text(decision)}.{ordinal}"


class NotBegun(Exception):
    """A call that stood in its lane was not made after all."""


class Raised(Exception):
    """The user's function has raised this in a worker process."""


class Attempt(msgspec.Struct, eq=False):
    """One running call: to perform an action, or to ask the world about one (`reconcile`, `cancel`, `undo`)."""

    work: Work
    ordinal: int
    fence: int
    effector: Effector[..., Any]
    call: Call
    #: When its call was made, by the monotonic clock.
    started: float = 0.0
    #: How long it ran, where that was timed on the spot.
    seconds: float | None = None
    what: str = "perform"
    task: asyncio.Task[None] | None = None
    #: The event that was told of it; empty while it has told nothing.
    told: str = ""
    done: bool = False
    #: Its call has been made.
    begun: bool = False
    #: It is one of two calls under the same fence; see `hedging`.
    pair: Pair | None = None


class Watching(Protocol):
    """Who watches the calls of an effector one by one."""

    def began(self, attempt: Attempt) -> None:
        """A call begins."""
        ...

    def ended(self, attempt: Attempt) -> None:
        """A call is over."""
        ...


class Pair(Protocol):
    """Two calls under one fence."""

    def is_first(self, call: Attempt) -> bool:
        """Whether it is the call that was made without a hedge."""
        ...

    def settle(self, call: Attempt, news: News) -> News | None:
        """One of the two tells something: what that says of the attempt, if anything yet."""
        ...
