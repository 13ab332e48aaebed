"""Take everything that a source has to give: files, schedules, any async iterator. Counts what became of it.

A row that is shed waits as long as the answer says and is submitted again, so that a file is as patient as the node is
busy; it may then be overtaken by rows after it.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol, runtime_checkable

from lictor.declarations.declared import Declared
from lictor.entry import Handle
from lictor.journal.port import Journal
from lictor.records import Result, Signal
from lictor.runtime.clock import Clock

from .finding import Unreadable

#: Rows that were not admitted and are named in the result; all are in the journal or in quarantine.
FAULTS_MAX = 100
#: Where a shed answer does not say when to come again.
RETRY_AFTER_S = 0.1


class Surroundings(NamedTuple):
    """What a source may read of its node: declarations, time, and what was decided before."""

    app: Declared
    clock: Clock
    journal: Journal


@runtime_checkable
class PullSource(Protocol):
    """Something that gives signals when it is asked."""

    def signals(self, around: Surroundings) -> AsyncIterator[Signal | Unreadable]:
        """All it has to give, in order."""
        ...


class Fault(NamedTuple):
    """One signal that was not admitted, held or deferred."""

    position: str | None
    code: str | None
    detail: str


@dataclass(slots=True)
class Pulled:
    """What became of all that a source gave."""

    received: int = 0
    #: Signals by verdict: admitted, refused, held, deferred, shed.
    verdicts: Counter[str] = field(default_factory=Counter)
    #: Refused and shed ones by code.
    codes: Counter[str] = field(default_factory=Counter)
    #: Signals that an earlier run had submitted; they count under their original verdict, too.
    duplicates: int = 0
    #: How often a signal was shed and submitted again.
    repeats: int = 0
    #: The first of those that were refused or shed in the end.
    faults: list[Fault] = field(default_factory=list)

    def count(self, signal: Signal, handle: Handle) -> None:
        """One more."""
        verdict = handle.verdict
        self.received += 1
        self.verdicts[str(verdict.result)] += 1
        self.duplicates += handle.duplicate
        if verdict.code is None:
            return
        self.codes[str(verdict.code)] += 1
        if len(self.faults) < FAULTS_MAX:
            seen = next((ruling.seen for ruling in reversed(verdict.rulings) if ruling.code == verdict.code), None)
            self.faults.append(Fault(signal.position, str(verdict.code), _told(seen)))


def _told(seen: dict[str, Any] | None) -> str:
    return "" if not seen else ", ".join(f"{name}={value}" for name, value in seen.items())


Offer = Callable[[Signal | Unreadable], Awaitable[Handle]]


async def pull(
    handles: AsyncGenerator[tuple[Signal | Unreadable, Handle], None],
    offer: Offer,
    clock: Clock,
    *,
    patience_s: float,
    again_max: int,
) -> Pulled:
    """Count the verdicts of signals that were submitted in order.

    At most `again_max` that were shed wait to be submitted again; no more are taken meanwhile. One is shed in the end
    when it has been submitted again for `patience_s` in vain.

    Raises:
        NodeStoppedError: the node stopped; what it had acknowledged is done, and a source with keys can be run again.
    """
    pulled = Pulled()
    insisting: set[asyncio.Task[None]] = set()

    async def insist(given: Signal | Unreadable, handle: Handle) -> None:
        give_up = clock.monotonic() + patience_s
        while handle.verdict.result is Result.SHED and clock.monotonic() < give_up:
            pulled.repeats += 1
            await clock.sleep(handle.verdict.retry_after_s or RETRY_AFTER_S)
            handle = await offer(given)
        pulled.count(_signal(given), handle)

    try:
        async with aclosing(handles) as decided:
            async for given, handle in decided:
                if handle.verdict.result is not Result.SHED:
                    pulled.count(_signal(given), handle)
                    continue
                while len(insisting) >= again_max:
                    await _one_of(insisting)
                insisting.add(asyncio.get_running_loop().create_task(insist(given, handle)))
        while insisting:
            await _one_of(insisting)
    finally:
        for task in insisting:
            task.cancel()
        await asyncio.gather(*insisting, return_exceptions=True)
    return pulled


async def _one_of(tasks: set[asyncio.Task[None]]) -> None:
    """Wait until one has ended, take it out, and raise what it raised."""
    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    tasks -= done
    for task in done:
        task.result()


def _signal(given: Signal | Unreadable) -> Signal:
    return given.signal if isinstance(given, Unreadable) else given
