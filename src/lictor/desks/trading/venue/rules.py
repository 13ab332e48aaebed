"""What the venue accepts: pure checks of one order against the venue's limits and the state of its market."""

from __future__ import annotations

from dataclasses import dataclass

from lictor.desks.trading.fix.records import Order
from lictor.desks.trading.market import BPS, BUY, CENTS_PER_USD, MONEY_PER_USD, QTY_PER_BTC


@dataclass(frozen=True, slots=True)
class Rules:
    """The venue's filters. Prices in cents, quantities in 1e-8 BTC, money in their product."""

    symbol: str = "BTC/USD"
    tick: int = CENTS_PER_USD
    lot: int = QTY_PER_BTC // 100_000
    qty_max: int = 10 * QTY_PER_BTC
    money_min: int = 10 * MONEY_PER_USD
    band_bps: float = 500.0
    open_orders_max: int = 200

    def refusal(self, order: Order, mid: float | None, open_orders: int) -> str:
        """The code of the first rule that the order breaks, or nothing. `mid` in cents; without one all is refused."""
        if order.symbol != self.symbol:
            return "SYMBOL"
        if order.qty % self.lot:
            return "LOT"
        if order.price is not None and order.price % self.tick:
            return "TICK"
        if order.qty > self.qty_max:
            return "QTY_MAX"
        if mid is None:
            return "NO_REFERENCE"
        if order.price is not None and abs(order.price / mid - 1) * BPS > self.band_bps:
            return "PRICE_BAND"
        if order.qty * (order.price or mid) < self.money_min:
            return "NOTIONAL_MIN"
        return "OPEN_ORDERS_MAX" if open_orders >= self.open_orders_max else ""

    def protected_price(self, side: int, mid: float) -> int:
        """Where a market order ends: the last tick inside the band."""
        edge = mid * (1 + side * self.band_bps / BPS)
        return int(edge // self.tick) * self.tick if side == BUY else -int(-edge // self.tick) * self.tick
