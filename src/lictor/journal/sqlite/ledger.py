"""Balances counted a second time, for `verify`: plain sums over history, sharing no code with the live arithmetic."""

from __future__ import annotations

from collections.abc import Callable

from lictor.records import Amount, Decision, Reservation

#: Told of what is wrong: invariant, detail.
Note = Callable[[str, str], None]

Hold = tuple[str, str, int | None]


class Ledger:
    """What was settled and is reserved in each scope and window, and the limits in force."""

    def __init__(self) -> None:
        self.limits: dict[tuple[str, str], Amount] = {}
        self.windows_us: dict[tuple[str, str], int | None] = {}
        self.settled: dict[Hold, Amount] = {}
        self.reserved: dict[Hold, Amount] = {}
        self.overran: set[tuple[str, str]] = set()
        #: What each open decision holds.
        self.held: dict[int, dict[Hold, Amount]] = {}

    def set_limit(self, budget: str, scope: str, limit: Amount, window_s: float | None, *, reset: bool) -> None:
        """A limit in force from here on."""
        name = (budget, scope)
        self.limits[name] = limit
        if name not in self.windows_us or window_s is not None:
            width_us = round(window_s * 1_000_000) if window_s else None
            if self.windows_us.setdefault(name, width_us) != width_us:
                self.windows_us[name] = width_us
                for hold in [hold for hold in self.settled if hold[:2] == name and not self.reserved.get(hold)]:
                    del self.settled[hold]
        if reset:
            self.overran.discard(name)

    def reserve(self, of: Decision, asked: tuple[Reservation, ...], note: Note) -> None:
        """An admission's reservations: first out of what the parent holds, then out of the balance (I3)."""
        mine = self.held.setdefault(of.id, {})
        parents = self.held.get(of.parent, {}) if of.parent is not None else {}
        for reservation in asked:
            hold = (reservation.budget, reservation.scope, reservation.window_us)
            if reservation.amount < 0:
                note("I3", f"decision {of.id} reserved {reservation.amount} of {hold[0]}/{hold[1]}")
            drawn = max(min(parents.get(hold, 0), reservation.amount), 0)
            if drawn:
                parents[hold] -= drawn
            mine[hold] = mine.get(hold, 0) + reservation.amount
            new = reservation.amount - drawn
            if not new:
                continue
            self.reserved[hold] = self.reserved.get(hold, 0) + new
            taken = self.settled.get(hold, 0) + self.reserved[hold]
            limit = self.limits.get(hold[:2], 0)
            if taken > limit:
                note("I3", f"decision {of.id} brought {hold[0]}/{hold[1]} to {taken} of {limit}")
            if hold[:2] in self.overran:
                note("I3", f"decision {of.id} reserved {hold[0]}/{hold[1]} while an overrun latched it")

    def end(self, id_: int, used: dict[tuple[str, str], Amount], at_us: int, *, settles: bool, succeeded: bool) -> None:
        """An end: what was used is settled, in the window of the reservation, and the rest released."""
        reported = dict(used) if settles else {}
        known = set(reported)
        for hold, held in self.held.pop(id_, {}).items():
            name = hold[:2]
            truth = reported.pop(name, 0) if name in known else held if succeeded else 0
            self.reserved[hold] = self.reserved.get(hold, 0) - held
            self.settled[hold] = self.settled.get(hold, 0) + truth
            limit = self.limits.get(name, 0)
            if truth > held and (held > 0 or self.settled[hold] + self.reserved[hold] > limit):
                self.overran.add(name)
        for name, amount in reported.items():
            if name in self.limits:
                self._unreserved(name, amount, at_us)

    def _unreserved(self, name: tuple[str, str], amount: Amount, at_us: int) -> None:
        """Used of a budget that was not reserved."""
        width_us = self.windows_us[name]
        hold = (*name, None if width_us is None else at_us // width_us * width_us)
        self.settled[hold] = self.settled.get(hold, 0) + amount
        if amount > 0 and self.settled[hold] + self.reserved.get(hold, 0) > self.limits[name]:
            self.overran.add(name)
