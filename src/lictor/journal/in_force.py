"""Which facts still say what is so: retention keeps them, however old they are. Pure."""

from __future__ import annotations

from . import port
from .state import State


def in_force(state: State, fact: port.Verb) -> bool:
    """Whether a fact still says what is so: what gates read, and what a person has set."""
    match fact:
        case port.Refer():
            return state.references.get(fact.name) == fact.version
        case port.SetLimit() if not fact.by.startswith("app:"):
            balance = state.balances.get((fact.budget, fact.scope))
            return balance is not None and balance.limit == fact.limit
        case port.SetHalt(halt):
            return state.halts.get(halt.scope) == halt
        case port.SetGrant(grant):
            return state.grants.get(grant.id) == grant
        case port.SetStanding(standing):
            return state.standing.get((standing.gate, standing.subject)) == standing
        case port.Mark():
            return state.marks.get(fact.name) == fact.cursor
        case port.Declare():
            return state.declared == fact
    return False
