"""Reports that the world or a person brings unasked: taken up in the next turn, answered when that is durable.

The world may be faster than the call that asks it: a report under a name that no effector has told yet is kept while
those calls are in flight of which one may tell it, bounded, and given to the action that turns out to have that name.
Who brought it is answered when it is durable there, or when nobody has told the name, and not before (I6).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import NamedTuple, Protocol

import msgspec

from lictor.declarations.budgets import check_amount
from lictor.declarations.plain import storable, text
from lictor.errors import MalformedError, NotFoundError
from lictor.records import Report

#: Reports kept for names that nobody has told yet; of more nobody is found (I17).
EARLY_MAX = 1_024


class Heard(NamedTuple):
    """One report, who brought it, and who waits to learn whether it changed something."""

    #: The world's name of the action, or the decision's id.
    where: str | int
    ordinal: int
    report: Report
    by: str
    told: asyncio.Future[bool]


class InFlight(Protocol):
    """A call that may tell a name."""

    done: bool


class Early(NamedTuple):
    """A report that came before its name, and the calls that were in flight then."""

    heard: Heard
    calls: tuple[InFlight, ...]


RESULTS = frozenset({"succeeded", "failed", "cancelled", "expired", "absent"})


def sound(report: Report) -> Report:
    """A report in the form in which it is kept: plain values, true amounts.

    Raises:
        MalformedError: it names no result that there is, or what it settles is no amount.
    """
    if report.result is not None and report.result not in RESULTS:
        raise MalformedError(f"a report's result is one of {', '.join(sorted(RESULTS))}, not {text(report.result)!r}")
    try:
        for budget, amount in report.settled.items():
            check_amount(amount, budget)
    except (TypeError, ValueError) as error:
        raise MalformedError(text(error)) from error
    return msgspec.structs.replace(
        report,
        id=text(report.id),
        code=None if report.code is None else text(report.code),
        value=storable(report.value),
        settled={text(budget): amount for budget, amount in report.settled.items()},
    )


class Hearing:
    """What was brought since the last turn, and what has come too early."""

    def __init__(self) -> None:
        self._heard: list[Heard] = []
        self._durable: list[tuple[asyncio.Future[bool], bool]] = []
        self._early: list[Early] = []

    def hear(self, where: str | int, ordinal: int, report: Report, by: str) -> asyncio.Future[bool]:
        """Bring a report; the answer is whether it changed something, once that is durable.

        Raises:
            MalformedError: it says nothing that a journal can keep.
        """
        report = sound(report)
        told: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._heard.append(Heard(where, ordinal, report, by, told))
        return told

    @property
    def waits(self) -> bool:
        """Something was brought that no turn has taken up."""
        return bool(self._heard)

    def take(self) -> list[Heard]:
        """What was brought since the last turn."""
        heard, self._heard = self._heard, []
        return heard

    def changed(self, heard: Heard, *, changed: bool) -> None:
        """It is part of this turn; who brought it is told after the commit."""
        self._durable.append((heard.told, changed))

    def committed(self) -> None:
        """The turn is durable."""
        durable, self._durable = self._durable, []
        for told, changed in durable:
            if not told.done():
                told.set_result(changed)

    def keep(self, heard: Heard, calls: Iterable[InFlight]) -> None:
        """Keep one until its action is known by this name, or none of these calls can tell it any more."""
        behind = tuple(calls)
        if behind and len(self._early) < EARLY_MAX:
            self._early.append(Early(heard, behind))
        else:
            not_found(heard)

    def early(self, ref: str) -> list[Heard]:
        """Those of an action whose name has just been told, in the order of their arrival."""
        found = [early.heard for early in self._early if early.heard.where == ref]
        if found:
            self._early = [early for early in self._early if early.heard.where != ref]
        return found

    def give_up(self) -> None:
        """Tell who brought a report under a name that no call has told."""
        if self._early:
            waiting = [early for early in self._early if not all(call.done for call in early.calls)]
            over = [early for early in self._early if all(call.done for call in early.calls)]
            self._early = waiting
            for early in over:
                not_found(early.heard)


def not_found(heard: Heard) -> None:
    """Nothing open goes by this name."""
    if not heard.told.done():
        heard.told.set_exception(NotFoundError(f"no open action {heard.where!r}"))
