"""`top`: the six stages at a glance, and what holds things up, again and again until it is interrupted."""

from __future__ import annotations

from typing import Annotated, Any

from cyclopts import Parameter
from cyclopts.validators import Number

from lictor.runtime.clock import SystemClock

from .output import console, document, safe
from .reach import FLAG, Where

#: Codes and effectors that are shown.
ROWS = 8


def top(
    *,
    every_s: Annotated[float, Parameter(help="How often it looks.", validator=Number(gte=0.2))] = 1.0,
    once: Annotated[bool, FLAG, Parameter(help="Look twice, so that rates are known, print, and end.")] = False,
    where: Where = Where(),  # noqa: B008 - frozen
) -> None:
    """Show what passes through the six stages, what waits, what is refused, and what the bottleneck is now."""
    import asyncio

    asyncio.run(_watch(where, every_s, once=once or where.json))


async def _watch(where: Where, every_s: float, *, once: bool) -> None:
    from rich.live import Live

    clock = SystemClock()
    where.ask("flow")  # rates are known from the second look on
    await clock.sleep(min(every_s, 1.0))
    flow = where.ask("flow")
    if where.json:
        document(flow)
        return
    out = console()
    if once or not out.is_terminal:
        out.print(screen(flow))
        return
    with Live(screen(flow), console=out, screen=True, auto_refresh=False) as live:
        while True:
            await clock.sleep(every_s)
            live.update(screen(where.ask("flow")), refresh=True)


def screen(flow: dict[str, Any]) -> Any:
    """All of it, as rich shows it."""
    from rich.console import Group
    from rich.text import Text

    found, app, health = flow["bottleneck"], flow["app"], flow["health"]
    head = Text.assemble(
        (safe(f"{app['name']} {app['version']}"), "bold"),
        "  ",
        ("ready", "green") if health["ready"] else ("not ready", "bold red"),
        f"  {flow['open']:,} open, {flow['waiting']['in_flight']:,} in flight",
    )
    calm = found["code"] == "NONE"
    why = Text.assemble(
        ("holds things up  ", "dim"),
        (safe(found["text"]), "green" if calm else "bold yellow"),
        "\n",
        safe(found["why"]),
    )
    halted = [
        Text(safe(f"{h['mode'].replace('_', ' ')}: {h['scope']} by {h['by']}  {h['reason']}"), style="bold red")
        for h in flow["halts"]
    ]
    return Group(head, *halted, Text(""), why, Text(""), _stages(flow), Text(""), _effectors(flow), *_refusals(flow))


def _stages(flow: dict[str, Any]) -> Any:
    table = _table("stage", "per s", "waits", "")
    for stage in flow["stages"]:
        facts = ", ".join(f"{name} {_number(value)}" for name, value in stage["facts"].items())
        waits = f"{stage['waiting']:,}" if stage["waiting"] else "-"
        table.add_row(stage["name"], _number(stage["per_s"]), waits, facts)
    return table


def _effectors(flow: dict[str, Any]) -> Any:
    table = _table("effector", "slots", "queued", "call", "in doubt", "extra left", "")
    rows = sorted(flow["effectors"], key=lambda row: -(row["queued"] + row["in_flight"]))
    for row in rows[:ROWS]:
        state = (
            "held by the world"
            if row["held_until_us"]
            else "breaker open"
            if row["breaker_open"]
            else row["pace"] or ""
        )
        call = "-" if row["call_s"] is None else f"{row['call_s'] * 1000:.3g} ms"
        slots = f"{row['in_flight']}/{row['slots']}"
        doubts, tokens = str(row["in_doubt"] or "-"), _number(row["tokens"])
        table.add_row(safe(row["name"]), slots, str(row["queued"] or "-"), call, doubts, tokens, state)
    return table


def _refusals(flow: dict[str, Any]) -> list[Any]:
    from rich.text import Text

    if not flow["refusals"]:
        return []
    table = _table("refused", "per s", "in all")
    for row in flow["refusals"][:ROWS]:
        table.add_row(safe(row["code"] or "-"), _number(row["per_s"]), f"{row['count']:,}")
    return [Text(""), table]


def _table(*names: str) -> Any:
    from rich.table import Table

    made = Table(box=None, pad_edge=False, header_style="bold")
    for place, name in enumerate(names):
        made.add_column(name, justify="left" if place == 0 or not name else "right")
    return made


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,.1f}".removesuffix(".0")
