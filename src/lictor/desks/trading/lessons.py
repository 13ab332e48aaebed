"""What a closed trade teaches: what is left of its source's stated edge, and what our own trading costs.

`edge` shrinks the size of the next trade of the same source by realised over stated edge, and demotes a source whose
edge is surely below zero. `impact` learns Y of the square-root law. Pure: all they need is in the outcome.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from lictor import Change, Learned
from lictor.desks.trading.edge import LearnedEdge
from lictor.desks.trading.impact import fit_y
from lictor.desks.trading.kinds import Trade
from lictor.desks.trading.means import Means

SAMPLES_KEPT = 200


def mark_of(learned: Learned) -> dict[str, Any] | None:
    """What the trade's last action measured, if it came to that."""
    values = learned.outcome.value
    last = values[-1] if isinstance(values, list) and values else None
    return last if isinstance(last, dict) and "move_bps" in last else None


def declare_lessons(means: Means) -> None:
    """Put both lessons into the App."""
    app = means.app

    @app.lesson(Trade, name="edge")
    def edge(learned: Learned) -> tuple[dict[str, Any], Sequence[Change]]:
        """Realised over stated edge, from the decision to its horizon; `came_true` is what its confidence was of."""
        mark, trade = mark_of(learned), learned.value
        if mark is None:
            return {**learned.memory, "came_true": None}, ()
        known = {name: value for name, value in learned.memory.items() if name != "came_true"}
        now = LearnedEdge(**known).update(trade.edge_bps, mark["move_bps"])
        memory = {**asdict(now), "came_true": mark["move_bps"] > trade.spread_bps / 2}
        said = f"{now.count} trades stated {now.stated:.2f} bps and moved {now.realised:.2f}"
        changes = [Change(means.size, now.multiplier, said)]
        if now.count >= means.policy.lessons_min and now.upper_bound_bps() < 0:
            changes.append(Change(means.demoted, 1.0, f"its edge is below zero: {said}", latch=True))
        return memory, changes

    @app.lesson(Trade, name="impact", per="all")
    def impact(learned: Learned) -> tuple[dict[str, Any], Sequence[Change]]:
        """What was paid beyond half the spread against what the square-root law with Y = 1 would say."""
        mark, trade = mark_of(learned), learned.value
        samples = [tuple(pair) for pair in learned.memory.get("samples", ())]
        if mark is not None and mark["shortfall"]["filled"]:
            cost = mark["shortfall"]
            paid = cost["parts_bps"]["spread"] * trade.qty / cost["filled"] - trade.spread_bps / 2
            samples = [*samples, (mark["impact_x_bps"], paid)][-SAMPLES_KEPT:]
        found = fit_y(samples)
        memory: dict[str, Any] = {"samples": [list(pair) for pair in samples]}
        if found.least_squares is None:
            return memory, ()
        return memory, [Change(means.impact_y, found.y, f"{found.samples} executions")]
