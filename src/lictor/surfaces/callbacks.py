"""Outcomes go home: each source with a callback is sent its outcomes, signed, in order, each at least once.

One call at a time for each source, so that order holds; the journal is the queue, so that nothing is bounded but the
page that is read. How far a source was told is a fact of the journal: after a restart it goes on from there, and what
was told in the last moment before may be told again, under the same `webhook-id`. A callback that fails holds up
nobody else: it is tried again with growing waits until it is taken, and is seen in health, metrics and log meanwhile.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from functools import partial

from lictor.declarations.outside import Callback
from lictor.errors import LictorError, NodeStoppedError
from lictor.journal.port import OutcomeRow
from lictor.node import Node
from lictor.runtime.ids import id_text

from .lasting import lasting
from .posting import Post, wait_s
from .views import feed_data

#: How far sources were told is written at most this often.
MARK_S = 0.5
#: Failures in a row from which a callback counts as failing.
FAILING = 3


def mark_of(source: str) -> str:
    """The name under which the journal keeps how far a source was told."""
    return f"callback:{source}"


class Callbacks:
    """The callbacks of one node."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._posts = {
            name: Post(made.url, made.secret, made.allow, node.clock, timeout_s=made.timeout_s)
            for name, made in node.app.callbacks.items()
        }
        #: How far each source was told and that is not written yet.
        self._told: dict[str, int] = {}
        self._news = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin to tell; the node runs."""
        made = self._node.app.callbacks.values()
        runs = [(f"callbacks of {callback.source}", partial(self._follow, callback)) for callback in made]
        if runs:
            runs.append(("marks of callbacks", partial(self._mark)))
        self._tasks = [asyncio.create_task(lasting(self._node, name, run)) for name, run in runs]

    async def stop(self) -> None:
        """Tell no more, and write how far it was told."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
        with suppress(NodeStoppedError):
            await self._write()

    async def _follow(self, callback: Callback) -> None:
        """Tell one source, outcome after outcome."""
        mark = self._node.journal.state.marks.get(mark_of(callback.source), 0)
        after = max(mark, self._told.get(callback.source, 0))
        outcomes = self._node.follow_outcomes(callback.source, after=after)
        with suppress(NodeStoppedError):
            async for row in outcomes:
                await self._tell(callback, row)
                self._told[callback.source] = row.cursor
                self._news.set()

    async def _tell(self, callback: Callback, row: OutcomeRow) -> None:
        """Tell one outcome, until it is taken."""
        source, failures = callback.source, 0
        id_ = f"{id_text(row.decision)}.{row.cursor}"
        while True:
            try:
                await self._posts[source].send(id_, "outcome", row.outcome.at_us, feed_data(row))
            except LictorError as error:
                failures += 1
                self._count(source, "failed")
                if failures == FAILING:
                    self._fails(source, error)
                draw = self._node.randomness.uniform(0.0, 1.0)
                await self._node.clock.sleep(wait_s(failures, draw, callback.retry_max_s, error))
            else:
                break
        self._count(source, "delivered")
        if self._node.vitals.troubles.pop(mark_of(source), None) is not None:
            self._node.pipeline.monitoring.note("callback_recovered", source=source)

    def _fails(self, source: str, error: LictorError) -> None:
        told = f"outcomes of {source} are not taken: {error.message}"
        self._node.vitals.troubles[mark_of(source)] = ("CALLBACK_FAILING", told)
        self._node.pipeline.monitoring.note("callback_failing", source=source, code=error.code, error=error.message)

    def _count(self, source: str, what: str) -> None:
        self._node.pipeline.monitoring.counts.outside.add(("callback", source, what))

    async def _mark(self) -> None:
        with suppress(NodeStoppedError):
            while True:
                await self._news.wait()
                await self._node.clock.sleep(MARK_S)
                self._news.clear()
                await self._write()

    async def _write(self) -> None:
        told, self._told = self._told, {}
        for source, cursor in told.items():
            await self._node.mark(mark_of(source), cursor)
