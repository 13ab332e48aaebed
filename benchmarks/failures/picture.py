"""The first picture: goodput and quality against load, every arm in one plot. Pure; inline SVG in both themes.

Two panels share a logarithmic axis of load. Virtual time is drawn solid, real time dashed; Lictor is the thick line.
The panels carry their own style, so that the same marks serve the page and a file of their own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from html import escape

from benchmarks.failures.part import Curve, Point

HEADING = "Goodput and quality against load"

_WIDTH, _HEIGHT = 480, 330
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 14, 34, 40
_TICKS_X = (0.5, 1, 2, 5, 10, 20)
_TICKS_Y = (0.0, 0.25, 0.5, 0.75, 1.0)
_LOW_X, _HIGH_X, _HIGH_Y = 0.46, 21.5, 1.05
_KEY_COLUMN, _KEY_ROW = 310, 21

#: The colour of an arm, by the beginning of its name: in light, in dark.
_COLOURS = {
    "lictor": ("#0b6e4f", "#4fd1a5"),
    "lictor sync": ("#6a9a1f", "#b5dd6c"),
    "lictor, 200 ms": ("#0b4f6e", "#4fb4e0"),
    "naive": ("#b42318", "#ff8a7a"),
    "semaphore": ("#b7791f", "#f0c060"),
    "best-known (Gradient2": ("#2563c9", "#79a8f5"),
    "best-known": ("#6b8fc9", "#a9bfe6"),
    "celery": ("#7a8b2f", "#b9cc5e"),
    "dramatiq": ("#7a4fbf", "#b79bf0"),
    "dbos": ("#0e7c93", "#5cc5dc"),
    "huey": ("#a4508b", "#e58cc9"),
}
_OTHER = ("#667080", "#97a0ad")
_ORDER = list(_COLOURS)
_STYLES = [name.lower().translate({ord(letter): None for letter in " (),"}) for name in _ORDER]


def page(curves: Sequence[Curve]) -> str:
    """Both panels and their key, side by side where there is room."""
    chosen = _chosen(curves)
    width = "flex:1 1 26rem;min-width:0"
    panels = "".join(
        f'<div style="{width}">{_svg(_WIDTH, _HEIGHT, panel(chosen, *what), what[0])}</div>' for what in _PANELS
    )
    key = "".join(
        f'<span style="white-space:nowrap"><svg viewBox="0 0 26 10" width="26" height="10" aria-hidden="true">'
        f"{_stroke(curve, 'M1,5H25')}</svg> {escape(_label(curve))}</span>"
        for curve in chosen
    )
    return (
        f"<style>{STYLE}</style>"
        f'<div class="plot" style="display:flex;flex-wrap:wrap;gap:.6rem 1.2rem">{panels}</div>'
        f'<div class="plot" style="display:flex;flex-wrap:wrap;gap:.2rem 1.1rem;font-size:.88rem">{key}</div>'
        "<p>Load and goodput are in multiples of the capacity that was measured. Quality is the value of what was done "
        "rightly and in time, over the most valuable set of the same decisions that fits into that capacity; what was "
        "done wrongly, such as starting after the deadline, counts ten times against it. One means that nothing was "
        "lost that could have been kept. Solid: virtual time; dashed: real time; dotted: peers tuned by hand.</p>"
    )


def alone(curves: Sequence[Curve]) -> str:
    """The same as one file, with its style and key."""
    chosen = _chosen(curves)
    columns = 2 * _WIDTH // _KEY_COLUMN
    height = _HEIGHT + 14 + _KEY_ROW * math.ceil(len(chosen) / columns)
    marks = [f"<style>{STYLE}</style>", panel(chosen, *_PANELS[0])]
    marks.append(f'<g transform="translate({_WIDTH},0)">{panel(chosen, *_PANELS[1])}</g>')
    for place, curve in enumerate(chosen):
        x = _LEFT + place % columns * _KEY_COLUMN
        y = _HEIGHT + 8 + place // columns * _KEY_ROW
        marks.append(
            f'<g transform="translate({x},{y})">{_stroke(curve, "M0,5H26")}'
            f'<text class="name" x="34" y="10">{escape(_label(curve))}</text></g>'
        )
    return _svg(2 * _WIDTH, height, f'<g class="plot">{"".join(marks)}</g>', HEADING) + "\n"


def _svg(width: int, height: int, marks: str, label: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
        f'aria-label="{escape(label)}" font-family="system-ui,sans-serif">{marks}</svg>'
    )


def panel(
    curves: Sequence[Curve],
    title: str,
    value: Callable[[Point], float | None],
    interval: Callable[[Point], tuple[float, float] | None],
) -> str:
    """One panel: axes, the ideal line, then each arm, Lictor last and on top."""
    bottom, right = _y(0.0), _x(_HIGH_X)
    marks = [f'<text class="title" x="{_LEFT}" y="18">{escape(title)}</text>']
    for tick in _TICKS_Y:
        marks.append(f'<path class="grid" d="M{_LEFT},{_y(tick):.1f}H{right:.1f}"/>')
        marks.append(f'<text class="tick" x="{_LEFT - 7}" y="{_y(tick) + 4:.1f}" text-anchor="end">{tick:g}</text>')
    for tick in _TICKS_X:
        marks.append(f'<path class="grid" d="M{_x(tick):.1f},{_TOP}V{bottom:.1f}"/>')
        marks.append(
            f'<text class="tick" x="{_x(tick):.1f}" y="{bottom + 17:.1f}" text-anchor="middle">{tick:g}x</text>'
        )
    middle = (_LEFT + right) / 2
    marks.append(f'<text class="tick" x="{middle:.1f}" y="{bottom + 34:.1f}" text-anchor="middle">offered load</text>')
    for curve in reversed(curves):
        found = [(p.load, value(p), interval(p)) for p in curve.points]
        points = [(load, y) for load, y, _ in found if y is not None]
        if not points:
            continue
        path = "L".join(f"{_x(load):.1f},{_y(y):.1f}" for load, y in points)
        band = [(load, within) for load, _, within in found if within is not None]
        if len(band) > 1:
            upper = [f"{_x(load):.1f},{_y(high):.1f}" for load, (_, high) in band]
            lower = [f"{_x(load):.1f},{_y(low):.1f}" for load, (low, _) in reversed(band)]
            marks.append(f'<path class="band f-{_family(curve)}" d="M{"L".join(upper + lower)}Z"/>')
        marks.append(_stroke(curve, f"M{path}"))
        marks += [_dot(curve, load, y) for load, y in points]
    return "".join(marks)


def _dot(curve: Curve, load: float, y: float) -> str:
    said = escape(f"{_label(curve)} at {load:g}x: {y:.3f}")
    radius = 3.2 if _family(curve).startswith("lictor") else 2.1
    return (
        f'<circle class="f-{_family(curve)}" cx="{_x(load):.1f}" cy="{_y(y):.1f}" r="{radius}">'
        f"<title>{said}</title></circle>"
    )


def _stroke(curve: Curve, path: str) -> str:
    dashed = ' stroke-dasharray="5 4"' if curve.rig == "real" else ""
    thin = ' opacity=".75" stroke-dasharray="1.5 3"' if "tuned" in curve.arm else dashed
    width = 3.2 if _family(curve).startswith("lictor") else 1.8
    return f'<path class="line s-{_family(curve)}" stroke-width="{width}"{thin} d="{path}"/>'


def _chosen(curves: Sequence[Curve]) -> list[Curve]:
    """The curves of rising load that belong in the picture, Lictor first."""
    rising = [curve for curve in curves if curve.direction == "up" and " without " not in curve.arm]
    places = {name: place for place, name in enumerate(_STYLES)}
    return sorted(rising, key=lambda c: (places.get(_family(c), len(places)), c.rig != "virtual", c.arm))


def _family(curve: Curve) -> str:
    """The style of an arm, also its class name."""
    found = [place for place, name in enumerate(_ORDER) if curve.arm.lower().startswith(name.lower())]
    return _STYLES[max(found, key=lambda place: len(_ORDER[place]))] if found else "other"


def _label(curve: Curve) -> str:
    return f"{curve.arm}, real time" if curve.rig == "real" else curve.arm


def _x(load: float) -> float:
    share = math.log(max(load, _LOW_X) / _LOW_X) / math.log(_HIGH_X / _LOW_X)
    return _LEFT + (_WIDTH - _LEFT - _RIGHT) * share


def _y(value: float) -> float:
    """Below zero (harm) is drawn on the axis."""
    share = min(max(value, 0.0), _HIGH_Y) / _HIGH_Y
    return _HEIGHT - _BOTTOM - (_HEIGHT - _TOP - _BOTTOM) * share


_PANELS = (
    (
        "Goodput: done rightly and in time, of capacity",
        lambda point: point.goodput,
        lambda point: point.goodput_interval,
    ),
    (
        "Quality: value kept, of the most that could be kept",
        lambda point: point.quality,
        lambda point: point.quality_interval,
    ),
)


def _theme(which: int) -> str:
    colours = {
        **{name: both[which] for name, both in zip(_STYLES, _COLOURS.values(), strict=True)},
        "other": _OTHER[which],
    }
    ink, muted, rule = (("#1b1f24", "#5b6572", "#e1e4e8"), ("#e6e8eb", "#97a0ad", "#2c323a"))[which]
    return f".plot text{{fill:{muted}}}.plot .title,.plot .name{{fill:{ink}}}.plot .grid{{stroke:{rule}}}" + "".join(
        f".s-{n}{{stroke:{colour}}}.f-{n}{{fill:{colour}}}" for n, colour in colours.items()
    )


STYLE = (
    ".plot text{font-size:13px;font-variant-numeric:tabular-nums}.plot text.title{font-size:14px;font-weight:600}"
    ".plot .line{fill:none;stroke-linejoin:round;stroke-linecap:round}.plot .grid{fill:none}.plot .band{opacity:.16}"
    f"{_theme(0)}@media(prefers-color-scheme:dark){{{_theme(1)}}}"
)
