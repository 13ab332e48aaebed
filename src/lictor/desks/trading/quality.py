"""How well a trade was executed, from what the journal has of its orders: shortfall in parts, markouts. Pure.

Every child order's outcome carries its fills with the mid at each (`fills`: quantity, price in cents, mid in half
cents, time) and the mid when it was sent (`mid_sent`), so that this needs nothing but them and two mids more.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from lictor.desks.trading.market import BPS
from lictor.desks.trading.shortfall import Fill, Shortfall, half_cents, markout_bps, shortfall

#: Seconds after a fill at which the market is looked at again.
MARKOUTS_S = (1, 5, 10)


def measured(side: int, qty: int, decision_mid: int, end_mid: int, orders: Iterable[Mapping[str, Any]]) -> Shortfall:
    """The shortfall of a parent order from the values of its children; mids in half cents."""
    known = [value for value in orders if value.get("mid_sent")]
    fills = [Fill(q, half_cents(price), mid) for value in known for q, price, mid, _ in value["fills"]]
    arrival = known[0]["mid_sent"] if known else decision_mid
    return shortfall(side, qty, decision_mid, arrival, end_mid, fills)


def told(cost: Shortfall) -> dict[str, Any]:
    """A shortfall as plain data, for an action's value."""
    return {
        "bps": cost.total_bps,
        "parts_bps": cost.parts_bps(),
        "identity_error": cost.identity_error,
        "money_half_cents": cost.total,
        "filled": cost.filled,
        "qty": cost.qty,
    }


def move_bps(side: int, before: int, after: int) -> float:
    """1e4 s ln(after / before): how far the mid went the way of `side`."""
    return BPS * side * math.log(after / before)


def markouts(side: int, orders: Iterable[Mapping[str, Any]], mid_at: Callable[[int], int | None]) -> dict[str, float]:
    """By seconds after each fill, the average move of the mid the way of `side` against its price, in bps.

    `mid_at` gives the mid at a time in half cents, None where it is not known (yet).
    """
    fills = [fill for value in orders for fill in value.get("fills", ())]
    found = {}
    for seconds in MARKOUTS_S:
        later = [(qty, price, mid_at(at_us + seconds * 1_000_000)) for qty, price, _, at_us in fills]
        known = [(qty, markout_bps(side, half_cents(price), mid)) for qty, price, mid in later if mid is not None]
        if known:
            found[str(seconds)] = sum(qty * move for qty, move in known) / sum(qty for qty, _ in known)
    return found


def split_fill(qty: int, money: int, mid: int, at_us: int) -> list[list[int]]:
    """Fills of whole prices that come to exactly this quantity and money: one, or two a cent apart."""
    price, over = divmod(money, qty)
    return [[q, p, mid, at_us] for q, p in ((qty - over, price), (over, price + 1)) if q]
