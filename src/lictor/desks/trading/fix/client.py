"""The desk's FIX client: sends orders, cancels and status questions; hands on reports and market data.

Reads and writes one TCP connection and the session's files under `state`. What a caller can rely on: a request that
raised OrderNotSent has had no effect; one that raised OrderInDoubt may have had one; no order is ever sent by the
session itself, neither again after a reconnect nor late. Reports may come twice (same `exec_id`), and those produced
while this side was away come after the next log-on; asking `order_status` then, for every open order, is the caller's
part.
"""

from __future__ import annotations

import asyncio
import itertools
import zlib
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Self

from fixcore.message.message import Message
from fixcore.session.session_id import SessionID
from fixcore.transport.framer import MessageFramer

from lictor.desks.trading.fix import wire
from lictor.desks.trading.fix.link import QuietLog, Stamped, make_session, pump
from lictor.desks.trading.fix.records import (
    CancelRefused,
    ExecType,
    Order,
    OrderInDoubt,
    OrderNotSent,
    Report,
    Status,
)
from lictor.desks.trading.fix.store import SessionStore
from lictor.desks.trading.market import BUY, Print, Snapshot

BACKOFF_S_MIN = 0.05
BACKOFF_S_MAX = 2.0
LOGOUT_S_MAX = 1.0
TARGET = "VENUE"
SYMBOL = "BTC/USD"
_GOLDEN = 0.6180339887498949


class _Desk(Stamped):
    """What the engine calls; it only passes on."""

    def __init__(self, client: FixClient, store: SessionStore) -> None:
        self.client = client
        self.store = store

    def on_logon(self, _session_id: SessionID) -> None:
        self.client.session_changed(up=True)

    def on_logout(self, _session_id: SessionID) -> None:
        self.client.session_changed(up=False)

    def take(self, message: Message) -> None:
        self.client.take(message)

    def from_admin(self, message: Message, session_id: SessionID) -> None:
        super().from_admin(message, session_id)
        _, too_low, expected = message.get(wire.TEXT).partition("MsgSeqNum too low, expected ")
        if message.msg_type == wire.LOGOUT and too_low:
            # this side's files are older than its last message (a lost disk): go on from where the venue is
            self.store.set_next_sender_msg_seq_num(int(expected.split()[0]))


class FixClient:
    """One order session with one venue, kept up until `stop`. Use it as `async with FixClient(...)`.

    Callbacks run on the event loop in the order of arrival, must return at once and must not raise. Times to wait are
    of the machine's clock, not of the desk's.
    """

    def __init__(
        self,
        host: str,
        port: int,
        state: Path,
        *,
        sender: str = "DESK",
        heartbeat_s: int = 10,
        on_report: Callable[[Report], None] = lambda _report: None,
        on_market: Callable[[Snapshot, list[Print]], None] = lambda _snapshot, _prints: None,
        on_session: Callable[[bool], None] = lambda _up: None,
    ) -> None:
        """`state`: a folder of this client's own. `on_session`: True after each log-on, False when it is lost."""
        self._address = (host, port)
        self._on_report, self._on_market, self._on_session = on_report, on_market, on_session
        self._log = QuietLog()
        store = SessionStore(state / f"{sender}-{TARGET}")
        self._store = store
        self._session = make_session(
            "initiator",
            sender,
            TARGET,
            _Desk(self, store),
            store,
            self._log,
            HeartBtInt=str(heartbeat_s),
            UseDataDictionary="Y",
            DataDictionary="FIX44.xml",
            ValidateIncomingMessage="N",
        )
        self._ids = itertools.count(1)
        self._jitter = (zlib.crc32(sender.encode()) + k * _GOLDEN for k in itertools.count())
        self._answers: dict[tuple[str, str], asyncio.Future[Report]] = {}
        #: Done with the first market data after a subscription.
        self._seen: asyncio.Future[None] | None = None
        self._up = asyncio.Event()
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._was_up = False
        self._written_seq = 0

    # life

    async def start(self) -> None:
        """Begin to connect; returns at once."""
        self._task = asyncio.create_task(self._keep_connected(), name="fix-client")

    async def stop(self) -> None:
        """Log out, or give up on it after a second, and close the connection and the files."""
        self._stopping.set()
        if self.logged_on:
            with suppress(OSError):
                await self._session.send_logout()
        if self._task is not None:
            await asyncio.wait({self._task}, timeout=LOGOUT_S_MAX)
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._store.close()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    @property
    def logged_on(self) -> bool:
        """Whether a request made now would be sent."""
        return self._up.is_set()

    async def ready(self, within_s: float) -> None:
        """Wait until logged on. Raises TimeoutError."""
        try:
            await asyncio.wait_for(self._up.wait(), within_s)
        except TimeoutError as error:
            raise TimeoutError(f"no log-on within {within_s} s: {self._log.last_event or 'no connection'}") from error

    async def _keep_connected(self) -> None:
        backoff_s = BACKOFF_S_MIN
        while not self._stopping.is_set():
            with suppress(OSError):
                reader, self._writer = await asyncio.open_connection(*self._address)
                framer = MessageFramer()
                try:
                    await pump(self._session, reader, self._writer, framer=framer, waiting=[], send=self._write)
                finally:
                    self._writer = None
                if self._was_up:
                    backoff_s, self._was_up = BACKOFF_S_MIN, False
            pause_s = backoff_s * (0.5 + next(self._jitter) % 1 / 2)
            backoff_s = min(backoff_s * 2, BACKOFF_S_MAX)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), pause_s)

    def session_changed(self, *, up: bool) -> None:
        """Called by the engine after log-on and when the session ends."""
        if up:
            self._was_up = True
            self._up.set()
        else:
            self._up.clear()
            for waiting in self._answers.values():
                if not waiting.done():
                    waiting.set_exception(OrderInDoubt("the session was lost before the venue answered"))
        self._on_session(up)

    # requests

    async def submit(self, order: Order, *, within_s: float = 2.0) -> Report:
        """Send an order and return the venue's first report of it, which may be a rejection.

        If the venue had the key already, no order is made, and the report tells of the one that has it.
        Raises OrderNotSent if it certainly was not sent, OrderInDoubt if it may have been and no answer came in time.
        """
        message = wire.message(wire.NEW_ORDER, wire.order_fields(order))
        return await self._ask(("order", order.key), message, within_s)

    async def send(self, order: Order) -> None:
        """Send an order and return when its bytes are with the operating system; the reports go to `on_report`.

        Raises OrderNotSent or OrderInDoubt, as `submit` does.
        """
        await self._send(wire.message(wire.NEW_ORDER, wire.order_fields(order)))

    async def cancel(self, key: str, side: int, at_us: int, *, cancel_key: str = "", within_s: float = 2.0) -> Report:
        """Cancel what is left of an order and return the report that says so.

        Raises CancelRefused (already filled, cancelled or never there), OrderNotSent, OrderInDoubt.
        """
        cancel_key = cancel_key or f"{key}/cancel"
        fields = self._question(key, side) | {wire.TRANSACT_TIME: wire.timestamp(at_us)}
        fields |= {wire.CL_ORD_ID: cancel_key, wire.ORIG_CL_ORD_ID: key}
        return await self._ask(("cancel", cancel_key), wire.message(wire.CANCEL, fields), within_s)

    async def order_status(self, key: str, side: int = BUY, *, within_s: float = 2.0) -> Report | None:
        """Ask how an order stands; None if the venue never accepted nor rejected an order with that key.

        After a log-on, nothing that was sent before it is still under way, so None then means it had no effect.
        Raises OrderNotSent or OrderInDoubt if the question itself got no answer.
        """
        request_id = f"{key}?{next(self._ids)}"
        fields = self._question(key, side) | {wire.CL_ORD_ID: key, wire.STATUS_REQ_ID: request_id}
        report = await self._ask(("status", request_id), wire.message(wire.STATUS_REQUEST, fields), within_s)
        return None if report.order_id == "NONE" else report

    async def reconcile(self, keys: Iterable[str], *, within_s: float = 2.0) -> dict[str, Report | None]:
        """`order_status` of many orders, for after a log-on."""
        return {key: await self.order_status(key, within_s=within_s) for key in keys}

    async def subscribe(self, depth: int = 10, *, within_s: float = 2.0) -> None:
        """Ask for market data and return with the first of it; to be repeated after each log-on.

        A request that is sent while the venue still misses earlier messages can be passed over with them.
        Raises OrderNotSent, or OrderInDoubt if no market data came in time: then ask again.
        """
        entries = {wire.MD_REQ_ID: f"md{next(self._ids)}", wire.SUBSCRIPTION: "1", wire.DEPTH: str(depth)}
        entries |= {wire.UPDATE_TYPE: "0", wire.NO_ENTRY_TYPES: "1", wire.ENTRY_TYPE: "0"}
        entries |= {wire.NO_SYMBOLS: "1", wire.SYMBOL: SYMBOL}
        self._seen = seen = asyncio.get_running_loop().create_future()
        await self._send(wire.message(wire.MARKET_REQUEST, entries))
        try:
            await asyncio.wait_for(seen, within_s)
        except TimeoutError as error:
            raise OrderInDoubt(f"no market data within {within_s} s") from error

    def _question(self, key: str, side: int) -> dict[int, str]:
        return {wire.CL_ORD_ID: key, wire.SYMBOL: SYMBOL, wire.SIDE: "1" if side == BUY else "2"}

    async def _ask(self, name: tuple[str, str], message: Message, within_s: float) -> Report:
        if name in self._answers:
            raise OrderNotSent(f"{name[0]} {name[1]} is being asked already")
        future: asyncio.Future[Report] = asyncio.get_running_loop().create_future()
        self._answers[name] = future
        try:
            await self._send(message)
            return await asyncio.wait_for(future, within_s)
        except TimeoutError as error:
            raise OrderInDoubt(f"{name[0]} {name[1]}: no answer within {within_s} s") from error
        finally:
            del self._answers[name]
            if future.done() and not future.cancelled():
                future.exception()  # read, so that a failed send does not leave it unretrieved

    async def _send(self, message: Message) -> None:
        """Send one application message, telling apart what certainly stayed here and what may have left."""
        if not self.logged_on:
            raise OrderNotSent("not logged on")
        try:
            await self._session.send_app(message)
        except (OSError, RuntimeError) as error:
            if self._left(message):
                raise OrderInDoubt("the connection broke while the message was being sent") from error
            raise OrderNotSent("the session ended before the message was sent") from error
        if not self._left(message):
            raise OrderNotSent("the connection closed before the message was sent")

    def _left(self, message: Message) -> bool:
        return 0 < int(message.header.get_or(34, "0")) <= self._written_seq

    async def _write(self, raw: bytes) -> None:
        """The session's way out. Only what reaches `write` may have left this process."""
        writer = self._writer
        if writer is None or writer.transport.is_closing():
            raise ConnectionResetError("the connection is closed")
        start = raw.find(b"\x0134=") + 4
        self._written_seq = max(self._written_seq, int(raw[start : raw.find(b"\x01", start)]))
        writer.write(raw)
        await writer.drain()

    # answers

    def take(self, message: Message) -> None:
        """Called by the engine with each application message."""
        kind = message.msg_type
        if kind == wire.REPORT:
            report = wire.read_report(message.body, resent=message.header.get_or(wire.POSS_DUP) == "Y")
            self._take_report(report)
        elif kind == wire.MARKET_SNAPSHOT:
            if self._seen is not None and not self._seen.done():
                self._seen.set_result(None)
            self._on_market(*wire.read_market(message))
        elif kind == wire.CANCEL_REJECT:
            self._take_refusal(message.body)

    def _take_report(self, report: Report) -> None:
        if report.exec_type is ExecType.STATUS:
            self._answer(("status", report.request_id), report)
            return
        self._answer(("cancel", report.cancel_key) if report.cancel_key else ("order", report.key), report)
        self._on_report(report)

    def _answer(self, name: tuple[str, str], report: Report) -> None:
        waiting = self._answers.get(name)
        if waiting is not None and not waiting.done():
            waiting.set_result(report)

    def _take_refusal(self, fields: wire.Fields) -> None:
        waiting = self._answers.get(("cancel", fields.get(wire.CL_ORD_ID, "")))
        if waiting is None or waiting.done():
            return
        known = fields.get(wire.ORDER_ID, "NONE") != "NONE"
        status = Status(fields[wire.ORD_STATUS]) if known else None
        waiting.set_exception(CancelRefused(fields.get(wire.ORIG_CL_ORD_ID, ""), fields.get(wire.TEXT, ""), status))
