"""The speed report's own sections: a picture of throughput and a table of everything that was measured."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from benchmarks.speed.runner import Results

_BAR_PX, _ROW_PX, _LABEL_PX = 420, 22, 250
_COLOURS = {"lictor": "#0b6e4f", "pipeline": "#5b7db1", "sqlite": "#9aa5b1", "huey": "#c17c2f", "dbos": "#a4508b"}


def bars(results: Results, names: Sequence[str]) -> str:
    """Decisions a second on a logarithmic scale, the median as a bar and all repeats as ticks, as inline SVG."""
    measured = [name for name in names if results.values(name, "per_second")]
    height = _ROW_PX * len(measured) + 24
    parts = [f'<svg viewBox="0 0 {_LABEL_PX + _BAR_PX + 90} {height}" role="img" font-size="13">']
    for power in range(1, 7):
        x = _x(10**power)
        parts.append(f'<line x1="{x:.0f}" x2="{x:.0f}" y1="0" y2="{height - 20}" stroke="#e3e6ea"/>')
        parts.append(f'<text x="{x:.0f}" y="{height - 5}" text-anchor="middle" fill="#667">{10**power:,}</text>')
    for row, name in enumerate(measured):
        y = row * _ROW_PX
        median = results.median(name, "per_second") or 1.0
        colour = _COLOURS.get(name.partition(" ")[0], "#555")
        parts.append(f'<text x="{_LABEL_PX - 8}" y="{y + 15}" text-anchor="end">{escape(name)}</text>')
        parts.append(
            f'<rect x="{_LABEL_PX}" y="{y + 3}" width="{_x(median) - _LABEL_PX:.1f}" height="15" fill="{colour}"/>'
        )
        for value in results.values(name, "per_second"):
            x = _x(value)
            parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{y + 1}" y2="{y + 20}" stroke="#1b1f24"/>')
        parts.append(f'<text x="{_x(median) + 8:.0f}" y="{y + 15}">{median:,.0f}</text>')
    return "".join([*parts, "</svg>"])


def tables(results: Results) -> str:
    """Every field of every run: median, and the least and greatest of its repeats."""
    parts = []
    for name in sorted(results.samples):
        fields = [field for field in results.samples[name][0] if field != "durable"]
        rows = "".join(
            f'<tr><td>{escape(field)}</td><td class="n">{results.median(name, field):,.4g}</td>'
            f'<td class="n">{min(results.values(name, field)):,.4g}</td>'
            f'<td class="n">{max(results.values(name, field)):,.4g}</td></tr>'
            for field in fields
        )
        head = '<tr><th>figure</th><th class="n">median</th><th class="n">least</th><th class="n">greatest</th></tr>'
        parts.append(f"<details><summary>{escape(name)}</summary><table>{head}{rows}</table></details>")
    failed = "".join(f"<li>{escape(name)}: {escape(word)}</li>" for name, word in results.failures.items())
    return "".join(parts) + (f"<p>Not measured:</p><ul>{failed}</ul>" if failed else "")


def _x(per_second: float) -> float:
    return _LABEL_PX + _BAR_PX * max(0.0, math.log10(max(per_second, 1.0))) / 6
