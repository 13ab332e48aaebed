"""Work beside a node that goes on after a defect: the defect is told, and it begins again after a while."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from lictor.declarations.plain import told
from lictor.node import Node

#: Until it begins again.
AGAIN_S = 5.0


async def lasting(node: Node, name: str, run: Callable[[], Awaitable[None]]) -> None:
    """Run it to its end. What it raises is in the log, and in the node's health until it has begun again."""
    while True:
        try:
            await run()
        except asyncio.CancelledError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is: else nobody would hear that this ended
            node.pipeline.monitoring.note("beside_failed", name=name, error=told(error))
            node.vitals.troubles[name] = ("DEFECT", f"{name}: {told(error)}")
            await node.clock.sleep(AGAIN_S)
            node.vitals.troubles.pop(name, None)
        else:
            return
