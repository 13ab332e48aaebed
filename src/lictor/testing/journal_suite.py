"""The conformance suite that every journal must pass, unchanged: behaviour through the port alone.

Each of `CASES` is a coroutine function that takes a `Stand` and drives it through one promise. To run them on a store:

    @pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
    @pytest.mark.parametrize("reopens", [False, True])
    def test_my_journal(case, reopens, tmp_path):
        asyncio.run(conform(case, lambda: MyJournal(tmp_path), reopens=reopens))

With `reopens` the journal is closed and opened again after each batch, and must show the same state.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from hashlib import sha256
from typing import Any

from lictor.journal.open import Open, OpenAction
from lictor.journal.port import Act, Admit, Answer, Close, Journal, SetLimit, Start, StartItem, Verb
from lictor.journal.state import State
from lictor.lifecycle import DecisionState
from lictor.records import Action, Amount, Decision, Lease, Outcome, Plan, Reservation, Result, Ruling, Verdict

T0_US = 1_700_000_000_000_000
MINUTE_US = 60_000_000


def decision(id_: int, payload: bytes = b"{}", **fields: Any) -> Decision:
    """A decision with defaults for all that a case does not care about."""
    digest = sha256(payload).digest()
    wanted = {
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

    def __init__(self, make: Callable[[], Journal], *, reopens: bool) -> None:
        self._make = make
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
        return await self.crash()

    async def crash(self) -> State:
        """Open again without closing, as after a kill; the old journal must be of no use any more."""
        self.journal = self._make()
        return await self.journal.open(self.at_us)

    def fence(self) -> int:
        """A new fencing token."""
        return self.state.next_fence()

    def room(self, scope: str = "acme", window_us: int | None = None) -> Amount:
        """What is left of the budget `cash`."""
        return self.state.balances["cash", scope].room(window_us)

    async def events(self, id_: int) -> list[str]:
        """The story of one decision, as names of events."""
        return [row.event for row in await self.journal.history(id_)]


Case = Callable[[Stand], Awaitable[None]]


async def conform(case: Case, make: Callable[[], Journal], *, reopens: bool) -> None:
    """Run one case on a fresh store; `make` gives a new, unopened journal on it each time.

    Raises:
        AssertionError: the journal breaks the promise that the case is named for.
    """
    stand = Stand(make, reopens=reopens)
    await stand.journal.open(T0_US)
    try:
        await case(stand)
        before = picture(stand.state)
        await stand.reopen()
        assert picture(stand.state) == before, "reopening changed the state"
    finally:
        await stand.journal.close()


def picture(state: State) -> dict[str, Any]:
    """All of a state that follows from history, in a form that can be compared; epochs and clocks apart."""
    return {
        "open": {id_: _open(found) for id_, found in sorted(state.open.items())},
        "balances": {
            name: (balance.limit, balance.window_us, balance.latched, {w: tuple(s) for w, s in balance.sums.items()})
            for name, balance in sorted(state.balances.items())
        },
        "halts": state.halts,
        "lessons": state.lessons,
        "adjustments": state.adjustments,
        "quarantine": state.quarantine,
        "references": state.references,
        "declared": state.declared,
        "learned_seq": state.learned_seq,
    }


def _open(found: Open) -> tuple[Any, ...]:
    return (
        found.decision, found.verdict, found.state, found.born, found.place, found.plan, found.held, found.approvals,
        found.cancel_asked, found.cancel_by, found.started_us, found.lease_until_us,
        [_action(action) for action in found.actions],
    )  # fmt: skip


def _action(action: OpenAction) -> tuple[Any, ...]:
    return tuple(getattr(action, name) for name in OpenAction.__struct_fields__)


WAITS = (DecisionState.HELD, DecisionState.DEFERRED)
