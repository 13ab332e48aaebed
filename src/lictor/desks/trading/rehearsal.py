"""The desk's App without a world: to rule recorded decisions again, or to look at what is declared.

`lictor rehearse lictor.desks.trading.rehearsal:app --journal out/demo-trading/journal.db` asks the gates as they are
now; `:cautious` asks stricter ones. Nothing is sent: there is no session, and no reference has anything to load.
"""

from __future__ import annotations

from dataclasses import replace

from lictor import App, SystemClock
from lictor.desks.trading.app import World, trading_app
from lictor.desks.trading.blotter import Blotter
from lictor.desks.trading.conversation import Conversation
from lictor.desks.trading.deciders import FittedModel, Reversion
from lictor.desks.trading.policy import Policy
from lictor.desks.trading.tape import Tape


def app(policy: Policy | None = None) -> App:
    """The desk as the demo declares it."""
    policy = policy or Policy()
    tape, blotter = Tape(policy), Blotter(policy)
    world = World(tape, blotter, Conversation(tape, blotter, SystemClock(), within_s=1.0), dict)
    return trading_app(world, policy, (FittedModel.name, Reversion.name)).app


def cautious() -> App:
    """A desk that wants to be surer, and would hold half the position."""
    usual = Policy()
    return app(replace(usual, confidence_min=0.45, position_max=usual.position_max // 2))
