"""One desk's conversation with one venue: how an order of the engine becomes one of the venue, and reports news.

Sends through a `FixClient` and brings its reports to the node. A report says how much of an order has traded so far;
what the engine has not been told of yet is settled by the next report, whichever way that comes: in a callback, as the
answer to a question, or after a restart. So a report that is lost, repeated or late changes nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from lictor import Balance, Call, Clock, EffectFailed, Node, NodeStoppedError, NotFoundError, Report, pending, report
from lictor.desks.trading.blotter import Blotter
from lictor.desks.trading.fix import CancelRefused, ExecType, FixClient, Order, OrderInDoubt, OrderNotSent, Status
from lictor.desks.trading.fix import Report as VenueReport
from lictor.desks.trading.fix import TimeInForce as Tif
from lictor.desks.trading.quality import split_fill
from lictor.desks.trading.tape import Tape

#: Money turned over, and the room of each side.
Budgets = tuple[Balance, Balance, Balance]
ORDERS_KEPT_MAX = 20_000
_CROSSED = "POST_ONLY_WOULD_CROSS"


@dataclass(slots=True)
class Working:
    """One order as far as this side knows it."""

    key: str
    decision: int
    ordinal: int
    source: str
    side: int
    qty: int
    price: int
    #: It rests in the book until this time; None takes at once.
    rests_until_us: int | None
    mid_sent: int
    told_qty: int = 0
    told_money: int = 0
    #: Quantity, price, mid and time of each fill.
    fills: list[list[int]] = field(default_factory=list)
    #: The venue has said something of it.
    heard: bool = False
    #: Nobody knows whether it is there.
    doubtful: bool = False
    ending: bool = False
    cancelled: bool = False
    ended: bool = False


@dataclass(slots=True)
class Counts:
    """What became of the orders of this run."""

    sent: int = 0
    filled: int = 0
    partly_filled: int = 0
    unfilled: int = 0
    cancelled: int = 0
    rejected: int = 0
    in_doubt: int = 0
    reconciled: int = 0
    fills: int = 0


class Conversation:
    """Give it the client and the node before the node starts."""

    def __init__(self, tape: Tape, blotter: Blotter, clock: Clock, *, within_s: float) -> None:
        """`within_s`: of the machine's clock, how long the venue has to answer."""
        self._tape, self._blotter, self._clock, self._within_s = tape, blotter, clock, within_s
        self.client: FixClient | None = None
        self.node: Node | None = None
        self.budgets: Budgets | None = None
        self.counts = Counts()
        self.on_fill: Callable[[Working, int, int, int], None] = lambda _w, _q, _p, _t: None
        self.on_event: Callable[[str, str, int], None] = lambda _what, _key, _decision: None
        self.on_throttle: Callable[[str], None] = lambda _source: None
        self._working: dict[str, Working] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    # -- what effectors do ----------------------------------------------------------------------------------------

    async def place(
        self, call: Call, side: int, qty: int, price: int, at_us: int, *, rest_s: float, poll_s: float
    ) -> Any:
        """Send one order and say that it is pending; fills come as reports.

        Raises:
            EffectFailed: it certainly was not sent.
            OrderInDoubt: it may have been.
        """
        until_us = self._clock.wall_us() + int(rest_s * 1e6) if rest_s else None
        working = Working(
            call.key, call.decision, call.ordinal, call.source, side, qty, price, until_us, self._tape.mid or 0
        )
        self._keep(working)
        tif = Tif.IOC if until_us is None else Tif.GTC
        order = Order(call.key, side, qty, price, at_us, tif, post_only=until_us is not None)
        self._blotter.messages += 1
        if until_us is not None:
            self._blotter.resting[call.key] = (side, price, qty)  # as soon as it may be there
        try:
            await self._client.submit(order, within_s=self._within_s)
        except OrderNotSent as not_sent:
            self._blotter.resting.pop(call.key, None)
            raise EffectFailed(str(not_sent), code="NOT_SENT", retry=True) from not_sent
        except OrderInDoubt:
            self.counts.sent += 1
            if not working.heard:
                self._doubt(working)
                raise
        else:
            self.counts.sent += 1
        return pending(call.key, poll_after_s=rest_s or poll_s)

    async def ask(self, call: Call, side: int, qty: int, price: int, *, rest_s: float) -> Report | None:
        """How an order stands; one that has rested long enough is ended first. None: no news, ask again.

        Raises:
            OrderNotSent, OrderInDoubt: the question got no answer.
        """
        working = self._working.get(call.key) or self._recovered(call, side, qty, price, rest_s)
        found = await self._client.order_status(call.key, side, within_s=self._within_s)
        if found is None:
            return self._absent(working, call)
        was_doubtful, working.doubtful = working.doubtful, False
        if was_doubtful:
            self.counts.reconciled += 1
            self.on_event("reconciled", call.key, call.decision)
        if found.status.open and (working.rests_until_us is None or self._clock.wall_us() >= working.rests_until_us):
            working.ending = True
            found = await self._end(working)
        news = self._news(working, found)
        if news is None or news.final or was_doubtful:
            return news
        self._later(self._tell(working, news))
        return None

    async def stop(self, call: Call, side: int, qty: int, price: int, *, rest_s: float) -> Report | None:
        """Cancel what is left of an order, and say what is true of it then."""
        working = self._working.get(call.key) or self._recovered(call, side, qty, price, rest_s)
        working.cancelled = True
        return self._news(working, await self._end(working))

    @property
    def _client(self) -> FixClient:
        if self.client is None:
            raise OrderNotSent("there is no session yet")
        return self.client

    def keys(self) -> set[str]:
        """Keys of all orders of this run."""
        return set(self._working)

    def _doubt(self, working: Working) -> None:
        working.doubtful = True
        self.counts.in_doubt += 1
        self.on_event("in_doubt", working.key, working.decision)

    def _absent(self, working: Working, call: Call) -> Report:
        """The venue never saw it: it may be sent again, under the same key."""
        if working.doubtful:
            self.counts.reconciled += 1
            self.on_event("absent", call.key, call.decision)
        working.doubtful = False
        self._blotter.resting.pop(call.key, None)
        return report(f"{call.key}/absent/{call.attempt}", final=True, result="absent")

    async def _end(self, working: Working) -> VenueReport:
        """Withdraw what rests, then ask: a fill may be on its way that the answer to the cancel does not tell of."""
        self._blotter.messages += 1
        with suppress(CancelRefused):
            await self._client.cancel(working.key, working.side, self._clock.wall_us(), within_s=self._within_s)
        found = await self._client.order_status(working.key, working.side, within_s=self._within_s)
        if found is None:
            raise OrderInDoubt(f"the venue knows {working.key} no more")
        return found

    def _recovered(self, call: Call, side: int, qty: int, price: int, rest_s: float) -> Working:
        """An order of before a restart, with what the journal has settled of it."""
        until_us = self._clock.wall_us() if rest_s else None
        working = Working(call.key, call.decision, call.ordinal, call.source, side, qty, price, until_us, 0)
        working.doubtful = True
        self.counts.in_doubt += 1
        found = self.node.journal.state.open.get(call.decision) if self.node is not None else None
        value = found.actions[call.ordinal].value if found is not None else None
        if isinstance(value, dict):
            working.fills = [list(fill) for fill in value["fills"]]
            working.mid_sent = value["mid_sent"]
            working.told_qty = value["filled"]
            working.told_money = value["money"]
        self._keep(working)
        return working

    def _keep(self, working: Working) -> None:
        """Know it by its key; the oldest that have ended are forgotten."""
        self._working[working.key] = working
        if len(self._working) > ORDERS_KEPT_MAX:
            oldest = next((key for key, known in self._working.items() if known.ended), None)
            if oldest is not None:
                del self._working[oldest]

    # -- what the venue says --------------------------------------------------------------------------------------

    def on_report(self, said: VenueReport) -> None:
        """A report came unasked. One of an order of before a restart is left to the question that recovery asks."""
        working = self._working.get(said.key)
        if working is None or said.exec_type is ExecType.STATUS or working.ending or working.cancelled:
            return
        working.heard = True
        if working.doubtful:
            working.doubtful = False
            self.counts.reconciled += 1
            self.on_event("heard", working.key, working.decision)
        news = self._news(working, said)
        if news is not None:
            self._later(self._tell(working, news))

    async def _tell(self, working: Working, news: Report) -> None:
        if self.node is not None:
            with suppress(NotFoundError, NodeStoppedError):
                await self.node.resolve(working.decision, news, ordinal=working.ordinal)

    def _later(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _news(self, working: Working, said: VenueReport) -> Report | None:
        """What a report says that the engine does not know, with what it settles."""
        qty, money = said.cum_qty - working.told_qty, said.cum_money - working.told_money
        if qty > 0:
            self._traded(working, qty, money, said)
        else:
            qty = money = 0
        ended = self._ended(working, said)
        if ended is None and not qty and said.exec_type is ExecType.TRADE:
            return None
        if self.budgets is None:
            return None
        turnover, long, short = self.budgets
        signed = qty * working.side
        result, code = ended or (None, None)
        return report(
            said.exec_id,
            final=ended is not None,
            result=result,
            code=code,
            value=self._value(working, said),
            settled={turnover: money, long: signed, short: -signed},
        )

    def _traded(self, working: Working, qty: int, money: int, said: VenueReport) -> None:
        working.told_qty, working.told_money = said.cum_qty, said.cum_money
        before = self._tape.mid_at(said.at_us - 1) or self._tape.mid or 2 * money // qty
        working.fills += split_fill(qty, money, before, said.at_us)
        self.counts.fills += 1
        if self._blotter.filled(working.source, working.side, qty, money, said.at_us):
            self.on_throttle(working.source)
        resting = self._blotter.resting.get(working.key)
        if resting is not None:
            self._blotter.resting[working.key] = (resting[0], resting[1], working.qty - working.told_qty)
        self.on_fill(working, qty, money // qty, said.at_us)

    @staticmethod
    def _value(working: Working, said: VenueReport) -> dict[str, Any]:
        return {
            "filled": working.told_qty,
            "money": working.told_money,
            "left": working.qty - working.told_qty,
            "fills": list(working.fills),
            "mid_sent": working.mid_sent,
            "status": said.status.name.lower(),
            "why": said.code,
        }

    def _ended(self, working: Working, said: VenueReport) -> tuple[str, str | None] | None:
        """How the order ended, as the engine's result and code; None while the venue works on it."""
        if said.status.open:
            return None
        self._blotter.resting.pop(working.key, None)
        working.ended = True
        counts = self.counts
        if said.status is Status.FILLED:
            counts.filled += 1
            return "succeeded", None
        if said.status is Status.REJECTED:
            counts.rejected += 1
            return ("succeeded", None) if said.code == _CROSSED else ("failed", said.code or "REJECTED")
        counts.cancelled += 1
        if working.told_qty:
            counts.partly_filled += 1
        else:
            counts.unfilled += 1
        if working.cancelled:
            return "cancelled", None
        if working.ending or said.code == "REQUESTED":
            return "succeeded", None  # it had rested long enough, and this side or one before a restart ended it
        if working.rests_until_us is None and working.told_qty:
            return "succeeded", None
        if working.rests_until_us is None:
            return "failed", "UNFILLED"
        return "cancelled", said.code or None
