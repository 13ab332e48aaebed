"""How signals reach a running node: one, many, from an iterator, from a source that is pulled, or out of quarantine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterable
from contextlib import aclosing
from typing import Any

import msgspec

from lictor.app import App
from lictor.config import Settings
from lictor.declarations.models import given
from lictor.declarations.plain import text
from lictor.entry import Entry, Handle, Replay
from lictor.errors import Code, DeniedError, NodeStoppedError, NotFoundError
from lictor.inputs.finding import Unreadable
from lictor.inputs.in_order import in_order
from lictor.inputs.pulling import Pulled, PullSource, Surroundings, pull
from lictor.inputs.stored_signal import load
from lictor.journal import port
from lictor.pipeline import Pipeline
from lictor.records import Quarantined, Signal
from lictor.runtime.clock import Clock, SteadyClock
from lictor.runtime.ids import id_text
from lictor.steering import Steering

#: Seconds after which a source may try again when the disk is nearly full.
ROOM_AGAIN_S = 10.0


class Submission(Steering):
    """The part of a node that takes signals."""

    app: App
    clock: Clock
    _steady: SteadyClock
    settings: Settings
    journal: port.Journal
    pipeline: Pipeline
    accepting: bool
    #: Called when the node stops: iterators whose source is silent hear of it so.
    _on_stop: set[Callable[[Exception], None]]

    def signal(self, value: Any, **options: Any) -> Signal:
        """A signal of a value of one of the App's kinds."""
        options.setdefault("source", "local")
        return Signal(kind=self.app.kind(type(value)).name, value=value, **options)

    async def submit(self, value: Any, **options: Any) -> Handle:
        """Submit one decision and wait for its durable verdict.

        A caller that is cancelled while it waits has submitted all the same; with a key it can ask again.

        Args:
            value: An object of a declared kind, or a `Signal`.
            **options: `source`, `tenant`, `key`, `priority`, `expires_in_s`, `deadline_us`, `not_before_us`,
                `confidence`, `expects`, `parent`, `supersedes`, `sent_us`, `position`; see `Signal`.

        Raises:
            NodeStoppedError: the node takes no work.
            WrongLoopError: the node runs on another event loop.
            DeclarationError: the value is of no declared kind.
        """
        return await self._offer(value if isinstance(value, Signal) else self.signal(value, **options))

    async def put_aside(self, signal: Signal, why: str) -> Handle:
        """Keep in quarantine what arrived and makes no signal that can be understood; answered when that is durable.

        Raises:
            NodeStoppedError: the node takes no work.
        """
        return await self._offer(Unreadable(signal, text(why)))

    def offer(self, signal: Signal) -> asyncio.Future[Handle]:
        """Submit one decision without a task of its own; the future has its handle once the verdict is durable.

        Raises:
            WrongLoopError: the node runs on another event loop.
        """
        return self._offer(signal)

    def _offer(self, signal: Signal | Unreadable, replay: Replay | None = None) -> asyncio.Future[Handle]:
        future: asyncio.Future[Handle] = self._here().create_future()
        received_us = self.clock.wall_us()
        if isinstance(signal, Unreadable):
            entry = Entry(signal.signal, future, received_us)
            entry.fault = (signal.reason, signal.detail)
        else:
            if replay is None and self.accepting:
                told = self.pipeline.inputs.turned_away(signal, received_us)
                if told is not None:
                    future.set_result(told)
                    return future
            entry = Entry(signal, future, received_us)
            entry.replay = replay
        if not self.accepting:
            future.set_exception(NodeStoppedError(f"the node has stopped: {self.failure}" if self.failure else None))
            future.exception()  # whoever still waits is told; nobody else is
            return future
        inputs = self.pipeline.inputs
        if inputs.closed:
            seen = {"free_bytes_min": self.settings.free_bytes_min}
            inputs.shed(entry, Code.NOT_ADMITTING, received_us, seen, ROOM_AGAIN_S)
        elif inputs.full or self.pipeline.validation.asked >= inputs.waiting_max:
            inputs.shed(entry, Code.OVERLOADED, received_us, {"waiting_max": inputs.waiting_max}, 0.1)
        else:
            inputs.offer(entry)
        self.wake()
        return future

    def _ahead(self, wanted: int) -> int:
        """No more at once than may wait for a turn."""
        return max(1, min(wanted, self.settings.waiting_max))

    async def submit_many(self, values: Iterable[Any], **options: Any) -> list[Handle]:
        """Submit many and wait for all their verdicts, in order; a turn's worth at a time.

        Raises:
            NodeStoppedError: the node stopped before all were decided.
        """
        handles: list[Handle] = []
        batch: list[asyncio.Future[Handle]] = []
        batch_max = self._ahead(self.settings.turn_max)
        for value in values:
            batch.append(self._offer(value if isinstance(value, Signal) else self.signal(value, **options)))
            if len(batch) >= batch_max:
                handles += [await future for future in batch]
                batch = []
        return handles + [await future for future in batch]

    async def stream(
        self, values: AsyncIterable[Any], *, ahead_max: int = 1_000, **options: Any
    ) -> AsyncGenerator[Handle, None]:
        """Submit what an async iterator gives and yield the verdicts in order.

        It is asked for more only while fewer than `ahead_max` verdicts are waited for or not yet taken. Close it
        (`contextlib.aclosing`) when leaving early.

        Raises:
            NodeStoppedError: the node stopped before it had decided.
        """

        def offer(value: Any) -> asyncio.Future[Handle]:
            return self._offer(value if isinstance(value, Signal) else self.signal(value, **options))

        async with aclosing(in_order(values, offer, self._ahead(ahead_max), self._on_stop)) as handles:
            async for _, handle in handles:
                yield handle

    async def pull(
        self, source: PullSource | AsyncIterable[Signal], *, ahead_max: int = 1_000, patience_s: float = 300.0
    ) -> Pulled:
        """Submit all that a source gives (`CsvFile`, `JsonLines`, `Cron`, or signals) and count what became of it.

        A source whose signals have keys can be run again after anything: what was decided is answered as duplicate.

        Raises:
            NodeStoppedError: the node stopped before the source had ended.
            OSError: the file cannot be read.
        """
        if isinstance(source, PullSource):
            signals: AsyncIterable[Signal | Unreadable] = source.signals(
                Surroundings(self.app, self._steady.outside, self.journal)
            )
        else:
            signals = source
        handles = in_order(signals, self._offer, self._ahead(ahead_max), self._on_stop)
        return await pull(handles, self._offer, self.clock, patience_s=patience_s, again_max=ahead_max)

    # -- quarantine -----------------------------------------------------------------------------------------------

    async def quarantined(self, source: str | None = None, *, limit: int = 100) -> list[Quarantined]:
        """What is kept in quarantine, newest first; of one source, or of all."""
        return await self.journal.quarantined(source, limit)

    async def replay(self, entry: int, *, by: str, payload: bytes | str | Any | None = None) -> Handle:
        """Send a quarantined signal through the door again, as it was or with another payload.

        `by` vouches for it: the quality gate of its source is not asked again, except for the ranges of a corrected
        payload. It keeps its key, or gets one, so that it is submitted once however often it is replayed; later calls
        get the original answer. It leaves quarantine in the transaction that makes it a decision; while it is still
        malformed, it stays.

        Args:
            entry: The id of its entry.
            by: The person who vouches.
            payload: JSON text, or a value of the kind's type; None for the payload as it was kept.

        Raises:
            NotFoundError: no such entry is kept; it was discarded, or replayed before the node started.
            MalformedError: it was kept only in part and needs a payload.
        """
        by = text(by)
        kept = self.pipeline.inputs.quarantining.find_replayed(entry) or self._kept(entry, by)
        signal = load(kept.signal, None if payload is None else _json(payload))
        if signal.key is None:
            signal = msgspec.structs.replace(signal, key=f"replay:{id_text(entry)}")
        return await self._offer(signal, Replay(entry, by, payload is not None))

    async def discard(self, entry: int, *, by: str) -> None:
        """Take a signal out of quarantine for good; its history stays.

        Raises:
            NotFoundError: no such entry is kept; it was replayed or discarded before.
        """
        by = text(by)
        kept = self._kept(entry, by)
        await self._request(port.Quarantine(msgspec.structs.replace(kept, state="discarded", by=by)))
        self.pipeline.inputs.quarantining.forget(entry)

    def _kept(self, entry: int, by: str) -> Quarantined:
        if not by:
            raise DeniedError("quarantine is emptied by a named person")
        kept = self.pipeline.inputs.quarantining.find(entry)
        if kept is None:
            raise NotFoundError(f"quarantine keeps no entry {entry}", hint="it was replayed or discarded before")
        return kept


def _json(payload: Any) -> bytes:
    if isinstance(payload, bytes):
        return payload
    return payload.encode() if isinstance(payload, str) else _encode(payload)


_encode = msgspec.json.Encoder(order="deterministic", decimal_format="string", enc_hook=given).encode
