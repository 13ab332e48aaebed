"""The world outside, in simulation: what effectors call, what really happened there, and everything that arrived.

One `Party` stands behind each effector. It may refuse, be busy, fail before or after it did it, be slow, hang, or do it
while the engine has long stopped waiting. It never lies: `absent` is only said of what has not happened, and whatever
of it is still on its way is turned down from then on, because the party remembers the fencing token.

Reads: the loop's time, the faults of the seed. Writes: its own log of arrivals, which invariants are checked against.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Container
from contextlib import suppress
from functools import partial
from typing import Any, NamedTuple, Protocol

from lictor.declarations.budgets import Balance
from lictor.declarations.effectors import Call, EffectFailed, pending
from lictor.records import Amount, Report
from lictor.testing.faults import Faults
from lictor.testing.loop import SimLoop

#: Kinds of faults of a party, and how likely each is at each call, in the seeds that have it at all.
WORLD_FAULTS: dict[str, float] = {
    "refuse": 0.08,
    "busy": 0.15,
    "raise before": 0.1,
    "raise after": 0.1,
    "time out before": 0.08,
    "time out after": 0.25,
    "arrive late": 0.06,
    "slow": 0.3,
    "hang": 0.04,
    "deaf": 0.8,
    "ask fails": 0.2,
    "ask unknown": 0.3,
    "undo fails": 0.15,
    "report early": 0.3,
    "report twice": 0.3,
    "report late": 0.3,
    "overrun": 0.1,
}


class Arrival(NamedTuple):
    """One call as it arrived."""

    party: str
    key: str
    decision: int
    ordinal: int
    fence: int
    args: tuple[Any, ...]
    at_s: float
    machine: str


class Watcher(Protocol):
    """Who is told what reaches the world."""

    def arrived(self, arrival: Arrival, party: Party) -> None:
        """An effector has called; raises what is wrong with that."""
        ...

    def returned(self, arrival: Arrival) -> None:
        """The call has returned to the engine, or the engine has stopped waiting for it."""
        ...


class Deed(NamedTuple):
    """Something that a party has really done."""

    key: str
    fence: int
    amount: Amount
    at_s: float


class World:
    """All parties of one run."""

    def __init__(self, loop: SimLoop, faults: Faults, watcher: Watcher) -> None:
        self.loop = loop
        self.faults = faults
        self.watcher = watcher
        self.random = loop.streams.of("world")
        self.parties: dict[str, Party] = {}
        #: Reports that the engine has recorded: a party that is asked goes on after them.
        self.heard: Container[str] = frozenset()
        #: How a party sends a report to the node on its own: (ref, report) -> delivered.
        self.deliver: Callable[[str, Report], None] = lambda _ref, _report: None

    def party(
        self, name: str, *, idempotent: bool, timeout_s: float, budget: str | None = None, works: bool = False
    ) -> Party:
        """The party behind an effector of that name; one for the run, however often an App is built on it.

        Args:
            name: the effector's.
            idempotent: whether it does the same only once under one key.
            timeout_s: the effector's; calls take about a tenth of it, unless a fault strikes.
            budget: the balance, by name, that its reports settle.
            works: it takes orders, on which it goes on working; see `Party.order`.
        """
        found = self.parties.get(name)
        if found is None:
            found = self.parties[name] = Party(self, name, idempotent, timeout_s, budget, works)
        return found

    def later(self, seconds: float, call: Callable[[], None]) -> None:
        """Let something happen in the world after some time, whatever becomes of any machine."""
        self.loop.world.call(self.loop.call_later, seconds, call)

    def strikes(self, kind: str, party: str) -> bool:
        """Does this fault strike at this party now?"""
        return self.faults.strikes(kind, party)


class Party:
    """What is behind one effector."""

    def __init__(
        self,
        world: World,
        name: str,
        idempotent: bool,  # noqa: FBT001 - likewise
        timeout_s: float,
        budget: str | None,
        works: bool,  # noqa: FBT001 - likewise
    ) -> None:
        self.world = world
        self.name = name
        self.idempotent = idempotent
        self.timeout_s = timeout_s
        #: The balance that reports of its orders settle, by name.
        self.budget = budget
        self.works = works
        self.arrivals: list[Arrival] = []
        #: Keys that have arrived.
        self.seen: set[str] = set()
        #: What was really done, by key. More than one deed under a key is a double effect.
        self.deeds: dict[str, list[Deed]] = {}
        #: Keys of which the engine has been told that nothing has happened, since their last arrival.
        self.cleared: set[str] = set()
        #: Fencing tokens up to which calls are turned down, by key.
        self.fenced: dict[str, int] = {}
        self.undone: set[str] = set()
        self.orders: dict[str, Order] = {}
        self._answers = 0

    # -- what effectors call --------------------------------------------------------------------------------------

    async def act(self, call: Call, *args: Any, amount: Amount = 0, settles: Balance | None = None) -> Any:
        """Do it, in about a tenth of the time-out; what comes back names the attempt that it answers.

        Raises:
            EffectFailed: certainly not done.
            ConnectionError: nobody knows.
        """
        arrival = self._arrive(call, args)
        try:
            self._before(call)
            if self._strikes("arrive late"):
                self.world.later(self.timeout_s * 1.5, partial(self._do_late, call.key, call.fence, amount))
                await asyncio.sleep(self.timeout_s * 4)
            if self._strikes("time out before"):
                await asyncio.sleep(self.timeout_s * 4)
            await asyncio.sleep(self._takes_s())
            value = self._do(call, amount, settles)
            if self._strikes("raise after"):
                raise ConnectionError("connection lost after it was done")
            if self._strikes("time out after"):
                await self._deaf() if self._strikes("deaf") else await asyncio.sleep(self.timeout_s * 4)
            return value
        finally:
            self.world.watcher.returned(arrival)

    def act_now(self, call: Call, *args: Any, amount: Amount = 0, settles: Balance | None = None) -> Any:
        """The same for a function that is not async; a slow one really holds its lane, and may pass its time-out."""
        arrival = self._arrive(call, args)
        try:
            self._before(call)
            if self._strikes("time out before"):
                self.world.loop.advance(self.timeout_s * 1.5)
                raise ConnectionError("no answer")
            self.world.loop.advance(self._takes_s())
            value = self._do(call, amount, settles)
            if self._strikes("raise after"):
                raise ConnectionError("connection lost after it was done")
            if self._strikes("time out after"):
                self.world.loop.advance(self.timeout_s * 1.5)
            return value
        finally:
            self.world.watcher.returned(arrival)

    async def order(self, call: Call, *args: Any, amount: Amount = 0, poll_after_s: float = 2.0) -> Any:
        """Take an order on which the party goes on working; reports come of their own, or `ask` for it."""
        await self.act(call, *args, amount=amount)
        return pending(self.ref(call.key), poll_after_s=poll_after_s)

    async def ask(self, call: Call, *_args: Any, **_kwargs: Any) -> Report | None:
        """What became of the action: done, absent, or not known yet."""
        await asyncio.sleep(self._takes_s())
        if self._strikes("ask fails"):
            raise ConnectionError("nobody answers")
        if self._strikes("ask unknown"):
            return None
        return self.truth(call.key, call.fence)

    async def stop(self, call: Call, *_args: Any, **_kwargs: Any) -> Report | None:
        """Asked to stop: an order that still works ends cancelled; everything else is as it is."""
        await asyncio.sleep(self._takes_s())
        order = self.orders.get(self.ref(call.key))
        return order.stop() if order is not None else None

    async def undo(self, call: Call, *_args: Any, **_kwargs: Any) -> None:
        """Undo what was done; safe to repeat."""
        await asyncio.sleep(self._takes_s())
        if self._strikes("undo fails"):
            raise ConnectionError("not undone")
        self.undone.add(call.key)

    def ref(self, key: str) -> str:
        """The party's own name of what it works on."""
        return f"{self.name}-{key}"

    # -- what is true ---------------------------------------------------------------------------------------------

    def truth(self, key: str, fence: int) -> Report | None:
        """What a person, or the party itself, would say of an action."""
        order = self.orders.get(self.ref(key))
        if order is not None:
            return order.report()
        deeds = self.deeds.get(key)
        if deeds:
            settled = {self.budget: deeds[0].amount} if self.budget else {}
            value = {"key": key, "fence": None}
            return Report(id=f"{key}:done", final=True, result="succeeded", value=value, settled=settled)
        self.fenced[key] = max(fence, self.fenced.get(key, 0))
        self.cleared.add(key)
        self._answers += 1
        return Report(id=f"{key}:absent:{self._answers}", final=True, result="absent")

    def used(self, key: str) -> Amount:
        """The true amount of what was done under a key."""
        order = self.orders.get(self.ref(key))
        if order is not None:
            return order.filled
        return sum(deed.amount for deed in self.deeds.get(key, ()))

    # -- how it goes ----------------------------------------------------------------------------------------------

    def _arrive(self, call: Call, args: tuple[Any, ...]) -> Arrival:
        loop = self.world.loop
        arrival = Arrival(self.name, call.key, call.decision, call.ordinal, call.fence, args, loop.time(), "")
        self.world.watcher.arrived(arrival, self)
        self.arrivals.append(arrival)
        self.seen.add(call.key)
        self.cleared.discard(call.key)
        return arrival

    def _before(self, call: Call) -> None:
        """Faults that strike before anything is done."""
        if self._strikes("refuse") and not (self.idempotent and call.key in self.deeds):
            self.cleared.add(call.key)  # of what it has done under a key it can only say that it has
            raise EffectFailed("refused", code="REFUSED_BY_WORLD")
        if self._strikes("busy"):
            self.cleared.add(call.key)
            raise EffectFailed("busy", code="BUSY", retry=True)
        if self._strikes("raise before"):
            raise ConnectionError("connection lost before it was done")

    def _do(self, call: Call, amount: Amount, settles: Balance | None) -> Any:
        if call.fence <= self.fenced.get(call.key, 0):
            self.cleared.add(call.key)
            raise EffectFailed("its fencing token was told absent", code="FENCED")
        if self._strikes("overrun"):
            amount = amount * 2 + 1
        deed = self._deed(call.key, call.fence, amount)
        if settles is not None:
            call.settle(settles, deed.amount)
        return {"key": call.key, "fence": call.fence}

    async def _deaf(self) -> None:
        """Return long after the time-out, whoever cancels."""
        until_s = self.world.loop.time() + self.timeout_s * (1.0 + 0.6 * self.world.random.random())
        while (left_s := until_s - self.world.loop.time()) > 0:
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(left_s)

    def _deed(self, key: str, fence: int, amount: Amount) -> Deed:
        deeds = self.deeds.setdefault(key, [])
        if deeds and self.idempotent:
            return deeds[0]
        deeds.append(Deed(key, fence, amount, self.world.loop.time()))
        ref = self.ref(key)
        if self.works and ref not in self.orders:
            self.orders[ref] = Order(self, ref, key, amount)
        return deeds[-1]

    def _do_late(self, key: str, fence: int, amount: Amount) -> None:
        """The call was on its way for long; the engine does not wait for it any more."""
        if fence > self.fenced.get(key, 0):
            self._deed(key, fence, amount)

    def _takes_s(self) -> float:
        usual_s = self.timeout_s * 0.1 * self.world.random.random()
        if not self._strikes("slow"):
            return usual_s
        if self._strikes("hang"):
            return self.timeout_s * 4
        return self.timeout_s * self.world.random.random()

    def _strikes(self, kind: str) -> bool:
        return self.world.strikes(kind, self.name)


class Order:
    """Something that a party works on: filled in parts, or cancelled; each part is reported once, until it is heard."""

    def __init__(self, party: Party, ref: str, key: str, amount: Amount) -> None:
        self._party = party
        self.ref = ref
        self.key = key
        draw = party.world.random
        parts = draw.randint(1, 3)
        self._parts = [amount // parts] * (parts - 1) + [amount - amount // parts * (parts - 1)]
        self._filled = 0
        self._end: Report | None = None
        self._unheard: list[Report] = []
        if party.world.strikes("report early", party.name):
            self._fill()
        else:
            self._again()

    @property
    def filled(self) -> Amount:
        """What is filled so far."""
        return sum(self._parts[: self._filled])

    def _again(self) -> None:
        party = self._party
        seconds = party.timeout_s * (0.2 + 2 * party.world.random.random())
        if party.world.strikes("report late", party.name):
            seconds *= 10
        party.world.later(seconds, self._fill)

    def _fill(self) -> None:
        if self._end is not None:
            return
        amount = self._parts[self._filled]
        self._filled += 1
        last = self._filled == len(self._parts)
        self._tell(
            Report(
                id=f"{self.ref}:{self._filled}",
                final=last,
                result="succeeded" if last else None,
                value={"key": self.key, "fence": None},
                settled={self._party.budget: amount} if self._party.budget else {},
            )
        )
        if not last:
            self._again()

    def _tell(self, report: Report) -> None:
        if report.final:
            self._end = report
        world = self._party.world
        self._unheard.append(report)
        world.deliver(self.ref, report)
        if world.strikes("report twice", self._party.name):
            world.deliver(self.ref, report)

    def report(self) -> Report | None:
        """The oldest report that the engine has not recorded; None while there is nothing new."""
        heard = self._party.world.heard
        self._unheard = [report for report in self._unheard if report.id not in heard]
        return self._unheard[0] if self._unheard else self._end

    def stop(self) -> Report | None:
        """Stop working on it, if it is not too late; what was filled stays filled."""
        if self._end is None:
            self._tell(Report(id=f"{self.ref}:cancelled", final=True, result="cancelled"))
        return self.report()
