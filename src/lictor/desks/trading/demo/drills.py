"""Exercises of the demo: faults at the venue, slips, a kill switch, approvals. All of them are counted apart.

Each is a coroutine started at its time on the virtual clock. People act under made-up names; what they do is real:
durable, checked, and refused where it may not be.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from lictor import Handle, LictorError
from lictor.desks.trading.deciders import Proposal, propose
from lictor.desks.trading.demo.record import Recorder
from lictor.desks.trading.demo.venue import Venue
from lictor.desks.trading.kinds import Flatten, Trade, Withdraw
from lictor.desks.trading.market import BUY, QTY_PER_BTC, SELL
from lictor.desks.trading.session import Session

HEAD = "Livia, head of desk"
RISK = "Prisca, risk"


@dataclass(slots=True)
class Drills:
    """The exercises of one run."""

    session: Session
    venue: Venue
    recorder: Recorder
    #: A version that is approved.
    model: str
    count: int = 0

    def plan(self) -> list[tuple[float, Callable[[], Awaitable[None]]]]:
        """When each starts, in virtual seconds after trading began."""
        return [
            (40.0, self.lost_acknowledgement),
            (100.0, self.lost_connection),
            (150.0, self.slip_of_the_finger),
            (165.0, self.unapproved_model),
            (180.0, self.nonsense),
            (195.0, self.key_reused),
            (210.0, self.old_signal),
            (220.0, self.too_late),
            (225.0, self.not_permitted),
            (230.0, self.large_approved),
            (260.0, self.large_denied),
            (300.0, self.kill_switch),
            (380.0, self.withdrawn),
            (430.0, self.reports_repeated),
            (500.0, self.venue_halted),
        ]

    # -- faults at the venue --------------------------------------------------------------------------------------

    async def lost_acknowledgement(self) -> None:
        """The venue takes the next order and says nothing more of it."""
        await self.venue.tell("fault", kind="drop_acks", count=1)
        self._note("fault", "the venue will take the next order and lose every word about it")
        await self._submit("lost acknowledgement", self._trade())

    async def lost_connection(self) -> None:
        """The venue takes the next order and the connection breaks before it can say so."""
        await self.venue.tell("fault", kind="cut_after_accept", count=1)
        self._note("fault", "the connection will break right after the next order is taken")
        await self._submit("lost connection", self._trade())

    async def reports_repeated(self) -> None:
        """The venue says the next things twice."""
        await self.venue.tell("fault", kind="duplicate_reports", count=6)
        self._note("fault", "the venue will repeat its next six reports")

    async def venue_halted(self) -> None:
        """The venue stops taking orders for a while."""
        await self.venue.tell("halt")
        self._note("fault", "the venue is halted: orders are rejected")
        await self._submit("venue halted", self._trade())
        await self.session.clock.sleep(6.0)
        await self.venue.tell("resume")
        self._note("fault", "the venue takes orders again")

    # -- what may not pass ----------------------------------------------------------------------------------------

    async def slip_of_the_finger(self) -> None:
        """A price a tenth away, and a hundred times the quantity."""
        trade, much = self._trade(), self._trade()
        tick = self.session.policy.tick
        price = trade.limit_price * (10 + trade.side) // 10 // tick * tick
        await self._submit("price a tenth away", replace(trade, limit_price=price))
        await self._submit("a hundred times too much", replace(much, wanted=much.wanted * 100, qty=much.qty * 100))

    async def unapproved_model(self) -> None:
        """A version that nobody has approved."""
        await self._submit("unapproved model", replace(self._trade(), model="nightly-build"))

    async def nonsense(self) -> None:
        """An edge that is no number: it never becomes a decision and goes into quarantine."""
        await self._submit("edge is NaN", replace(self._trade(), edge_bps=math.nan))

    async def old_signal(self) -> None:
        """A signal of ten seconds ago."""
        trade = self._trade()
        await self._submit("signal of ten seconds ago", replace(trade, signal_us=trade.signal_us - 10_000_000))

    async def too_late(self) -> None:
        """A decision whose deadline has passed."""
        await self._submit("deadline passed", self._trade(), deadline_us=self.session.clock.wall_us() - 1)

    async def not_permitted(self) -> None:
        """A source that may trade decides something else."""
        trade, now_us = self._trade(), self.session.clock.wall_us()
        price, mid = trade.limit_price, trade.mid_half_cents
        order = Flatten(trade.instrument, SELL, trade.qty, price, mid, "exercise", now_us)
        await self.session.submit(order, "drill")

    async def key_reused(self) -> None:
        """The same key with the same content, then with other content."""
        trade = replace(self._trade(), confidence=0.1)
        await self._submit("key used", trade, confidence=0.1)
        again = replace(trade, wanted=trade.wanted + QTY_PER_BTC // 100)
        await self._submit("key reused", again, confidence=0.1, name=trade.signal)

    # -- people ---------------------------------------------------------------------------------------------------

    async def large_approved(self) -> None:
        """A large order waits for the head of the desk, who approves it."""
        await self._answered("large order approved", approved=True)

    async def large_denied(self) -> None:
        """Another, which she denies."""
        await self._answered("large order denied", approved=False)

    async def _answered(self, drill: str, *, approved: bool) -> None:
        much = QTY_PER_BTC // 8
        handle = await self._submit(drill, replace(self._trade(), wanted=much, qty=much))
        if handle.id is None or handle.verdict.result != "held":
            return
        with suppress(LictorError):
            await self.session.node.approve(handle.id, by=HEAD, approved=approved, reason="seen on the desk")
            self._note("approval", f"{HEAD} {'approved' if approved else 'denied'} a held order of 0.125 BTC")

    async def kill_switch(self) -> None:
        """Reduce only, then nothing at all, then back, each by a named person."""
        node, clock = self.session.node, self.session.clock
        await node.halt("all", by=RISK, reason="exercise", reduce_only=True)
        self._note("halt", f"{RISK}: reduce only")
        await self.session.flatten("reduce only, exercise")
        await clock.sleep(14.0)
        await node.halt("all", by=RISK, reason="exercise")
        self._note("halt", f"{RISK}: kill switch, nothing starts")
        await self._submit("under the kill switch", self._trade())
        await clock.sleep(14.0)
        await node.resume("all", by=RISK, reason="exercise over")
        self._note("halt", f"{RISK}: resumed")

    async def withdrawn(self) -> None:
        """A trade that rests is withdrawn before it has traded."""
        handle = await self._submit("withdrawn", replace(self._trade(), edge_bps=0.39))
        if handle.id is not None and handle.admitted:
            await self.session.clock.sleep(0.8)
            await self.session.submit(Withdraw(handle.id, "changed my mind, an exercise"), "desk")
            self._note("cancel", f"{HEAD} withdrew a trade while its first order rested")

    async def throttle_lifted(self, source: str) -> None:
        """A named person lets a throttled source go on."""
        await self.session.clock.sleep(20.0)
        await self.session.reenable(source, by=RISK)
        self.recorder.event("throttle", f"{RISK} looked at the executions of {source} and let it go on", staged=False)

    # -- how ------------------------------------------------------------------------------------------------------

    def _note(self, what: str, text: str) -> None:
        self.recorder.event(what, text, staged=True)

    def _trade(self) -> Trade:
        """A trade that would pass: at the touch, worth its cost, sure enough, on the side that has more room."""
        book, policy = self.session.tape.book, self.session.policy
        side = SELL if self.session.blotter.position > 0 else BUY
        assert book is not None
        self.count += 1
        name = f"drill-{self.count}"
        found = propose(policy, book, side, 1.5, 0.6, 20.0, self.model, name)
        small = QTY_PER_BTC // 100
        return replace(found, wanted=small, qty=small)

    async def _submit(self, drill: str, trade: Trade, *, name: str | None = None, **options: Any) -> Handle:
        self.recorder.drills[trade.signal] = drill
        given = {"key": name or trade.signal, "confidence": 0.6} | options
        return await self.session.decide(Proposal("drill", trade), **given)
