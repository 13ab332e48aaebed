"""What the conformance suite of journals stands on: verbs with defaults, a journal to drive, a state to compare.

Touches a journal through its port alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from hashlib import sha256
from typing import Any

from lictor.journal.open import Open, OpenAction
from lictor.journal.port import Act, Admit, Answer, Close, Journal, SetLimit, Start, StartItem, Verb
from lictor.journal.state import State
from lictor.records import Action, Amount, Decision, Lease, Outcome, Plan, Reservation, Result, Ruling, Verdict

T0_US = 1_700_000_000_000_000
MINUTE_US = 60_000_000


def decision(id_: int, payload: bytes = b"{}", **fields: Any) -> Decision:
    """A decision with defaults for all that a case does not care about."""
    digest = sha256(payload).digest()
    wanted: dict[str, Any] = {
        "id": id_, "kind": "payout", "version": 1, "tenant": "acme", "source": "agent", "key": None, "digest": digest,
        "payload": payload, "received_us": T0_US, "deadline_us": T0_US + MINUTE_US, "priority": 2,
        "submitted_digest": digest,
    }  # fmt: skip
    return Decision(**(wanted | fields))


def verdict(of: Decision, result: Result = Result.ADMITTED, code: str | None = None, *holds: Reservation) -> Verdict:
    """A verdict on exactly that content."""
    rulings = (Ruling("rule", "deny" if code else "allow", "v1", code),)
    return Verdict(result=result, at_us=T0_US, digest=of.digest, code=code, rulings=rulings, reservations=holds)


def admit(of: Decision, *holds: Reservation, fence: int | None = None, actions: int = 1) -> Admit:
    """An admission; with a fence it also starts its first action."""
    plan = Plan(tuple(Action("transfer", (of.id, ordinal)) for ordinal in range(actions)))
    lease = None if fence is None else Lease(fence, T0_US + MINUTE_US)
    return Admit(of, verdict(of, Result.ADMITTED, None, *holds), plan, lease)


def refuse(of: Decision, code: str = "NO") -> Admit:
    """A refusal by a gate."""
    return Admit(of, verdict(of, Result.REFUSED, code))


def hold(of: Decision) -> Admit:
    """A verdict that waits for a person."""
    return Admit(of, verdict(of, Result.HELD))


def defer(of: Decision) -> Admit:
    """A verdict that waits for a time."""
    return Admit(of, verdict(of, Result.DEFERRED))


def cash(amount: Amount, scope: str = "acme", window_us: int | None = None) -> Reservation:
    """A reservation of the budget that most cases use."""
    return Reservation("cash", scope, amount, window_us)


def limit(amount: Amount, scope: str = "acme", **fields: Any) -> SetLimit:
    """The limit of that budget."""
    return SetLimit("cash", scope, amount, T0_US, "olga", **fields)


def start(id_: int, fence: int, *ordinals: int) -> Start:
    """A tick that starts actions of one decision."""
    return Start((StartItem(id_, ordinals or (0,), fence),), T0_US + MINUTE_US)


def close(id_: int, event: str = "succeed", acts: Sequence[Act] = (), **fields: Any) -> Close:
    """A terminal outcome."""
    results = {"succeed": "succeeded", "fail": "failed", "expire": "expired", "cancel": "cancelled"}
    result = results.get(event, event)
    return Close(id_, event, Outcome(decision=id_, result=result, at_us=T0_US, **fields), tuple(acts))


class Stand:
    """A journal under test, and what a case does to it."""

    def __init__(self, make: Callable[[], Journal], kill: Callable[[Journal], None], *, reopens: bool) -> None:
        self._make = make
        self._kill = kill
        self._reopens = reopens
        self.at_us = T0_US
        self.journal = make()

    @property
    def state(self) -> State:
        """The current state."""
        return self.journal.state

    async def write(self, *verbs: Verb) -> list[Answer]:
        """One batch; then, where the case is run so, the journal closed and opened again with the same state."""
        answers = await self.journal.write(verbs, self.at_us)
        if self._reopens:
            before = picture(self.state)
            await self.reopen()
            assert picture(self.state) == before
        return answers

    async def one(self, verb: Verb) -> Answer:
        """One verb in a batch of its own."""
        (answer,) = await self.write(verb)
        return answer

    async def reopen(self) -> State:
        """Close and open again."""
        await self.journal.close()
        self.journal = self._make()
        return await self.journal.open(self.at_us)

    async def crash(self) -> State:
        """Open again without closing, as after a kill."""
        self._kill(self.journal)
        self.journal = self._make()
        return await self.journal.open(self.at_us)

    def another(self) -> Journal:
        """A second, unopened journal on the same store."""
        return self._make()

    def fence(self) -> int:
        """A new fencing token."""
        return self.state.next_fence()

    def room(self, scope: str = "acme", window_us: int | None = None) -> Amount:
        """What is left of the budget `cash`."""
        return self.state.balances["cash", scope].room(window_us)

    async def events(self, id_: int) -> list[str]:
        """The story of one decision, as names of events."""
        return [row.event for row in await self.journal.history(id_)]


def picture(state: State) -> dict[str, Any]:
    """All of a state that follows from history, in a form that can be compared; epochs and clocks apart."""
    return {
        "open": {id_: _open(found) for id_, found in sorted(state.all_open().items())},
        "balances": {
            name: (balance.limit, balance.window_us, balance.latched, {w: tuple(s) for w, s in balance.sums.items()})
            for name, balance in sorted(state.balances.items())
        },
        "halts": dict(state.halts),
        "grants": dict(state.grants),
        "standing": dict(state.standing),
        "marks": dict(state.marks),
        "lessons": dict(state.lessons),
        "adjustments": dict(state.adjustments),
        "quarantine": dict(state.quarantine),
        "references": dict(state.references),
        "declared": state.declared,
        "learned_seq": state.learned_seq,
    }


def _open(found: Open) -> tuple[Any, ...]:
    return (
        found.decision, found.verdict, found.state, found.born, found.place, found.plan, dict(found.held),
        found.approvals, found.cancel_asked, found.cancel_by, found.started_us, found.lease_until_us,
        [_action(action) for action in found.actions],
    )  # fmt: skip


def _action(action: OpenAction) -> tuple[Any, ...]:
    return tuple(copy(getattr(action, name)) for name in OpenAction.__struct_fields__)
