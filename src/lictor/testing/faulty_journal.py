"""A journal that shows every committed fact to a watcher, and at which the machine may crash or the disk may fail.

At each verb of a batch: before anything is written, after the commit and before anyone knows of it, a few steps later
when some have been answered; and an error of the disk, with or without the batch being stored. Wraps any journal.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from lictor.audit.checkpoint import SignedCheckpoint
from lictor.audit.tree import Tree
from lictor.errors import JournalIOError
from lictor.journal import port
from lictor.journal.codec import NAMES
from lictor.journal.state import State
from lictor.records import Quarantined
from lictor.testing.faults import Faults
from lictor.testing.loop import SimLoop
from lictor.testing.machine import Machine

#: Kinds of faults of a journal, and how likely each is at each verb of a batch, in the seeds that have it at all.
JOURNAL_FAULTS: dict[str, float] = {
    "crash before": 0.008,
    "crash between": 0.008,
    "crash after": 0.008,
    "disk error": 0.004,
    "disk error, stored": 0.004,
}
#: Steps after a commit within which a `crash after` comes.
AFTER_STEPS_MEAN = 6.0


class Watcher(Protocol):
    """Who is shown what happens to the journal."""

    def reopened(self, state: State, last: port.HistoryRow | None) -> None:
        """It was opened; `last` stands where the last fact stood that was shown before."""
        ...

    def turning(self) -> None:
        """A batch is about to be written."""
        ...

    def recorded(self, row: port.HistoryRow) -> None:
        """A fact is durable."""
        ...


class FaultyJournal:
    """The journal of one machine."""

    tree: Tree | None = None

    def __init__(
        self,
        inner: port.Journal,
        loop: SimLoop,
        machine: Machine,
        faults: Faults,
        watcher: Watcher,
        seen: int,
    ) -> None:
        self.inner = inner
        self.durability = inner.durability
        self.state = inner.state
        self._loop = loop
        self._machine = machine
        self._faults = faults
        self._watcher = watcher
        #: Position of the last fact that was shown.
        self.seen = seen
        #: No write is half done: the state is that of the last commit.
        self.whole = False

    async def open(self, at_us: int) -> State:
        self._crash("crash before", ["open"])
        self.state = state = await self.inner.open(at_us)
        last = [row async for row in self.inner.scan(self.seen - 1) if row.seq == self.seen] if self.seen else [None]
        self._watcher.reopened(state, *last or [None])
        await self.show()
        self.whole = True
        self._crash("crash between", ["open"])
        return state

    async def write(self, verbs: Sequence[port.Verb], at_us: int) -> list[port.Answer]:
        self._watcher.turning()
        names = list(dict.fromkeys(name_of(verb, self.inner.state) for verb in verbs))
        await self._wait()
        self._crash("crash before", names)
        if self._strikes("disk error", names):
            raise JournalIOError("the disk has failed")
        self.whole = False
        answers = await self.inner.write(verbs, at_us)
        await self.show()
        self.whole = True
        self._crash("crash between", names)
        if self._strikes("disk error, stored", names):
            raise JournalIOError("the disk has failed, and has it all the same")
        await self._wait()
        if self._strikes("crash after", names):
            steps = self._faults.steps("crash after", AFTER_STEPS_MEAN)
            self._loop.at_step(self._loop.steps + steps, self._machine.crash)
        return answers

    async def _wait(self) -> None:
        """Let others run while the disk is at work, as a thread of its own would."""
        for _ in range(self._loop.streams.of("world/disk").choice((0, 0, 1, 3))):
            await asyncio.sleep(0)

    async def show(self) -> None:
        """Show the facts that are new on the disk."""
        async for row in self.inner.scan(self.seen):
            self.seen = row.seq
            self._watcher.recorded(row)

    def _strikes(self, kind: str, names: list[str]) -> bool:
        struck = [self._faults.strikes(kind, name) for name in names]
        return any(struck)

    def _crash(self, kind: str, names: list[str]) -> None:
        if self._strikes(kind, names):
            self._machine.crash()

    # -- the rest is the inner journal's -------------------------------------------------------------------------

    async def rest(self) -> None:
        await self.inner.rest()

    async def tend(self) -> int:
        return 0

    async def keep(self, signed: SignedCheckpoint, at_us: int) -> None:
        """Nothing: what is built behind the commits is no part of the simulated world."""

    def free_bytes(self) -> int | None:
        return self.inner.free_bytes()

    async def close(self) -> None:
        await self.inner.close()
        if self.state.parking.count:  # what is parked can be read no more
            self.whole = False

    async def find(self, tenant: str, source: str | None, key: str) -> list[int]:
        return await self.inner.find(tenant, source, key)

    async def history(self, decision: int) -> list[port.HistoryRow]:
        return await self.inner.history(decision)

    async def decisions(self, wanted: port.Filter) -> list[port.DecisionRow]:
        return await self.inner.decisions(wanted)

    async def outcomes(self, source: str | None, after: int, limit: int) -> list[port.OutcomeRow]:
        return await self.inner.outcomes(source, after, limit)

    async def reference(self, name: str, version: str) -> bytes | None:
        return await self.inner.reference(name, version)

    async def quarantined(self, source: str | None, limit: int) -> list[Quarantined]:
        return await self.inner.quarantined(source, limit)

    def scan(self, after: int = 0) -> AsyncIterator[port.HistoryRow]:
        return self.inner.scan(after)


def name_of(verb: port.Verb, state: State) -> str:
    """How history calls the fact that this verb asks for."""
    if isinstance(verb, port.Admit):
        return "resume" if verb.decision.id in state.open else "admit"
    return NAMES[type(verb)]
