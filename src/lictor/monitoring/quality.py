"""The execution-quality index: what was kept of the value that could have been kept, at any load. Pure.

    EQ = (sum v q - H sum v h) / V*

`q` is 1 for a decision executed once, governed, confirmed and in time; `h` is 1 for one that did harm. `V*` is a
clairvoyant bound: the best value that fits into the capacity that there was. Whatever was offered beyond it is not a
loss, so EQ = 1 means "nothing lost that could have been kept" at half the load as at twenty times it.
Source: research on overload, section 4; the knapsack bound is Dantzig's (1957).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import inf, log2
from typing import NamedTuple

#: What one unit of harmed value costs, in units of kept value.
HARM = 10.0
#: Below this quality falls, and a curve has its knee.
GOOD = 0.97

#: Why value was lost. `late`: finished or cut after its deadline. `stale`: started after it. `wasted`: ran and failed.
#: `unfair`: capacity went to less valuable work. `unknown`: nobody knows what came of it. `overhead`: capacity idled
#: while work that fits was turned away. `harm`: ungoverned, twice, over budget, or after expiry; times `HARM`.
CAUSES = ("late", "stale", "wasted", "unfair", "unknown", "overhead", "harm")

#: How a decision can end for the index: kept, one of the causes that used capacity up, or never started.
ENDS = ("kept", "late", "stale", "wasted", "unknown", "turned_away")
_RANK = {end: rank for rank, end in enumerate(ENDS)}


class Portion(NamedTuple):
    """Decisions that are alike, or a single one, in sums: what they are worth, need and used, and how they ended.

    `value` is in the user's unit, `cost` and `used` in the unit of the capacity (slot-seconds, or decisions).
    """

    value: float
    cost: float
    end: str
    #: Capacity that went into them, retries included; None: `cost`. What was turned away used none.
    used: float | None = None
    #: Their value that did harm.
    harm: float = 0.0


@dataclass(frozen=True, slots=True)
class Quality:
    """The index of one stretch of time. `losses` by cause add up to `1 - eq`."""

    eq: float
    #: Offered cost as a multiple of capacity.
    load: float
    #: V*, and what was kept of it, in value.
    best: float
    kept: float
    losses: Mapping[str, float]


def end_of(
    result: str | None, *, deadline: float, started: float | None, ended: float | None, unknown: bool = False
) -> str | None:
    """How a decision ended for the index; None for one that could not be kept: refused by a gate, or cancelled.

    Times are on one clock, in any unit; `started` is None where no effect began, `ended` where none has ended.
    `result` is the outcome's, or `refused` or `shed`; None while there is none.
    """
    if result in {"refused", "cancelled"}:
        return None
    if started is None:
        return "turned_away"
    if started > deadline:
        return "stale"
    if unknown or result is None or ended is None:
        return "unknown"
    if result == "expired" or (result == "succeeded" and ended > deadline):
        return "late"
    return "kept" if result == "succeeded" else "wasted"


def best_value(portions: Iterable[Portion], capacity: float) -> float:
    """V*: the value of the fractional knapsack of what was offered into `capacity`.

    No schedule keeps more: whatever finishes uses its cost, and nothing is worth more per cost than what is packed
    first. With true costs it is the bound of one who knows them beforehand; with mean costs, of one who knows those.
    """
    return sum(value for value, _ in _packed(portions, capacity)[0])


def index(portions: Iterable[Portion], capacity: float, harm: float = HARM) -> Quality:
    """The index of what was offered in a stretch of time with that `capacity`.

    Where more was kept than the bound allows (an estimated capacity that was too small), the bound is what was kept.
    """
    offered = list(portions)
    packed, order = _packed(offered, capacity)
    kept = sum(p.value for p in offered if p.end == "kept")
    best = max(sum(value for value, _ in packed), kept)
    harmed = harm * sum(p.harm for p in offered)
    whole = best or sum(p.harm for p in offered)
    if not whole:
        return Quality(1.0, _load(offered, capacity), 0.0, 0.0, dict.fromkeys(CAUSES, 0.0))
    lost = _lost(order, packed, capacity, best - kept)
    lost["harm"] = harmed
    losses = {cause: lost.get(cause, 0.0) / whole for cause in CAUSES}
    if not best:
        losses["overhead"] = 1.0  # nothing was offered that could be kept, and harm was done all the same
    return Quality(1.0 - sum(losses.values()), _load(offered, capacity), best, kept, losses)


def _load(offered: Sequence[Portion], capacity: float) -> float:
    cost = sum(p.cost for p in offered)
    return cost / capacity if capacity else (inf if cost else 0.0)


def _packed(portions: Iterable[Portion], capacity: float) -> tuple[list[tuple[float, float]], list[Portion]]:
    """The knapsack: (value, share) that is packed of each portion, densest first; of equals, what was kept first."""
    order = sorted(portions, key=lambda p: (-p.value / p.cost if p.cost else -inf, _RANK[p.end]))
    packed, room = [], capacity
    for portion in order:
        share = min(1.0, max(0.0, room) / portion.cost) if portion.cost > 0 else 1.0
        room -= portion.cost
        packed.append((portion.value * share, share))
    return packed, order


def _lost(
    order: Sequence[Portion], packed: Sequence[tuple[float, float]], capacity: float, gap: float
) -> dict[str, float]:
    """Value lost by cause; adds up to `gap`.

    What the knapsack packs and a cause burnt is lost to that cause. What it packs and was turned away was displaced,
    by whatever used capacity outside the knapsack: each takes its share of that loss by the capacity it used.
    """
    lost = dict.fromkeys(CAUSES, 0.0)
    outside = dict.fromkeys(CAUSES, 0.0)
    displaced = used_all = 0.0
    for portion, (value, share) in zip(order, packed, strict=True):
        if portion.end == "turned_away":
            displaced += value
            continue
        used = portion.cost if portion.used is None else portion.used
        used_all += used
        again = max(0.0, used - portion.cost)  # what retries took beyond what it needed
        if portion.end == "kept":
            displaced -= portion.value - value
            outside["wasted"] += again
            outside["unfair"] += (used - again) * (1.0 - share)
        else:
            lost[portion.end] += value
            outside[portion.end] += again + (used - again) * (1.0 - share)
    outside["overhead"] = max(0.0, capacity - used_all)
    return _spread(lost, outside, displaced, gap)


def _spread(lost: dict[str, float], outside: dict[str, float], displaced: float, gap: float) -> dict[str, float]:
    """Give what was displaced to who displaced it; where better work was kept in the place of burnt, lessen those."""
    burnt = sum(lost.values())
    if displaced <= 0.0:
        scale = max(0.0, gap) / burnt if burnt else 0.0
        return {cause: value * scale for cause, value in lost.items()}
    width = sum(outside.values())
    if not width:
        outside, width = {"overhead": 1.0}, 1.0
    for cause, used in outside.items():
        lost[cause] += displaced * used / width
    return lost


# -- curves: quality against load, (k, EQ) in ascending k ---------------------------------------------------------

Curve = Sequence[tuple[float, float]]


def knee(curve: Curve, good: float = GOOD) -> float | None:
    """The first load at which quality is below `good`; None where it never is."""
    return next((load for load, eq in sorted(curve) if eq < good), None)


def hysteresis(up: Curve, down: Curve) -> float:
    """The largest quality lost on the way down against the way up, at loads of both; 0 where it all comes back."""
    after = dict(down)
    return max((eq - after[load] for load, eq in up if load in after), default=0.0)


def overall(curve: Curve, low: float = 0.5, high: float = 16.0) -> float:
    """One number for a curve: the mean of EQ over log2 of the load from `low` to `high`, straight between points.

    Raises:
        ValueError: the curve does not reach from `low` to `high`, or there is nothing between them.
    """
    points = sorted(curve)
    if not low < high or not points or points[0][0] > low or points[-1][0] < high:
        raise ValueError(f"the curve must reach from {low:g} to {high:g}")
    ks = [low, *(k for k, _ in points if low < k < high), high]
    at = [(log2(k), _between(points, k)) for k in ks]
    area = sum((x1 - x0) * (y0 + y1) / 2 for (x0, y0), (x1, y1) in pairwise(at))
    return area / (log2(high) - log2(low))


def _between(points: Curve, load: float) -> float:
    for (k0, eq0), (k1, eq1) in pairwise(points):
        if k0 <= load <= k1:
            part = log2(load / k0) / log2(k1 / k0) if k1 > k0 else 0.0
            return eq0 + (eq1 - eq0) * part
    return points[0][1]
