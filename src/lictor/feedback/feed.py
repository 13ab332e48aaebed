"""The outcome feed: whoever decided can always learn what became of it, from any cursor, also after a restart.

Reads the journal; holds nothing but who waits. A cursor is the position of the fact that closed the decision, so it
survives everything.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from lictor.errors import NodeStoppedError
from lictor.journal.port import Journal, OutcomeRow

#: Rows asked of the journal at a time.
PAGE = 500


class Feed:
    """Outcomes of one journal."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._waiting: set[asyncio.Future[None]] = set()
        self._ended: Exception | None = None
        self._stopped = False

    async def rows(self, source: str | None, after: int, limit: int) -> list[OutcomeRow]:
        """At most `limit` outcomes after the cursor, oldest first; of one source, or of all."""
        return await self._journal.outcomes(source, after, limit)

    async def follow(self, source: str | None, after: int) -> AsyncIterator[OutcomeRow]:
        """All outcomes after the cursor, then each new one as it becomes durable.

        Ends when the node stops; go on from the last cursor after the next start.

        Raises:
            NodeStoppedError: the node failed.
        """
        while True:
            news: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.add(news)  # before asking, so that nothing falls between
            try:
                while page := await self.rows(source, after, PAGE):
                    for row in page:
                        yield row
                        after = row.cursor
                if self._ended is not None:
                    raise NodeStoppedError(str(self._ended))
                if self._stopped:
                    return
                await news
            finally:
                self._waiting.discard(news)

    def news(self) -> None:
        """Outcomes were committed."""
        if self._waiting:
            waiting, self._waiting = self._waiting, set()
            for future in waiting:
                if not future.done():
                    future.set_result(None)

    def stop(self, failure: Exception | None = None) -> None:
        """No more will come: who follows ends, or is told of the failure."""
        self._stopped = True
        self._ended = failure
        self.news()
