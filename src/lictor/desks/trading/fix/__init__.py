"""The desk's side of a FIX 4.4 order session: records of orders and reports, and the client that carries them."""

from lictor.desks.trading.fix.client import FixClient
from lictor.desks.trading.fix.records import (
    CancelRefused,
    ExecType,
    Order,
    OrderInDoubt,
    OrderNotSent,
    Report,
    Status,
    TimeInForce,
)

__all__ = [
    "CancelRefused",
    "ExecType",
    "FixClient",
    "Order",
    "OrderInDoubt",
    "OrderNotSent",
    "Report",
    "Status",
    "TimeInForce",
]
