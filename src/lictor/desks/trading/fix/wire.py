"""FIX 4.4 messages to and from this desk's records. Pure functions over `{tag: value}`; no input or output.

Prices and quantities cross the wire as exact decimals. Two user-defined tags carry what FIX 4.4 has no field for:
7001 the exact money of all fills so far (AvgPx is rounded), 7002 whether a fill was of a resting order.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache

from fixcore.message.field import Group
from fixcore.message.message import Message

from lictor.desks.trading.fix.records import ExecType, Order, Report, Status, TimeInForce
from lictor.desks.trading.market import BUY, SELL, Print, Snapshot

BEGIN_STRING = "FIX.4.4"
Fields = Mapping[int, str]

AVG_PX, CL_ORD_ID, CUM_QTY, EXEC_ID, EXEC_INST, LAST_PX, LAST_QTY = 6, 11, 14, 17, 18, 31, 32
MSG_TYPE, ORDER_ID, ORDER_QTY, ORD_STATUS, ORD_TYPE, ORIG_CL_ORD_ID, POSS_DUP = 35, 37, 38, 39, 40, 41, 43
PRICE, SENDER, SENDING_TIME, SIDE, SYMBOL, TARGET, TEXT = 44, 49, 52, 54, 55, 56, 58
TIME_IN_FORCE, TRANSACT_TIME, CXL_REJ_REASON, ORD_REJ_REASON, EXEC_TYPE, LEAVES_QTY = 59, 60, 102, 103, 150, 151
MD_REQ_ID, SUBSCRIPTION, DEPTH, UPDATE_TYPE, NO_ENTRY_TYPES, NO_ENTRIES = 262, 263, 264, 265, 267, 268
ENTRY_TYPE, ENTRY_PX, ENTRY_SIZE, ENTRY_DATE, ENTRY_TIME = 269, 270, 271, 272, 273
NO_SYMBOLS, CXL_RESPONSE_TO, STATUS_REQ_ID, CUM_MONEY, MAKER = 146, 434, 790, 7001, 7002

LOGOUT = "5"
NEW_ORDER, CANCEL, STATUS_REQUEST, MARKET_REQUEST = "D", "F", "H", "V"
REPORT, CANCEL_REJECT, MARKET_SNAPSHOT, MARKET_REJECT, BUSINESS_REJECT = "8", "9", "W", "Y", "j"

_NUMBER = re.compile(r"[0-9]{1,15}(\.[0-9]{0,12})?")  # FIX knows no exponents; they would make numbers without end
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PRICE_PLACES, _QTY_PLACES = 2, 8
_SIDES = {"1": BUY, "2": SELL}
_MARKET, _LIMIT, _PARTICIPATE = "1", "2", "6"
_REJECT_REASONS = {"SYMBOL": "1", "CLOSED": "2", "HALTED": "2", "UNKNOWN_ORDER": "5", "DUPLICATE": "6", "LOT": "13"}
_REJECT_REASON_OTHER = "99"


class Unreadable(Exception):
    """A field is missing or means nothing here; `code` goes into the rejection."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def timestamp(at_us: int) -> str:
    """UTCTimestamp with microseconds."""
    seconds, microseconds = divmod(at_us, 1_000_000)
    return f"{_second(seconds)}.{microseconds:06d}"


@lru_cache(maxsize=1024)
def _second(seconds: int) -> str:
    return (_EPOCH + timedelta(seconds=seconds)).strftime("%Y%m%d-%H:%M:%S")


def read_timestamp(text: str) -> int:
    """Microseconds since the epoch of a UTCTimestamp with any number of fractional digits. Raises ValueError."""
    head, _, fraction = text.partition(".")
    whole = datetime.strptime(head, "%Y%m%d-%H:%M:%S").replace(tzinfo=UTC) - _EPOCH
    return (whole.days * 86_400 + whole.seconds) * 1_000_000 + int(fraction[:6].ljust(6, "0"))


def _decimal(value: int, places: int) -> str:
    whole, part = divmod(value, 10**places)
    return f"{whole}.{part:0{places}d}"


def _integer(text: str, places: int) -> int | None:
    """The value in units of 10**-places, or None if it is no positive whole number of them."""
    if not _NUMBER.fullmatch(text):
        return None
    scaled = Decimal(text).scaleb(places)
    return int(scaled) if scaled > 0 and scaled == scaled.to_integral_value() else None


def message(msg_type: str, fields: Fields) -> Message:
    """A message ready for `Session.send_app`."""
    made = Message()
    made.header.set(MSG_TYPE, msg_type)
    made.body.update(fields)  # there are no tags of header or trailer among them
    return made


def order_fields(order: Order) -> dict[int, str]:
    """NewOrderSingle. The same order gives the same fields, byte for byte."""
    fields = {
        CL_ORD_ID: order.key,
        SYMBOL: order.symbol,
        SIDE: "1" if order.side == BUY else "2",
        TRANSACT_TIME: timestamp(order.at_us),
        ORDER_QTY: _decimal(order.qty, _QTY_PLACES),
        ORD_TYPE: _MARKET if order.price is None else _LIMIT,
        TIME_IN_FORCE: order.tif.value,
    }
    if order.price is not None:
        fields[PRICE] = _decimal(order.price, _PRICE_PLACES)
    if order.post_only:
        fields[EXEC_INST] = _PARTICIPATE
    return fields


def read_order(fields: Fields) -> Order:
    """The order that a NewOrderSingle asks for. Raises Unreadable."""
    side = _SIDES.get(fields.get(SIDE, ""))
    if side is None:
        raise Unreadable("SIDE")
    qty = _integer(fields.get(ORDER_QTY, ""), _QTY_PLACES)
    if qty is None:
        raise Unreadable("LOT")
    price = None
    if fields.get(ORD_TYPE) == _LIMIT:
        price = _integer(fields.get(PRICE, ""), _PRICE_PLACES)
        if price is None:
            raise Unreadable("TICK")
    elif fields.get(ORD_TYPE) != _MARKET:
        raise Unreadable("ORDER_TYPE")
    try:
        # FIX: an absent TimeInForce means Day, which on a venue that never closes overnight is GTC
        tif = TimeInForce(fields.get(TIME_IN_FORCE, "0").replace("0", "1"))
        at_us = read_timestamp(fields.get(TRANSACT_TIME, ""))
    except ValueError as error:
        raise Unreadable("TIME") from error
    post_only = _PARTICIPATE in fields.get(EXEC_INST, "").split()
    return Order(fields[CL_ORD_ID], side, qty, price, at_us, tif, post_only, fields.get(SYMBOL, ""))


def report_fields(report: Report, symbol: str) -> dict[int, str]:
    """ExecutionReport."""
    fields = {
        ORDER_ID: report.order_id,
        CL_ORD_ID: report.cancel_key or report.key,
        EXEC_ID: report.exec_id,
        EXEC_TYPE: report.exec_type.value,
        ORD_STATUS: report.status.value,
        SYMBOL: symbol,
        SIDE: "1" if report.side == BUY else "2",
        ORDER_QTY: _decimal(report.qty, _QTY_PLACES),
        LAST_QTY: _decimal(report.last_qty, _QTY_PLACES),
        LAST_PX: _decimal(report.last_price, _PRICE_PLACES),
        LEAVES_QTY: _decimal(report.leaves_qty, _QTY_PLACES),
        CUM_QTY: _decimal(report.cum_qty, _QTY_PLACES),
        AVG_PX: f"{report.avg_price / 10**_PRICE_PLACES:.8f}",
        TRANSACT_TIME: timestamp(report.at_us),
        CUM_MONEY: str(report.cum_money),
    }
    if report.price is not None:
        fields[PRICE] = _decimal(report.price, _PRICE_PLACES)
    if report.cancel_key:
        fields[ORIG_CL_ORD_ID] = report.key
    if report.request_id:
        fields[STATUS_REQ_ID] = report.request_id
    if report.last_qty:
        fields[MAKER] = "Y" if report.maker else "N"
    if report.code:
        fields[TEXT] = report.code
        if report.exec_type is ExecType.REJECTED or report.order_id == "NONE":
            fields[ORD_REJ_REASON] = _REJECT_REASONS.get(report.code, _REJECT_REASON_OTHER)
    return fields


def _amount(fields: Fields, tag: int, places: int) -> int:
    text = fields.get(tag, "")
    return int(Decimal(text).scaleb(places)) if text else 0


def read_report(fields: Fields, *, resent: bool = False) -> Report:
    """The record of an ExecutionReport. Raises ValueError if it is none."""
    original = fields.get(ORIG_CL_ORD_ID, "")
    return Report(
        exec_id=fields.get(EXEC_ID, ""),
        order_id=fields.get(ORDER_ID, "NONE"),
        key=original or fields.get(CL_ORD_ID, ""),
        exec_type=ExecType(fields.get(EXEC_TYPE, "")),
        status=Status(fields.get(ORD_STATUS, "")),
        side=_SIDES.get(fields.get(SIDE, ""), BUY),
        qty=_amount(fields, ORDER_QTY, _QTY_PLACES),
        price=_amount(fields, PRICE, _PRICE_PLACES) or None,
        cum_qty=_amount(fields, CUM_QTY, _QTY_PLACES),
        leaves_qty=_amount(fields, LEAVES_QTY, _QTY_PLACES),
        cum_money=int(fields.get(CUM_MONEY, "0")),
        at_us=read_timestamp(fields[TRANSACT_TIME]) if TRANSACT_TIME in fields else 0,
        last_qty=_amount(fields, LAST_QTY, _QTY_PLACES),
        last_price=_amount(fields, LAST_PX, _PRICE_PLACES),
        code=fields.get(TEXT, ""),
        cancel_key=fields.get(CL_ORD_ID, "") if original else "",
        request_id=fields.get(STATUS_REQ_ID, ""),
        maker=fields.get(MAKER) == "Y",
        resent=resent,
    )


def market_message(request_id: str, symbol: str, snapshot: Snapshot, prints: Sequence[Print]) -> Message:
    """MarketDataSnapshotFullRefresh: bids and offers best first, then the trades since the last one, oldest first.

    The message has no time of its own in FIX 4.4: that of the snapshot is the time of its first level. So a book that
    is empty on both sides cannot be told of; raises ValueError.
    """
    made = message(MARKET_SNAPSHOT, {MD_REQ_ID: request_id, SYMBOL: symbol})
    levels = [("0", *level) for level in snapshot.bids] + [("1", *level) for level in snapshot.asks]
    if not levels:
        raise ValueError("an empty book has no snapshot")
    for number, (kind, price, qty) in enumerate(levels):
        made.add_group(NO_ENTRIES, _entry(kind, price, qty, None if number else snapshot.time_us))
    for trade in prints:
        group = _entry("2", trade.price, trade.qty, trade.time_us)
        group.set_field(TEXT, "BUY" if trade.side == BUY else "SELL")
        made.add_group(NO_ENTRIES, group)
    return made


def _entry(kind: str, price: int, qty: int, time_us: int | None) -> Group:
    group = Group()
    group.set_field(ENTRY_TYPE, kind)
    group.set_field(ENTRY_PX, _decimal(price, _PRICE_PLACES))
    group.set_field(ENTRY_SIZE, _decimal(qty, _QTY_PLACES))
    if time_us is not None:
        date, _, time = timestamp(time_us).partition("-")
        group.set_field(ENTRY_DATE, date)
        group.set_field(ENTRY_TIME, time)
    return group


def read_market(made: Message) -> tuple[Snapshot, list[Print]]:
    """The book and the trades of a MarketDataSnapshotFullRefresh that was decoded with a data dictionary."""
    levels: dict[str, list[tuple[int, int]]] = {"0": [], "1": []}
    prints: list[Print] = []
    time_us = 0
    for group in made.get_groups(NO_ENTRIES):
        fields = dict(group.items())
        price, qty = _amount(fields, ENTRY_PX, _PRICE_PLACES), _amount(fields, ENTRY_SIZE, _QTY_PLACES)
        kind = fields[ENTRY_TYPE]
        at_us = read_timestamp(f"{fields[ENTRY_DATE]}-{fields[ENTRY_TIME]}") if ENTRY_DATE in fields else 0
        if kind in levels:
            levels[kind].append((price, qty))
            time_us = time_us or at_us
        else:
            prints.append(Print(at_us, price, qty, BUY if fields.get(TEXT) == "BUY" else SELL))
    return Snapshot(time_us, tuple(levels["0"]), tuple(levels["1"])), prints
