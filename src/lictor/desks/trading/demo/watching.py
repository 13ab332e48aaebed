"""Lets people watch the demo in a browser: the dashboard beside the trading, and afterwards while they stay."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

from lictor import LictorError, Node, Served, serve
from lictor.desks.trading.demo.options import Options
from lictor.desks.trading.session import Session

#: Where it is served, if nobody is there yet; else on a free port.
PORT = 8700
WHO = "demo"


@asynccontextmanager
async def watched(node: Node, say: Callable[[str], None]) -> AsyncIterator[str | None]:
    """Serve the dashboard meanwhile and say where and how to log in; the key, or None where it cannot be served."""
    async with AsyncExitStack() as stack:
        served = await _served(stack, node, say)
        if served is None:
            yield None
            return
        key = await served.make_key(WHO, "admin")
        say(f"watch and steer it at {served.url}, log in with {key}")
        yield key


async def _served(stack: AsyncExitStack, node: Node, say: Callable[[str], None]) -> Served | None:
    error: LictorError | None = None
    for port in (PORT, 0):
        try:
            return await stack.enter_async_context(serve(node, port=port))
        except LictorError as why:
            error = why
    say(f"no dashboard: {error}")
    return None


async def stay(options: Options, session: Session, key: str | None, say: Callable[[str], None]) -> None:
    """Open the journal of the run once more and serve it until somebody has seen enough."""
    async with Node(session.means.app, str(options.out / "journal.db")) as node, AsyncExitStack() as stack:
        served = await _served(stack, node, say)
        if served is None:
            return
        say(f"what was traded stays at {served.url}, log in with {key}; Ctrl-C ends it")
        await asyncio.Event().wait()
