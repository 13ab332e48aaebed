"""The exchange: orders of clients from arrival to their end, in one book with the captured participants.

Synchronous and without a clock; every call says when it happens. Writes the truth log first and then the reports, which
go out in order. A key is one order for ever: a second arrival changes nothing and is told how the first one stands.
The faults (`faults.py`) strike here between what happens and what is reported.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Protocol

from lictor.desks.trading.fix.records import ExecType, Order, Report, Status, TimeInForce
from lictor.desks.trading.fix.wire import CL_ORD_ID, ORIG_CL_ORD_ID, STATUS_REQ_ID, Fields, Unreadable, read_order
from lictor.desks.trading.market import BUY, Print
from lictor.desks.trading.venue.book import Match, OrderBook
from lictor.desks.trading.venue.faults import Faults
from lictor.desks.trading.venue.rules import Rules
from lictor.desks.trading.venue.truth import TruthLog, content_digest

UNKNOWN_ORDER = "NONE"


@dataclass(slots=True)
class ClientOrder:
    """One order of a client and how it stands."""

    client: str
    key: str
    digest: str
    order_id: str
    side: int = BUY
    qty: int = 0
    price: int | None = None
    status: Status = Status.NEW
    code: str = ""
    cum_qty: int = 0
    cum_money: int = 0
    book_id: int = 0
    told_qty: int = 0  #: of cum_qty, what reports have told; less only while a late fill is held back
    told_money: int = 0
    muted: bool = False
    late: list[Report] = field(default_factory=list)


class Outside(Protocol):
    """Where news of the exchange goes. Must not call back."""

    def deliver(self, client: str, report: Report) -> None:
        """A report for a client."""

    def printed(self, trade: Print) -> None:
        """A trade for the public tape."""

    def cut(self, client: str) -> None:
        """A fault: break the connection of a client."""


class Exchange:
    """All clients' orders and the book."""

    def __init__(
        self,
        book: OrderBook,
        rules: Rules,
        truth: TruthLog,
        faults: Faults,
        outside: Outside,
        *,
        orders: dict[tuple[str, str], ClientOrder],
        run: int,
    ) -> None:
        """`orders`: what earlier runs left (`history.py`); `run` counts those and sets the ids of this one apart."""
        self._book, self._rules, self._truth, self._faults, self._outside = book, rules, truth, faults, outside
        self._orders = orders
        self._run = run
        self._users: dict[str, int] = {}
        self._resting: dict[int, ClientOrder] = {}
        self._events = 0
        self._placed = 0
        self.closed = ""  #: the code with which new orders are rejected while it is set
        self.counts = {"arrivals": 0, "accepted": 0, "rejected": 0, "duplicates": 0, "fills": 0, "cancels": 0}

    # requests

    def place(self, client: str, fields: Fields, at_us: int) -> None:
        """A NewOrderSingle arrived."""
        key, digest = fields.get(CL_ORD_ID, ""), content_digest(fields)
        known = self._orders.get((client, key))
        order, answer = self._judge(client, fields, known, digest)
        entry = known or ClientOrder(client, key, digest, self._order_id())
        told = {str(tag): value for tag, value in fields.items()}
        self._truth.write(
            "arrival", at_us, client=client, key=key, digest=digest, order_id=entry.order_id, answer=answer, fields=told
        )
        self.counts["arrivals"] += 1
        if known is not None:
            self.counts["duplicates"] += 1
            self._reveal(known)
            self._send(known, replace(self._report(known, ExecType.REJECTED, at_us), code=answer))
            self._tell_late(known)
            return
        self._orders[client, key] = entry
        if order is None:
            self.counts["rejected"] += 1
            entry.status, entry.code = Status.REJECTED, answer
            self._send(entry, self._report(entry, ExecType.REJECTED, at_us))
            return
        self.counts["accepted"] += 1
        entry.side, entry.qty, entry.price = order.side, order.qty, order.price
        self._match(entry, order, at_us)

    def _judge(self, client: str, fields: Fields, known: ClientOrder | None, digest: str) -> tuple[Order | None, str]:
        """The order and "accepted", or the code of its rejection."""
        if known is not None:
            return None, "DUPLICATE" if known.digest == digest else "KEY_REUSED"
        try:
            order = read_order(fields)
        except Unreadable as unreadable:
            return None, unreadable.code
        open_orders = sum(resting.client == client for resting in self._resting.values())
        code = self.closed or self._rules.refusal(order, self._book.mid(), open_orders)
        if not code and order.post_only and (order.price is None or order.tif is not TimeInForce.GTC):
            code = "ORDER_TYPE"
        return (None, code) if code else (order, "accepted")

    def _match(self, entry: ClientOrder, order: Order, at_us: int) -> None:
        if self._faults.strikes("drop_acks"):
            entry.muted = True
            self._truth.write("fault", at_us, client=entry.client, key=entry.key, fault="drop_acks")
        if self._faults.strikes("cut_after_accept"):
            self._truth.write("fault", at_us, client=entry.client, key=entry.key, fault="cut_after_accept")
            self._outside.cut(entry.client)
        price, tif = order.price, order.tif
        if price is None:
            price = self._rules.protected_price(order.side, self._book.mid() or 0.0)
            tif = TimeInForce.FOK if tif is TimeInForce.FOK else TimeInForce.IOC
        user = self._users.setdefault(entry.client, len(self._users) + 1)
        placed = self._book.place(user, order.side, price, order.qty, tif, post_only=order.post_only)
        if placed.code == "POST_ONLY_WOULD_CROSS":
            self._end(entry, Status.REJECTED, placed.code, at_us)
            return
        self._send(entry, self._report(entry, ExecType.NEW, at_us))
        self.traded(at_us, placed.matches, taker=entry)
        if placed.resting:
            entry.book_id = placed.book_id
            self._resting[placed.book_id] = entry
        elif entry.status.open:
            self._end(entry, Status.CANCELED, self._why(entry, price, tif, placed.code), at_us)

    def _why(self, order: ClientOrder, price: int, tif: TimeInForce, code: str) -> str:
        """Why the rest of an order does not rest in the book."""
        if code != "LEFT_OVER":
            return code
        met_own = any(
            own.client == order.client and own.side == -order.side and (price - (own.price or 0)) * order.side >= 0
            for own in self._resting.values()
        )
        return "SELF_TRADE" if met_own or tif is TimeInForce.GTC else "IOC_REMAINDER"

    def cancel(self, client: str, fields: Fields, at_us: int) -> str:
        """An OrderCancelRequest arrived: reports the cancel, or returns the code of its refusal."""
        key, cancel_key = fields.get(ORIG_CL_ORD_ID, ""), fields.get(CL_ORD_ID, "")
        order = self._orders.get((client, key))
        code = "UNKNOWN_ORDER" if order is None else "" if order.status.open or order.late else "TOO_LATE"
        self._truth.write("cancel_request", at_us, client=client, key=key, cancel_key=cancel_key, answer=code or "done")
        if order is None or code:
            return code
        if order.status.open:
            self._withdraw(order, "REQUESTED", at_us, cancel_key)
        else:  # filled, but the client does not know: it is told of the cancel that it expects, and then of the fill
            report = self._report(order, ExecType.CANCELED, at_us)
            self._send(order, replace(report, status=Status.CANCELED, cancel_key=cancel_key))
        self._tell_late(order)
        return ""

    def status(self, client: str, fields: Fields, at_us: int) -> None:
        """An OrderStatusRequest arrived: the answer is everything that is true, told or not."""
        key, request_id = fields.get(CL_ORD_ID, ""), fields.get(STATUS_REQ_ID, "")
        order = self._orders.get((client, key))
        self._truth.write("status", at_us, client=client, key=key, known=order is not None)
        if order is None:
            order = ClientOrder(client, key, "", UNKNOWN_ORDER, status=Status.REJECTED, code="UNKNOWN_ORDER")
        self._reveal(order)
        self._send(order, replace(self._report(order, ExecType.STATUS, at_us), request_id=request_id))
        self._tell_late(order)

    def order(self, client: str, key: str) -> ClientOrder | None:
        """How an order stands."""
        return self._orders.get((client, key))

    def withdraw_all(self, client: str | None, code: str, at_us: int) -> None:
        """Cancel what rests of one client or, at the close, of all."""
        for order in list(self._resting.values()):
            if client in (None, order.client):
                self._withdraw(order, code, at_us)

    def end_orphans(self, at_us: int) -> None:
        """Cancel what an earlier run of the venue left open: its book is gone."""
        for order in list(self._orders.values()):
            if order.status.open:
                self._end(order, Status.CANCELED, "RESTARTED", at_us)

    # what happens

    def traded(self, at_us: int, matches: tuple[Match, ...], taker: ClientOrder | None = None) -> None:
        """Trades happened: of a client's order as taker, or of a captured one. Makers may be either."""
        for match in matches:
            self._outside.printed(Print(at_us, match.price, match.qty, match.side))
            if taker is not None:
                self._fill(taker, match, at_us, maker=False)
            resting = self._resting.get(match.maker_id)
            if resting is not None:
                self._fill(resting, match, at_us, maker=True)
                if not resting.status.open:
                    del self._resting[match.maker_id]

    def _fill(self, order: ClientOrder, match: Match, at_us: int, *, maker: bool) -> None:
        order.cum_qty += match.qty
        order.cum_money += match.qty * match.price
        order.status = Status.FILLED if order.cum_qty == order.qty else Status.PARTIALLY_FILLED
        self.counts["fills"] += 1
        held_back = bool(order.late) or (maker and self._faults.strikes("late_fills"))
        if not held_back:
            self._reveal(order, muted=order.muted)
        report = replace(
            self._report(order, ExecType.TRADE, at_us),
            cum_qty=order.cum_qty, cum_money=order.cum_money, leaves_qty=order.qty - order.cum_qty,
            last_qty=match.qty, last_price=match.price, maker=maker,
        )  # fmt: skip
        self._truth.write(
            "fill", at_us, client=order.client, key=order.key, exec_id=report.exec_id, side=order.side,
            price=match.price, qty=match.qty, cum_qty=order.cum_qty, maker=maker, late=held_back,
        )  # fmt: skip
        if held_back:
            order.late.append(report)
        else:
            self._send(order, report)

    def _withdraw(self, order: ClientOrder, code: str, at_us: int, cancel_key: str = "") -> None:
        self._book.withdraw(order.book_id, self._users[order.client])
        self._resting.pop(order.book_id, None)
        self._end(order, Status.CANCELED, code, at_us, cancel_key)

    def _end(self, order: ClientOrder, status: Status, code: str, at_us: int, cancel_key: str = "") -> None:
        order.status, order.code = status, code
        exec_type = ExecType.CANCELED if status is Status.CANCELED else ExecType.REJECTED
        self.counts["cancels" if exec_type is ExecType.CANCELED else "rejected"] += 1
        name = "cancel" if exec_type is ExecType.CANCELED else "rejected"
        self._truth.write(name, at_us, client=order.client, key=order.key, code=code, cum_qty=order.cum_qty)
        self._send(order, replace(self._report(order, exec_type, at_us), cancel_key=cancel_key))

    # what is told

    def _order_id(self) -> str:
        self._placed += 1
        return f"V{self._run}-{self._placed}"

    def _report(self, order: ClientOrder, exec_type: ExecType, at_us: int) -> Report:
        """How the order stands as far as it is told, as a new event."""
        self._events += 1
        return Report(
            f"E{self._run}-{self._events}", order.order_id, order.key, exec_type, order.status, order.side, order.qty,
            order.price, order.told_qty, order.qty - order.told_qty if order.status.open else 0, order.told_money,
            at_us, code=order.code,
        )  # fmt: skip

    @staticmethod
    def _reveal(order: ClientOrder, *, muted: bool = False) -> None:
        order.muted = muted
        order.told_qty, order.told_money = order.cum_qty, order.cum_money

    def _tell_late(self, order: ClientOrder) -> None:
        late, order.late = order.late, []
        self._reveal(order, muted=order.muted)
        for report in late:
            self._send(order, report)

    def _send(self, order: ClientOrder, report: Report) -> None:
        if order.muted:
            return
        self._outside.deliver(order.client, report)
        if report.exec_type is not ExecType.STATUS and self._faults.strikes("duplicate_reports"):
            self._outside.deliver(order.client, report)
