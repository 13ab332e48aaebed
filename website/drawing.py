"""Draws the state diagrams of the documentation as SVG, so that no page needs a script for it.

Takes the Mermaid text that other readers of Markdown draw: states become lanes, transitions arrows between them.
"""

from __future__ import annotations

import re
from html import escape
from typing import Any

LANE, ROW, TOP, LEFT = 92, 22, 44, 104
#: Where an event leads that changes no state.
STAYS = ""
STEP = re.compile(r"^\s*(\S+) --> (\S+?)(?:: (.+))?$", re.MULTILINE)


def draw(source: str, _language: str, class_name: str, _options: dict[str, Any], _md: Any, **_: Any) -> str:
    """A fence of Mermaid text as a picture; called by the site's generator.

    Raises:
        ValueError: it is another kind of diagram than a state diagram.
    """
    if not source.startswith("stateDiagram-v2"):
        raise ValueError(f"only state diagrams are drawn, not {source[:20]!r}: draw it as SVG under docs/pictures")
    return f'<div class="{class_name}">{lanes(source)}</div>'


def lanes(source: str) -> str:
    """A state diagram: a lane for each state, a row for each event and where it leads, with a dot where it starts."""
    steps = [(at, to, events) for at, to, events in STEP.findall(source) if "[*]" not in (at, to)]
    states = list(dict.fromkeys(state for at, to, _ in steps for state in (at, to)))
    terminal = {at for at, to, _ in STEP.findall(source) if to == "[*]"}
    states.sort(key=lambda state: state in terminal)
    rows: dict[tuple[str, str], list[str]] = {}
    for at, to, events in steps:
        for event in events.split(", "):
            rows.setdefault((event, STAYS if at == to else to), []).append(at)
    wide, high = LEFT + LANE * len(states), TOP + ROW * len(rows) + 12
    x = {state: LEFT + LANE * place + LANE // 2 for place, state in enumerate(states)}
    drawn = [_lane(state, x[state], high, ends=state in terminal) for state in states]
    drawn += [_row(y, event, to, froms, x) for y, ((event, to), froms) in _down(rows)]
    return (
        f'<svg viewBox="0 0 {wide} {high}" role="img" aria-label="{escape(_told(rows), quote=True)}">'
        f"{''.join(drawn)}</svg>"
    )


def _down(rows: dict[tuple[str, str], list[str]]) -> list[tuple[int, tuple[tuple[str, str], list[str]]]]:
    return [(TOP + ROW * place + 12, row) for place, row in enumerate(rows.items())]


def _told(rows: dict[tuple[str, str], list[str]]) -> str:
    told = [(event, ", ".join(froms), f"to {to}" if to else "stays") for (event, to), froms in rows.items()]
    return "; ".join(f"{event}: {froms} {where}" for event, froms, where in told)


def _lane(state: str, x: int, high: int, *, ends: bool) -> str:
    kind = "end" if ends else "state"
    return (
        f'<rect class="{kind}" x="{x - LANE // 2 + 3}" y="6" width="{LANE - 6}" height="24" rx="4"/>'
        f'<text class="{kind}" x="{x}" y="22" text-anchor="middle">{escape(state)}</text>'
        f'<line class="lane" x1="{x}" y1="30" x2="{x}" y2="{high - 6}"/>'
    )


def _row(y: int, event: str, to: str, froms: list[str], x: dict[str, int]) -> str:
    drawn = [f'<text class="event" x="{LEFT - 8}" y="{y + 4}" text-anchor="end">{escape(event)}</text>']
    if to == STAYS:
        return "".join(drawn + [f'<circle class="stay" cx="{x[at]}" cy="{y}" r="6"/>' for at in froms])
    goal, places = x[to], [x[at] for at in froms]
    drawn += [f'<circle class="from" cx="{place}" cy="{y}" r="3.5"/>' for place in places]
    drawn.append(f'<line class="way" x1="{min(*places, goal)}" y1="{y}" x2="{max(*places, goal)}" y2="{y}"/>')
    sides = {1 if place < goal else -1 for place in places}
    drawn += [f'<path class="head" d="M{goal} {y} l{-7 * side} -4 v8 z"/>' for side in sorted(sides)]
    return "".join(drawn)
