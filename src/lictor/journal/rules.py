"""The arbiter's arithmetic: may an admission commit, what does it reserve, what does a close settle. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from lictor.errors import Code
from lictor.lifecycle import Transition
from lictor.records import Amount, Decision, Reservation, Ruling

from .open import Hold, Open

if TYPE_CHECKING:
    from . import port
    from .state import State

#: A child of a child of a child of a child is the deepest.
DEPTH_MAX = 4

Refusal = tuple[Code, dict[str, Any]]


def arbiter_ruling(code: str, seen: dict[str, Any]) -> Ruling:
    """What the journal itself ruled."""
    return Ruling("journal", "deny", "", code, seen)


def scopes(decision: Decision, effector: str | None = None) -> Iterator[str]:
    """The halt scopes that a decision (and an effector) falls into."""
    yield "all"
    yield f"kind:{decision.kind}"
    yield f"source:{decision.source}"
    yield f"tenant:{decision.tenant}"
    if effector is not None:
        yield f"effector:{effector}"


def halted(state: State, decision: Decision, effector: str | None = None) -> str | None:
    """The scope that forbids every start for this decision, if one does (I12)."""
    if not state.halts:
        return None
    for scope in scopes(decision, effector):
        halt = state.halts.get(scope)
        if halt is not None and halt.mode == "halted":
            return scope
    return None


def stopped(state: State, scope: str) -> bool:
    """Whether nothing starts in this scope."""
    halt = state.halts.get(scope)
    return halt is not None and halt.mode == "halted"


def admission_refusal(state: State, verb: port.Admit, at_us: int) -> Refusal | None:
    """Why an admission that the gates allowed may not commit; None when it may."""
    decision = verb.decision
    if at_us >= decision.deadline_us:  # I5
        return Code.EXPIRED, {"deadline_us": decision.deadline_us, "at_us": at_us}
    if state.halts and (scope := halted(state, decision)) is not None:
        return Code.HALTED, {"scope": scope}
    if decision.parent is not None:
        parent = state.open.get(decision.parent) or state.recall(decision.parent)
        if (
            parent is None
            or parent.waits
            or parent.decision.tenant != decision.tenant
            or decision.depth > DEPTH_MAX
            or decision.parent == decision.supersedes
        ):
            return Code.PARENT_INVALID, {"parent": decision.parent, "depth": decision.depth, "depth_max": DEPTH_MAX}
    old = None
    if decision.supersedes is not None:
        old = state.open.get(decision.supersedes) or state.recall(decision.supersedes)
    if old is not None and (old.decision.tenant, old.decision.source) != (decision.tenant, decision.source):
        return Code.NOT_PERMITTED, {"supersedes": decision.supersedes}
    reservations = verb.verdict.reservations
    if not reservations or (len(reservations) == 1 and _plainly_affordable(state, decision, reservations[0])):
        return None
    return _unaffordable(state, decision, reservations)


def _plainly_affordable(state: State, decision: Decision, asked: Reservation) -> bool:
    """The common case, for speed alone: one reservation that draws on nothing and replaces nothing, and fits."""
    if decision.parent is not None or decision.supersedes is not None:
        return False
    balance = state.balances.get((asked.budget, asked.scope))
    return balance is not None and not balance.latched and 0 <= asked.amount <= balance.room(asked.window_us)


def _unaffordable(state: State, decision: Decision, reservations: tuple[Reservation, ...]) -> Refusal | None:
    """The first scope that has not enough room, with what it would have needed (I3)."""
    freed = _freed_by(state, decision)
    asked: dict[Hold, Amount] = {}
    for hold, amount, from_parent in draws(state, decision, reservations):
        if amount < 0:
            return Code.MALFORMED, {"budget": hold[0], "scope": hold[1], "asked": amount}
        asked[hold] = asked.get(hold, 0) + amount - from_parent
    for hold, amount in asked.items():
        budget, scope, window = hold
        balance = state.balances.get((budget, scope))
        if balance is None:
            return Code.BUDGET_EXCEEDED, {"budget": budget, "scope": scope, "asked": amount, "left": 0, "limit": None}
        if balance.latched:
            return Code.BUDGET_LATCHED, {"budget": budget, "scope": scope}
        left = balance.room(window) + freed.get(hold, 0)
        if amount > left and amount:  # what comes out of the parent's reservation asks for nothing new
            return Code.BUDGET_EXCEEDED, {
                "budget": budget,
                "scope": scope,
                "asked": amount,
                "left": left,
                "limit": balance.limit,
            }
    return None


def _freed_by(state: State, decision: Decision) -> dict[Hold, Amount]:
    """What an unstarted decision that this one supersedes will release in the same transaction."""
    old = state.open.get(decision.supersedes) if decision.supersedes is not None else None
    return old.held if old is not None and not old.started else {}


def draws(
    state: State,
    decision: Decision,
    reservations: tuple[Reservation, ...],
) -> list[tuple[Hold, Amount, Amount]]:
    """Each reservation as (hold, amount, how much of it comes out of what the parent already holds)."""
    parent = state.open.get(decision.parent) if decision.parent is not None else None
    if parent is None:
        if len(reservations) == 1:  # nearly always
            r = reservations[0]
            return [((r.budget, r.scope, r.window_us), r.amount, 0)]
        return [((r.budget, r.scope, r.window_us), r.amount, 0) for r in reservations]
    left = dict(parent.held)
    drawn = []
    for r in reservations:
        hold = (r.budget, r.scope, r.window_us)
        from_parent = max(min(r.amount, left.get(hold, 0)), 0)
        if from_parent:
            left[hold] -= from_parent
        drawn.append((hold, r.amount, from_parent))
    return drawn


def settlement(state: State, found: Open, transition: Transition, at_us: int) -> Sequence[tuple[Hold, Amount, Amount]]:
    """What a closing decision does to each balance, as (hold, amount held, amount truly used).

    What its actions reported is the truth. Where they reported nothing for a reserved budget, a success used the whole
    reservation and anything else used none of it. Amounts on budgets that it did not reserve are booked too.
    A budget that it holds in several windows is charged in the first of them.
    """
    held = found.held
    reported = found.used() if transition.releases == "settle" else _NOTHING
    succeeded = transition.to == "succeeded"
    if not reported:
        return [(hold, amount, amount if succeeded else 0) for hold, amount in held.items()]
    if len(held) == 1 == len(reported):  # nearly always
        ((hold, amount),) = held.items()
        used = reported.get((hold[0], hold[1]))
        if used is not None:
            return [(hold, amount, used)]
    left = dict(reported)
    moves: list[tuple[Hold, Amount, Amount]] = []
    for hold, amount in held.items():
        scope = (hold[0], hold[1])
        used = left.pop(scope, 0) if scope in reported else amount if succeeded else 0
        moves.append((hold, amount, used))
    for scope, amount in left.items():
        balance = state.balances.get(scope)
        if balance is not None:
            moves.append(((scope[0], scope[1], balance.window(at_us)), 0, amount))
    return moves


_NOTHING: dict[tuple[str, str], Amount] = {}


def is_its_source(state: State, name: str, decision: Decision) -> bool:
    """Whether a person is who decided this, and so never its approver (I13).

    Its source, who corrected its content, and who has or ever had a key that decides as its source.
    """
    return name in {decision.source, decision.corrected_by} or any(
        g.name == name and g.sources is not None and decision.source in g.sources for g in state.grants.values()
    )
