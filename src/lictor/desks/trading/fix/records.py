"""Orders and execution reports as frozen records, and what can go wrong with a request.

Units are the desk's (`market.py`): prices in whole cents, quantities in whole 1e-8 BTC, times in whole microseconds
since the Unix epoch, money in price x quantity. Values of the enumerations are those of FIX 4.4. No input or output.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class TimeInForce(StrEnum):
    """How long an order lives (FIX tag 59)."""

    GTC = "1"
    IOC = "3"
    FOK = "4"


class ExecType(StrEnum):
    """What an execution report tells of (FIX tag 150)."""

    NEW = "0"
    CANCELED = "4"
    REJECTED = "8"
    TRADE = "F"
    STATUS = "I"


class Status(StrEnum):
    """Where the order stands (FIX tag 39)."""

    NEW = "0"
    PARTIALLY_FILLED = "1"
    FILLED = "2"
    CANCELED = "4"
    REJECTED = "8"

    @property
    def open(self) -> bool:
        """Whether the venue is still working on the order."""
        return self in (Status.NEW, Status.PARTIALLY_FILLED)


@dataclass(frozen=True, slots=True)
class Order:
    """A new order. `key` is its ClOrdID: the same key is the same order, however often it is sent."""

    key: str
    side: int  #: BUY (+1) or SELL (-1)
    qty: int
    price: int | None  #: None: a market order, which the venue ends at its price band
    at_us: int  #: time of the decision on the desk's clock; part of the content, so a retry repeats it
    tif: TimeInForce = TimeInForce.GTC
    post_only: bool = False
    symbol: str = "BTC/USD"


@dataclass(frozen=True, slots=True)
class Report:
    """One execution report, or the answer to a status request (`exec_type` STATUS).

    `exec_id` names the event: the same id is the same event, so whoever counts fills drops a repeated one.
    `cum_money` is the exact sum of price x quantity over all fills so far, so that a status alone can settle an order.
    """

    exec_id: str
    order_id: str  #: the venue's own id of the order; "NONE" when it knows no such order
    key: str  #: the ClOrdID of the order, also in reports that answer a cancel
    exec_type: ExecType
    status: Status
    side: int
    qty: int
    price: int | None
    cum_qty: int
    leaves_qty: int
    cum_money: int
    at_us: int  #: virtual time of the event at the venue
    last_qty: int = 0  #: of this fill; 0 if the report is not of a fill
    last_price: int = 0
    code: str = ""  #: why it was rejected or cancelled
    cancel_key: str = ""  #: the ClOrdID of the cancel request that this answers
    request_id: str = ""  #: the id of the status request that this answers
    maker: bool = False  #: this fill was of a resting order
    resent: bool = False  #: the session delivered it a second time (PossDupFlag)

    @property
    def avg_price(self) -> float:
        """Mean price of the fills so far in cents; 0 if there are none."""
        return self.cum_money / self.cum_qty if self.cum_qty else 0.0

    @property
    def duplicate(self) -> bool:
        """Whether the venue had this key already and tells how the first order with it stands."""
        return self.code in {"DUPLICATE", "KEY_REUSED"}


class OrderNotSent(Exception):
    """The request certainly did not leave this process: no effect exists, and the key may be used again."""


class OrderInDoubt(Exception):
    """The request may have reached the venue and no answer came: ask `order_status` before anything else."""


class CancelRefused(Exception):
    """The venue did not cancel. `status` is how the order stands, None if the venue does not know it."""

    def __init__(self, key: str, code: str, status: Status | None) -> None:
        super().__init__(f"cancel of {key} refused: {code}")
        self.key = key
        self.code = code
        self.status = status
