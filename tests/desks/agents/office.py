"""One governed function whose effects are counted, for the tests of all adapters."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

from lictor import App, Node, Settings


class Till:
    """What was truly paid."""

    def __init__(self) -> None:
        self.paid: list[tuple[str, int]] = []

    async def pay(self, to: str, amount: int = 1) -> str:
        """Pay somebody."""
        self.paid.append((to, amount))
        return f"paid {amount} to {to}"


@asynccontextmanager
async def office(source: str = "agent"):
    """The till, a node, and `pay` on it: at most 100 in all, and above 50 a person must approve."""
    till, app = Till(), App("office")
    cash = app.balance("cash", limit=100)
    pay = app.govern(till.pay, budget=cash.reserve, approve_if=lambda amount: amount > 50)
    async with Node(app, settings=Settings(tune_collector=False)) as node:
        yield till, node, pay.on(node, source=source)


def run(main) -> None:
    asyncio.run(main)


async def approve_what_is_held(node) -> None:
    """A person approves."""
    (held,) = [found for found in node.journal.state.open.values() if found.state == "held"]
    await node.approve(held.decision.id, by="eva")
