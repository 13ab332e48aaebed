"""What the desk's gates, plan and lessons share: its declarations, by name. Holds no state of a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lictor import Adjustable, App, Balance, Rate, Reference
from lictor.desks.trading.blotter import Summary
from lictor.desks.trading.market import BUY
from lictor.desks.trading.policy import Policy
from lictor.desks.trading.tape import View


@dataclass(frozen=True, slots=True)
class Means:
    """One App's references, budgets and adjustables."""

    app: App
    policy: Policy
    market: Reference[View]
    blotter: Reference[Summary]
    #: Approved versions of models -> who approved them.
    models: Reference[dict[str, str]]
    #: Money that a source may turn over in a window.
    turnover: Balance
    #: Room to buy and to sell: what one side uses, it gives back to the other.
    long: Balance
    short: Balance
    messages: Rate
    #: The share of a size that a source's realised edge has earned, 0 to 1.
    size: Adjustable
    #: Y of the square-root law, as learned from our own executions.
    impact_y: Adjustable
    #: 1 once a source's edge is surely below zero; the engine then refuses it until a named person resets it.
    demoted: Adjustable

    def room(self, side: int) -> Balance:
        """The room that an order of this side uses."""
        return self.long if side == BUY else self.short


def facts(policy: Policy) -> dict[str, Any]:
    """What makes a change of the policy a change of every gate's version."""
    return {"policy": policy.facts()}
