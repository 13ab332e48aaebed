"""The tenants of one class that wait for the same thing, in the order of their virtual times. Pure."""

from __future__ import annotations

from bisect import bisect_left, insort
from typing import Generic, TypeVar

W = TypeVar("W")

#: Idle tenants are forgotten from this many on; those who are gone leave nothing behind (I17).
TENANTS_KEPT = 1_024
#: The front of the list of tenants is cut off when so many have gone from it.
GONE_MIN = 64


class Tenant(Generic[W]):
    """One tenant in one class."""

    __slots__ = ("claims", "cost", "known", "lent", "place", "running", "time", "weight", "work")

    def __init__(self, weight: float, cost: float) -> None:
        self.weight = weight
        #: What its work costs on average: a guess, until so much of it is known.
        self.cost = cost
        self.known = 0
        #: Virtual time: where its next work starts.
        self.time = 0.0
        #: Its entry among those who wait; None while it waits for nothing.
        self.place: tuple[float, int, Tenant[W]] | None = None
        self.work: list[tuple[int, int, W]] = []
        #: Work was turned away since it was served last: its time still holds.
        self.claims = False
        #: What was taken and has not been settled: how much, and what was charged for it.
        self.running = 0
        self.lent = 0.0


class Tenants(Generic[W]):
    """The tenants of one class."""

    __slots__ = (
        "away",
        "away_count",
        "coming",
        "coming_cost",
        "coming_count",
        "cost",
        "count",
        "forget_at",
        "gone",
        "order",
        "priority",
        "tenants",
        "time",
        "weight",
    )

    def __init__(self, priority: int) -> None:
        self.priority = priority
        #: How much waits, and what it is reckoned to cost.
        self.count = 0
        self.cost = 0.0
        self.forget_at = TENANTS_KEPT
        #: Virtual time: where the work that was taken last had its start. It never goes back.
        self.time = 0.0
        self.tenants: dict[str, Tenant[W]] = {}
        #: Those who wait, by their times and then as they came; the first `gone` entries have been served.
        self.order: list[tuple[float, int, Tenant[W]]] = []
        self.gone = 0
        #: The weights of those who wait, together.
        self.weight = 0.0
        #: What will be pushed after this turn's commit, by tenant.
        self.coming: dict[str, int] = {}
        self.coming_count = 0
        self.coming_cost = 0.0
        #: What waits elsewhere and will be pushed in time, by tenant.
        self.away: dict[str, int] = {}
        self.away_count = 0

    def enter(self, tenant: Tenant[W], ticket: int) -> None:
        """The tenant waits at its time."""
        tenant.place = place = (tenant.time, ticket, tenant)
        order = self.order
        if not order or order[-1] < place:
            order.append(place)
        else:
            insort(order, place, lo=self.gone)

    def leave(self, tenant: Tenant[W]) -> None:
        """The tenant waits there no more."""
        place, tenant.place = tenant.place, None
        if place is None:
            return
        order = self.order
        at = bisect_left(order, place, lo=self.gone)
        if at == self.gone:
            self.gone += 1
            if self.gone >= GONE_MIN and self.gone * 2 >= len(order):
                del order[: self.gone]
                self.gone = 0
        else:
            del order[at]

    def start(self, tenant: Tenant[W], credit: float) -> float:
        """Where work of a tenant that waits for nothing would start now."""
        since = self.time - credit / tenant.weight if tenant.claims else self.time
        return max(tenant.time, since)
