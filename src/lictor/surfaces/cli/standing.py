"""Commands for standing approvals: `standing list`, `standing withdraw`."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from .output import document, moment, table
from .reach import Where, login
from .steering import By, Tenant, tell


def list_(
    *,
    limit: Annotated[int, Parameter(help="How many at most.")] = 100,
    where: Where = Where(),  # noqa: B008 - frozen
) -> None:
    """List what stands, the newest first: for which content of which source, by whom, until when."""
    rows = where.ask("standing", limit=limit)
    if where.json:
        document(rows)
        return
    table(
        ("decision", "kind", "source", "tenant", "gate", "by", "given", "until", "reason"),
        [
            (
                row["decision"],
                row["kind"],
                row["source"],
                row["tenant"] or "",
                row["gate"],
                row["by"],
                moment(row["at_us"]),
                moment(row["until_us"]),
                row["reason"],
            )
            for row in rows
        ],
    )


def withdraw(
    what: Annotated[str, Parameter(help="The decision it was given with, or any of the same content.", name="ID")],
    /,
    *,
    gate: Annotated[str | None, Parameter(help="Which gate's; all unless given.")] = None,
    by: By = "",
    tenant: Tenant = None,
    where: Where = Where(),  # noqa: B008 - frozen
) -> None:
    """Take a standing approval back: the next one waits for a person. What it has approved stays so."""
    done = where.ask("withdraw", what=what, gate=gate, by=by or login(), tenant=tenant)
    told = ", ".join(f"{row['gate']} for {row['kind']} from {row['source']}" for row in done["withdrawn"])
    tell(where, done, f"stands no more: {told}")
