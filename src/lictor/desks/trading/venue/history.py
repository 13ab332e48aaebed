"""What a restarted venue must remember of earlier runs: every key and how its order stood. Reads the truth log."""

from __future__ import annotations

from pathlib import Path

from lictor.desks.trading.fix.records import Status
from lictor.desks.trading.fix.wire import read_order
from lictor.desks.trading.venue.exchange import ClientOrder
from lictor.desks.trading.venue.truth import Record, read_truth


def recover(path: Path) -> tuple[dict[tuple[str, str], ClientOrder], int]:
    """All orders by client and key, and the number of earlier runs. What they left open is still open here."""
    orders: dict[tuple[str, str], ClientOrder] = {}
    runs = 0
    for record in read_truth(path):
        event = record["event"]
        if event == "open":
            runs += 1
        elif event == "arrival" and record["answer"] not in {"DUPLICATE", "KEY_REUSED"}:
            orders[record["client"], record["key"]] = _arrived(record)
        elif event in {"fill", "cancel", "rejected"}:
            _happened(orders[record["client"], record["key"]], record)
    return orders, runs


def _arrived(record: Record) -> ClientOrder:
    order = ClientOrder(record["client"], record["key"], record["digest"], record["order_id"])
    if record["answer"] == "accepted":
        asked = read_order({int(tag): value for tag, value in record["fields"].items()})
        order.side, order.qty, order.price = asked.side, asked.qty, asked.price
    else:
        order.status, order.code = Status.REJECTED, record["answer"]
    return order


def _happened(order: ClientOrder, record: Record) -> None:
    if record["event"] == "fill":
        order.cum_qty += record["qty"]
        order.cum_money += record["qty"] * record["price"]
        order.status = Status.FILLED if order.cum_qty == order.qty else Status.PARTIALLY_FILLED
        order.told_qty, order.told_money = order.cum_qty, order.cum_money
    else:
        order.status = Status.CANCELED if record["event"] == "cancel" else Status.REJECTED
        order.code = record["code"]
