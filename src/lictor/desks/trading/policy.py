"""What the desk may do, in numbers: one frozen record, every field with its unit. Reads nothing, writes nothing.

Quantities are 1e-8 BTC, prices cents, money cents x 1e-8 BTC, times virtual seconds. The numbers fit a book of ten
thousand dollars in an instrument that trades a few tenths of a bitcoin a minute.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from lictor.desks.trading.market import CENTS_PER_USD, MONEY_PER_USD, QTY_PER_BTC


@dataclass(frozen=True, slots=True)
class Policy:
    """Limits, floors and shares that gates, plan and lessons read."""

    instrument: str = "BTC/USD"
    tick: int = CENTS_PER_USD
    lot: int = QTY_PER_BTC // 100_000
    #: Below this there is no order: the venue wants at least ten dollars.
    qty_min: int = QTY_PER_BTC // 1_000
    equity: int = 10_000 * CENTS_PER_USD

    # 1 the signal
    signal_age_s_max: float = 3.0
    confidence_min: float = 0.33
    drift_sigmas: float = 3.0
    drift_floor_bps: float = 0.5
    duplicate_window_s: float = 6.0

    # 2 risk
    collar_bps: float = 25.0
    collar_window_s: float = 60.0
    collar_window_bps: float = 6.0
    qty_max: int = QTY_PER_BTC // 4
    notional_max: int = 20_000 * MONEY_PER_USD
    position_max: int = 12 * QTY_PER_BTC // 100
    gross_max: int = 15_000 * MONEY_PER_USD
    loss_max: int = 100 * MONEY_PER_USD
    #: Above this a named person must approve.
    approve_above: int = 9_000 * MONEY_PER_USD
    #: Of one source, in five minutes of decisions.
    turnover_max: int = 60_000 * MONEY_PER_USD
    turnover_window_s: float = 300.0
    executions_max: int = 24
    executions_window_s: float = 60.0
    order_to_trade_max: float = 8.0
    order_to_trade_from: int = 50
    messages_per_s: float = 20.0

    # 3 the market
    market_age_s_max: float = 4.0
    spread_bps_max: float = 0.5
    depth_within_bps: float = 1.0
    depth_share_max: float = 0.25
    jump_sigmas: float = 6.0
    jump_floor_bps: float = 2.0
    jump_pause_s: float = 10.0
    fees_bps: float = 0.0

    # 4 size
    kelly_share: float = 0.25
    #: Ten percent a year, as a share of equity over twenty seconds.
    volatility_target: float = 0.8e-4
    participation_max: float = 0.25
    volume_window_s: float = 60.0
    #: A position that nobody has wanted more of for this long is left.
    hold_s: float = 45.0

    # 5 routing
    child_qty: int = QTY_PER_BTC // 50
    children_max: int = 3
    gap_s: float = 2.0
    rest_s: float = 2.0
    risk_aversion: float = 1e-6
    #: A stated edge below this share of the price is patient: it rests first, and crosses with what is left.
    patient_below_bps: float = 0.4
    #: How far past the touch a taking order may go.
    reach_bps: float = 1.0
    start_within_s: float = 12.0

    # 7 feedback
    #: A source goes on with this share of its size however little its edge was worth, so that it can earn it back;
    #: only one whose edge is surely below zero, after so many trades, is refused altogether.
    size_min: float = 0.1
    lessons_min: int = 30

    def facts(self) -> dict[str, Any]:
        """As plain data, which makes it part of every gate's version."""
        return asdict(self)
