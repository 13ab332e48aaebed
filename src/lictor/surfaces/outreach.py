"""What a node does towards the world beside its decisions: callbacks, alerts, traces. `lictor run` has it with a node.

    async with Node(app, "payouts.db") as node, Outreach(node):
        ...

It ends before its node does, so that what was told is on record.
"""

from __future__ import annotations

from typing import Self

from lictor.node import Node

from .alerts import Alerts
from .callbacks import Callbacks
from .tracing import Traces


class Outreach:
    """Runs what an App declares; of what it does not declare, nothing."""

    def __init__(self, node: Node) -> None:
        self._parts = (Callbacks(node), Alerts(node), Traces(node))

    async def __aenter__(self) -> Self:
        for part in self._parts:
            part.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        for part in reversed(self._parts):
            await part.stop()
