"""The running venue: virtual time drives the captured participants, messages of clients drive their orders.

Reads the machine's monotonic clock. Before anything a client asks is done, the book is brought up to the present, so an
order meets exactly what stood there at that virtual moment. Market data is taken at whole multiples of its interval,
whatever the pace.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fixcore.message.message import Message

from lictor.desks.trading.fix import wire
from lictor.desks.trading.fix.records import ExecType, Report
from lictor.desks.trading.market import BUY, SELL, Print, Snapshot
from lictor.desks.trading.venue.book import OrderBook
from lictor.desks.trading.venue.capture import Capture
from lictor.desks.trading.venue.exchange import Exchange
from lictor.desks.trading.venue.faults import Faults
from lictor.desks.trading.venue.gateway import Gateway, Port
from lictor.desks.trading.venue.history import recover
from lictor.desks.trading.venue.replay import Replay
from lictor.desks.trading.venue.rules import Rules
from lictor.desks.trading.venue.truth import TruthLog

TICK_S = 0.005
DEPTH_MAX = 50
_CXL_REASONS = {"TOO_LATE": "0", "UNKNOWN_ORDER": "1"}


@dataclass(frozen=True, slots=True)
class VirtualClock:
    """The scaled clock of the run: the same three numbers give the same time in every process of this machine."""

    origin_monotonic: float
    origin_wall_us: int
    speed: float

    def now_us(self) -> int:
        """Virtual microseconds since the Unix epoch."""
        return self.origin_wall_us + int((time.monotonic() - self.origin_monotonic) * self.speed * 1e6)


class VenueFloor:
    """Everything behind the gateway. `state`: a folder of this venue's own, kept over restarts."""

    def __init__(
        self,
        capture: Capture,
        rules: Rules,
        faults: Faults,
        state: Path,
        *,
        clients: Iterable[str],
        market_every_us: int,
        cancel_on_disconnect: bool,
    ) -> None:
        self.capture, self.faults, self._rules = capture, faults, rules
        self._every_us = market_every_us
        self._cancel_on_disconnect = cancel_on_disconnect
        orders, runs = recover(state / "truth.jsonl")
        self._truth = TruthLog(state / "truth.jsonl")
        self._book = OrderBook()
        self.exchange = Exchange(self._book, rules, self._truth, faults, self, orders=orders, run=runs)
        self._replay = Replay(capture, self._book, self.exchange.traded)
        self._clock = VirtualClock(0.0, capture.starts_at_us, 0.0)
        self._next_market_us = capture.starts_at_us
        self._prints: list[Print] = []
        self._delayed: deque[tuple[int, str, Report]] = deque()
        self._failure: Exception | None = None
        self.trades = 0
        self.closed = asyncio.Event()
        self.gateway = Gateway(self, clients, state / "sessions")

    async def open(self, clock: VirtualClock, port: int) -> int:
        """Listen; returns the port. The book is already where `prepare` brought it."""
        self._clock = clock
        self._truth.write("open", self.now_us(), clock=[clock.origin_monotonic, clock.origin_wall_us, clock.speed])
        self.exchange.end_orphans(self.now_us())
        return await self.gateway.listen(port)

    def prepare(self, until_us: int) -> None:
        """Bring the book to the moment at which the run starts."""
        self._advance(until_us)

    def now_us(self) -> int:
        """Virtual time, which stops where the capture ends."""
        return min(self._clock.now_us(), self.capture.ends_at_us)

    async def run(self) -> None:
        """Keep the book up to the present until cancelled. Raises what broke while a message was handled."""
        while self._failure is None:
            self.advance()
            await asyncio.sleep(TICK_S)
        raise self._failure

    def advance(self) -> int:
        """Bring the book to the present; returns it."""
        now_us = self.now_us()
        self._advance(now_us)
        while self._delayed and self._delayed[0][0] <= now_us:
            _, client, report = self._delayed.popleft()
            self._queue(client, report)
        if now_us >= self.capture.ends_at_us and not self.closed.is_set():
            self.exchange.closed = "CLOSED"
            self.exchange.withdraw_all(None, "CLOSED", now_us)
            self._truth.write("close", now_us, counts=self.exchange.counts)
            self.closed.set()
        return now_us

    def _advance(self, now_us: int) -> None:
        while self._next_market_us <= now_us:
            self._replay.run_to(self._next_market_us)
            self._publish(self._next_market_us)
            self._next_market_us += self._every_us
        self._replay.run_to(now_us)

    # market data

    def printed(self, trade: Print) -> None:
        """The exchange's word that something traded."""
        self.trades += 1
        self._prints.append(trade)

    def _publish(self, at_us: int) -> None:
        prints, self._prints = self._prints, []
        for port in self.gateway.ports.values():
            if port.market_request:
                self._tell_market(port, port.market_request, self.snapshot(at_us, port.market_depth), prints)

    def _tell_market(self, port: Port, request: str, snapshot: Snapshot, prints: list[Print]) -> None:
        if snapshot.bids or snapshot.asks:
            port.put_market(wire.market_message(request, self._rules.symbol, snapshot, prints))

    def snapshot(self, at_us: int, depth: int) -> Snapshot:
        """The best levels now."""
        return Snapshot(at_us, self._book.levels(BUY, depth), self._book.levels(SELL, depth))

    # clients

    def client_came(self, port: Port) -> None:
        """The gateway's word that a client logged on."""
        self._truth.write("logon", self.advance(), client=port.client)

    def client_left(self, port: Port) -> None:
        """The gateway's word that a client's session ended."""
        now_us = self.advance()
        self._truth.write("logout", now_us, client=port.client)
        if self._cancel_on_disconnect:
            self.exchange.withdraw_all(port.client, "DISCONNECTED", now_us)

    def handle(self, port: Port, message: Message) -> None:
        """One application message of a client."""
        try:
            self._handle(port, message)
        except Exception as failure:  # the engine would only log it, and go on with a venue that is wrong
            self._failure = failure
            raise

    def _handle(self, port: Port, message: Message) -> None:
        now_us = self.advance()
        kind, fields = message.msg_type, message.body
        if kind == wire.MARKET_REQUEST:
            self._subscribe(port, fields)
        elif kind not in {wire.NEW_ORDER, wire.CANCEL, wire.STATUS_REQUEST} or not fields.get(wire.CL_ORD_ID):
            reason = "unsupported" if kind not in {wire.NEW_ORDER, wire.CANCEL, wire.STATUS_REQUEST} else "no ClOrdID"
            port.put(wire.BUSINESS_REJECT, {372: kind, 380: "3", wire.TEXT: reason}, kept=False)
        elif kind == wire.NEW_ORDER:
            self.exchange.place(port.client, fields, now_us)
        elif kind == wire.STATUS_REQUEST:
            self.exchange.status(port.client, fields, now_us)
        else:
            code = self.exchange.cancel(port.client, fields, now_us)
            if code:
                self._refuse_cancel(port, fields, code)

    def _subscribe(self, port: Port, fields: wire.Fields) -> None:
        request, wanted = fields.get(wire.MD_REQ_ID, ""), fields.get(wire.DEPTH, "10")
        if not request or not wanted.isdecimal() or fields.get(wire.SYMBOL) != self._rules.symbol:
            port.put(wire.MARKET_REJECT, {wire.MD_REQ_ID: request, wire.TEXT: "SYMBOL, DEPTH or ID"}, kept=False)
            return
        if fields.get(wire.SUBSCRIPTION) == "2":
            port.market_request = ""
            return
        depth = min(int(wanted) or DEPTH_MAX, DEPTH_MAX)
        self._tell_market(port, request, self.snapshot(self.now_us(), depth), [])
        if fields.get(wire.SUBSCRIPTION) == "1":
            port.market_request, port.market_depth = request, depth

    def _refuse_cancel(self, port: Port, fields: wire.Fields, code: str) -> None:
        order = self.exchange.order(port.client, fields.get(wire.ORIG_CL_ORD_ID, ""))
        answer = {
            wire.ORDER_ID: order.order_id if order else "NONE",
            wire.CL_ORD_ID: fields.get(wire.CL_ORD_ID, ""),
            wire.ORIG_CL_ORD_ID: fields.get(wire.ORIG_CL_ORD_ID, ""),
            wire.ORD_STATUS: order.status.value if order else "8",
            wire.CXL_RESPONSE_TO: "1",
            wire.CXL_REJ_REASON: _CXL_REASONS[code],
            wire.TEXT: code,
        }
        port.put(wire.CANCEL_REJECT, answer, kept=True)

    def cut(self, client: str) -> None:
        """The exchange's word that a fault breaks a connection."""
        self.gateway.ports[client].cut()

    def deliver(self, client: str, report: Report) -> None:
        """The exchange's report for a client."""
        if self.faults.delay_us:
            self._delayed.append((report.at_us + self.faults.delay_us, client, report))
        else:
            self._queue(client, report)

    def _queue(self, client: str, report: Report) -> None:
        port = self.gateway.ports.get(client)
        if port is not None:
            fields = wire.report_fields(report, self._rules.symbol)
            port.put(wire.REPORT, fields, kept=report.exec_type is not ExecType.STATUS)

    # the end

    async def close(self) -> dict[str, Any]:
        """Stop listening; returns what happened in all."""
        await self.gateway.close()
        self._truth.close()
        return {**self.exchange.counts, "trades": self.trades, "faults": self.faults.fired, "at_us": self.now_us()}
