"""Somebody who looks at the world for what the node cannot find out, and says so with `node.resolve`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from lictor.errors import LictorError
from lictor.execution.attempts import action_key
from lictor.node import Node
from lictor.records import Report
from lictor.testing.invariants import Invariants
from lictor.testing.machine import Crashed
from lictor.testing.world import World

#: How something is asked of the node; see `Simulation.call`.
Ask = Callable[[Callable[[Node], Coroutine[Any, Any, bool]]], Awaitable[bool]]


def in_doubt(invariants: Invariants) -> list[tuple[int, int, str]]:
    """Decision, ordinal and effector of what only a person can find out, or the node has asked for in vain."""
    effectors, now_us = invariants.app.effectors, invariants.now_us()
    found = []
    for id_, told in invariants.ledger.open.items():
        for ordinal, step in enumerate(told.steps):
            name = told.plan.actions[ordinal].effector if told.plan else ""
            if step.in_doubt and (
                effectors[name].asks is None or now_us - told.started_us > effectors[name].resolve_within_s * 1e6
            ):
                found.append((id_, ordinal, name))
    return found


async def find_out(invariants: Invariants, world: World, ask: Ask, wants: Callable[[], bool]) -> None:
    """Look once at everything that waits for a person; `wants` says of each whether it is dealt with this time."""
    for decision, ordinal, effector in in_doubt(invariants):
        party = world.parties.get(effector)
        if party is None or not wants():
            continue
        fence = invariants.ledger.told[decision].steps[ordinal].fence
        report = party.truth(action_key(decision, ordinal), fence)
        if report is not None:
            await _say(invariants, ask, decision, ordinal, report)


async def _say(invariants: Invariants, ask: Ask, decision: int, ordinal: int, report: Report) -> None:
    try:
        news = await ask(lambda node: node.resolve(decision, report, ordinal=ordinal, by="ann"))
    except (LictorError, Crashed):
        return
    if news:
        invariants.reported(str(decision), report.id)
