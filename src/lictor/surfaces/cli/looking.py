"""Commands that look: `list`, `show`, `limits`, `outcomes`, `health`, `metrics`."""

from __future__ import annotations

import sys
from typing import Annotated, Any, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

from .output import Exit, console, document, lines, moment, say, table
from .reach import FLAG, Where

State = Literal[
    "held",
    "deferred",
    "admitted",
    "running",
    "compensating",
    "refused",
    "succeeded",
    "failed",
    "expired",
    "cancelled",
    "compensated",
]
#: Rows asked for at a time.
PAGE = 1_000


def list_(
    *,
    state: Annotated[State | None, Parameter(help="Only those in this state.")] = None,
    kind: Annotated[str | None, Parameter(help="Only this kind.")] = None,
    tenant: Annotated[str | None, Parameter(help="Only this tenant.")] = None,
    source: Annotated[str | None, Parameter(help="Only what this source decided.")] = None,
    code: Annotated[str | None, Parameter(help="Only those with this code.")] = None,
    open: Annotated[bool, FLAG, Parameter(help="Only those that have not ended.")] = False,  # noqa: A002
    limit: Annotated[int, Parameter(help="How many.", validator=Number(gte=1))] = 20,
    where: Where = Where(),  # noqa: B008 - frozen
) -> None:
    """List decisions, newest first."""
    rows: list[dict[str, Any]] = []
    while len(rows) < limit:
        page = where.ask(
            "list",
            state=state,
            kind=kind,
            tenant=tenant,
            source=source,
            code=code,
            open_only=open,
            before=rows[-1]["id"] if rows else None,
            limit=min(limit - len(rows), PAGE),
        )
        rows += page
        if len(page) < min(limit - len(rows) + len(page), PAGE):
            break
    if where.json:
        lines(rows)
        return
    if not rows:
        say("no decisions" + (" like that" if any((state, kind, tenant, source, code, open)) else " yet"))
        return
    cells = (
        (
            row["id"],
            row["state"] + (f"({row['code']})" if row["code"] else ""),
            row["kind"],
            row["key"],
            row["source"],
            row["tenant"],
            moment(row["received_us"]),
        )
        for row in rows
    )
    table(("id", "state", "kind", "key", "source", "tenant", "received (UTC)"), cells)


def show(
    what: Annotated[str, Parameter(help="An id, or a key.", name="ID")],
    /,
    *,
    tenant: Annotated[str | None, Parameter(help="Whose key it is.")] = None,
    where: Where = Where(),  # noqa: B008 - frozen
) -> None:
    """Show the story of one decision: what arrived, what each gate said and read, what was done, what came of it."""
    story = where.ask("show", what=what, tenant=tenant)
    told = story.pop("lines")
    if where.json:
        document(story)
        return
    out = console()
    out.print(told[0], style="bold", markup=False)
    for line in told[1:]:
        at, _, text = line.partition(" ")
        out.print(f"[dim]{at}[/dim]", end=" ")
        out.print(text, markup=False)


def limits(*, where: Where = Where()) -> None:  # noqa: B008 - frozen
    """Show all balances: limit, settled, reserved, left; and what is halted."""
    found = where.ask("limits")
    if where.json:
        document(found)
        return
    numbers = ("limit", "settled", "reserved", "left")
    cells = (
        (
            row["budget"],
            row["scope"],
            *(row[name] for name in numbers),
            "" if row["window_s"] is None else f"each {row['window_s']:g} s",
            "latched" if row["latched"] else "",
        )
        for row in found["limits"]
    )
    if found["limits"]:
        table(("budget", "scope", *numbers, "", ""), cells, right=numbers)
    else:
        say("nothing was reserved yet")
    for halt in found["halts"]:
        say(f"{halt['mode']}: {halt['scope']} by {halt['by']}: {halt['reason']}")


def outcomes(
    *,
    source: Annotated[str | None, Parameter(help="Only what this source decided.")] = None,
    after: Annotated[int, Parameter(help="The cursor of the last one that you have seen.")] = 0,
    limit: Annotated[int, Parameter(help="How many.", validator=Number(gte=1))] = 100,
    where: Where = Where(),  # noqa: B008 - frozen
) -> None:
    """Print the outcome feed after a cursor, oldest first: what became of what was decided."""
    rows = where.ask("outcomes", source=source, after=after, limit=limit)
    if where.json:
        lines(rows)
        return
    cells = (
        (
            row["cursor"],
            row["id"],
            row["outcome"]["result"] + (f"({row['outcome']['code']})" if row["outcome"]["code"] else ""),
            row["kind"],
            row["key"],
            row["source"],
        )
        for row in rows
    )
    table(("cursor", "id", "outcome", "kind", "key", "source"), cells, right=("cursor",))


def health(*, where: Where = Where()) -> int:  # noqa: B008 - frozen
    """Say whether the node is alive and ready, and why not. Exit code 0: ready; 1: not ready; 4: no node."""
    found = where.ask("health")
    if where.json:
        document(found)
    else:
        say(f"alive: {'yes' if found['alive'] else 'no'}, ready: {'yes' if found['ready'] else 'no'}")
        for reason in found["reasons"]:
            say(f"  {reason['code']}: {reason['text']}")
    return Exit.DONE if found["ready"] else Exit.NO


def metrics(*, where: Where = Where()) -> None:  # noqa: B008 - frozen
    """Print the node's Prometheus metrics."""
    text = where.ask("metrics")
    if where.json:
        document({"format": "prometheus", "text": text})
    else:
        sys.stdout.write(text)
