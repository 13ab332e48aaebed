"""Rules again on decisions that were admitted by what holds no longer, and says whether they would be admitted today.

What a decision has reserved counts as free for it: its gates see the budgets as if it came anew.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from lictor.errors import MalformedError
from lictor.journal.open import Open
from lictor.records import Adjustment, Amount, Decision, Result, Verdict

from .gatekeeper import Gatekeeper
from .lookups import Lookups
from .snapshot import Loaded, Sums, World


class Rechecking:
    """Asked by execution before it starts such work; answers each decision once, when its lookups have answered."""

    def __init__(
        self,
        gatekeeper: Gatekeeper,
        lookups: Lookups,
        world: World,
        value_of: Callable[[Decision], Any],
        spawn: Callable[..., None],
        answer: Callable[[int, str | None], None],
    ) -> None:
        self._gatekeeper = gatekeeper
        self._lookups = lookups
        self._world = world
        self._value_of = value_of
        self._spawn = spawn
        self._answer = answer

    def ask(self, found: Open, now_us: int) -> None:
        """Rule again; at once where no lookup has to be asked first."""
        try:
            value = self._value_of(found.decision)
        except MalformedError as error:
            self._answer(found.decision.id, error.message)
            return
        if self._lookups.needed(found.decision.kind):
            self._spawn(self._look_up(found, value, now_us))
        else:
            self._rule(found, value, now_us, None)

    def outdated(self, found: Open) -> bool:
        """Whether a reference that its enforced gates read has another version by now."""
        references = self._world.references
        for ruling in found.verdict.rulings:
            if not ruling.shadow:
                for read in ruling.reads:
                    now = references.get(read.name)
                    if now is not None and now.read.version != read.version:
                        return True
        return False

    async def _look_up(self, found: Open, value: Any, now_us: int) -> None:
        left_s = (found.decision.deadline_us - now_us) / 1e6
        self._rule(found, value, now_us, await self._lookups.ask(found.decision.kind, value, left_s))

    def _rule(self, found: Open, value: Any, now_us: int, answers: dict[str, Any] | None) -> None:
        world = Without(self._world, found.held)
        ruled = self._gatekeeper.rule(
            found.decision, value, world, {}, now_us, answers=answers, approvals=found.approvals
        )
        self._answer(found.decision.id, objection(found, ruled.verdict))


def objection(found: Open, verdict: Verdict) -> str | None:
    """Why the admission would not stand under today's verdict; None where it would."""
    if verdict.result is not Result.ADMITTED:
        against = [ruling for ruling in verdict.rulings if ruling.result != "allow" and not ruling.shadow]
        by = against[-1] if against else None
        return f"{verdict.result} by {by.gate}: {by.code}" if by is not None else f"{verdict.result}: {verdict.code}"
    if verdict.digest != found.decision.digest:
        return "it would be amended"
    asked: dict[tuple[str, str], Amount] = {}
    for reservation in verdict.reservations:
        scope = reservation.budget, reservation.scope
        asked[scope] = asked.get(scope, 0) + reservation.amount
    for scope, amount in asked.items():
        held = sum(kept for (budget, of, _), kept in found.held.items() if (budget, of) == scope)
        if amount > held:
            return f"it would reserve {amount} of {scope[0]}/{scope[1]}, and holds {held}"
    return None


class Without:
    """The world without what one decision has reserved."""

    def __init__(self, world: World, held: Mapping[tuple[str, str, int | None], Amount]) -> None:
        self._world = world
        self.balances: Mapping[tuple[str, str], Sums] = _Freed(world.balances, held) if held else world.balances

    @property
    def references(self) -> Mapping[str, Loaded]:
        """As they are."""
        return self._world.references

    @property
    def adjustments(self) -> Mapping[tuple[str, str], Adjustment]:
        """As they are."""
        return self._world.adjustments

    def score(self, source: str, name: str) -> float:
        """As it is."""
        return self._world.score(source, name)


class _Freed(Mapping[tuple[str, str], Sums]):
    def __init__(
        self, balances: Mapping[tuple[str, str], Sums], held: Mapping[tuple[str, str, int | None], Amount]
    ) -> None:
        self._balances = balances
        self._held = held

    def __getitem__(self, scope: tuple[str, str]) -> Sums:
        held = {window: amount for (budget, of, window), amount in self._held.items() if (budget, of) == scope}
        found = self._balances[scope]
        return _Roomier(found, held) if held else found

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self._balances)

    def __len__(self) -> int:
        return len(self._balances)


class _Roomier:
    """A scope of a balance, with what is held of it free."""

    def __init__(self, sums: Sums, held: Mapping[int | None, Amount]) -> None:
        self._sums = sums
        self._held = held
        self.limit = sums.limit

    def window(self, at_us: int) -> int | None:
        return self._sums.window(at_us)

    def room(self, window: int | None) -> Amount:
        return self._sums.room(window) + self._held.get(window, 0)
