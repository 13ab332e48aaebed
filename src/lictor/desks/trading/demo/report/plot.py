"""A small drawing board: scales, axes and marks as inline SVG, coloured by CSS variables so that themes apply. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from html import escape

WIDTH = 960
LEFT, RIGHT, TOP, BOTTOM = 62, 14, 20, 24
_TICKS = 5
_NICE = (1, 2, 2.5, 5, 10)


def nice_ticks(low: float, high: float, count: int = _TICKS) -> list[float]:
    """Round numbers that cover a range, about `count` of them."""
    span = high - low
    if span <= 0:
        return [low]
    rough = span / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(n * power for n in _NICE if n * power >= rough)
    first = math.ceil(low / step - 1e-9)
    return [round(k * step, 12) for k in range(first, math.floor(high / step + 1e-9) + 1)]


def number(value: float) -> str:
    """A short number for an axis."""
    if value == 0:
        return "0"
    if abs(value) >= 1000:  # noqa: PLR2004 - thousands get separators
        return f"{value:,.0f}"
    return f"{value:.6g}"


def clock(at_us: float) -> str:
    """Hours and minutes of the market."""
    return datetime.fromtimestamp(at_us / 1e6, UTC).strftime("%H:%M")


def second(at_us: float) -> str:
    """Hours, minutes and seconds of the market."""
    return datetime.fromtimestamp(at_us / 1e6, UTC).strftime("%H:%M:%S")


@dataclass(slots=True)
class Plot:
    """One panel over market time. Marks are drawn in the order in which they are added."""

    from_us: float
    until_us: float
    low: float
    high: float
    height: int = 200
    unit: str = ""
    left: int = LEFT
    #: How a value is written on the axis.
    text: Callable[[float], str] = number
    marks: list[str] = field(default_factory=list)

    def x(self, at_us: float) -> float:
        """Where a time is."""
        return self.left + (WIDTH - self.left - RIGHT) * (at_us - self.from_us) / max(1.0, self.until_us - self.from_us)

    def y(self, value: float) -> float:
        """Where a value is."""
        share = (value - self.low) / ((self.high - self.low) or 1.0)
        return self.height - BOTTOM - (self.height - TOP - BOTTOM) * share

    def line(self, points: Sequence[tuple[float, float]], name: str, *, step: bool = False, width: float = 1.6) -> None:
        """A line, or steps."""
        if not points:
            return
        parts = [f"M{self.x(points[0][0]):.1f},{self.y(points[0][1]):.1f}"]
        for at_us, value in points[1:]:
            x, y = self.x(at_us), self.y(value)
            parts.append(f"H{x:.1f}V{y:.1f}" if step else f"L{x:.1f},{y:.1f}")
        self.marks.append(f'<path class="line s-{name}" stroke-width="{width}" d="{"".join(parts)}"/>')

    def area(self, points: Sequence[tuple[float, float]], name: str) -> None:
        """Steps down to the axis."""
        if not points:
            return
        base = self.y(max(self.low, 0.0))
        parts = [f"M{self.x(points[0][0]):.1f},{base:.1f}V{self.y(points[0][1]):.1f}"]
        parts += [f"H{self.x(at_us):.1f}V{self.y(value):.1f}" for at_us, value in points[1:]]
        parts.append(f"V{base:.1f}Z")
        self.marks.append(f'<path class="area f-{name}" d="{"".join(parts)}"/>')

    def dot(self, at_us: float, value: float, name: str, title: str, radius: float = 2.2) -> None:
        """A point with a word about it."""
        self.marks.append(
            f'<circle class="f-{name}" cx="{self.x(at_us):.1f}" cy="{self.y(value):.1f}" r="{radius:.1f}">'
            f"<title>{escape(title)}</title></circle>"
        )

    def arrow(self, at_us: float, value: float, *, up: bool, size: float, title: str) -> None:
        """A triangle: up to buy, down to sell."""
        x, y, s = self.x(at_us), self.y(value), size
        tip, base = (y + 3, y + 3 + 1.6 * s) if up else (y - 3, y - 3 - 1.6 * s)
        self.marks.append(
            f'<path class="f-{"buy" if up else "sell"}" d="M{x:.1f},{tip:.1f}L{x - s:.1f},{base:.1f}H{x + s:.1f}Z">'
            f"<title>{escape(title)}</title></path>"
        )

    def level(self, value: float, name: str, text: str) -> None:
        """A dashed line across, with its name."""
        y = self.y(value)
        self.marks.append(
            f'<path class="dash s-{name}" d="M{self.left},{y:.1f}H{WIDTH - RIGHT}"/>'
            f'<text class="note" x="{WIDTH - RIGHT - 4}" y="{y - 4:.1f}" text-anchor="end">{escape(text)}</text>'
        )

    def svg(self, label: str) -> str:
        """The panel."""
        grid = []
        for tick in nice_ticks(self.low, self.high, max(2, self.height // 45)):
            y = self.y(tick)
            grid.append(f'<path class="grid" d="M{self.left},{y:.1f}H{WIDTH - RIGHT}"/>')
            name = escape(self.text(tick))
            grid.append(f'<text class="tick" x="{self.left - 8}" y="{y + 4:.1f}" text-anchor="end">{name}</text>')
        grid += time_ticks(self.x, self.from_us, self.until_us, self.height - 6)
        unit = f'<text class="tick" x="4" y="{TOP - 9}">{escape(self.unit)}</text>' if self.unit else ""
        return (
            f'<svg viewBox="0 0 {WIDTH} {self.height}" role="img" aria-label="{escape(label)}">'
            f"{''.join(grid)}{unit}{''.join(self.marks)}</svg>"
        )


def time_ticks(x: Callable[[float], float], from_us: float, until_us: float, y: float) -> list[str]:
    """Names of whole minutes along the bottom."""
    first = math.ceil(from_us / 60e6)
    step = max(1, round((until_us - from_us) / 60e6 / 9))
    times = [minute * 60e6 for minute in range(first, int(until_us // 60e6) + 1) if minute % step == 0]
    return [
        f'<text class="tick" x="{x(at_us):.1f}" y="{y:.1f}" text-anchor="middle">{clock(at_us)}</text>'
        for at_us in times
    ]


def span(values: Iterable[float], *, zero: bool = False, pad: float = 0.06) -> tuple[float, float]:
    """A range that holds all values with a little air."""
    found = list(values) or [0.0, 1.0]
    low, high = min(found), max(found)
    if zero:
        low, high = min(low, 0.0), max(high, 0.0)
    air = (high - low) * pad if high > low else 0.5
    return (low if zero and low == 0.0 else low - air), (high if zero and high == 0.0 else high + air)


def bars(rows: Sequence[tuple[str, float, str, str]], *, label: str, unit: str) -> str:
    """Horizontal bars from zero: (name, value, style, text at the end)."""
    line, left, right = 24, 190, 150
    low, high = span([value for _, value, _, _ in rows], zero=True, pad=0.0)
    scale = (WIDTH - left - right) / ((high - low) or 1.0)
    zero = left + (0.0 - low) * scale
    parts = []
    for place, (name, value, style, text) in enumerate(rows):
        y = place * line + 4
        x = min(zero, zero + value * scale)
        width = max(1.0, abs(value) * scale)
        end = x + width + 6
        parts.append(
            f'<text class="name" x="{left - 10}" y="{y + 13}" text-anchor="end">{escape(name)}</text>'
            f'<rect class="f-{style}" x="{x:.1f}" y="{y}" width="{width:.1f}" height="17" rx="2"/>'
            f'<text class="note" x="{end:.1f}" y="{y + 13}">{escape(text)}</text>'
        )
    height = len(rows) * line + 10
    parts.append(f'<path class="axis" d="M{zero:.1f},0V{height - 8}"/>')
    name = f"{escape(label)}, {escape(unit)}"
    return f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{name}">{"".join(parts)}</svg>'
