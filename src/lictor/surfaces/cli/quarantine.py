"""`lictor quarantine`: signals that were kept aside, for a person to judge."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from .output import document, lines, moment, say, table
from .reach import Where, login
from .running import exit_of, json_of, tell
from .steering import By

Entry = Annotated[str, Parameter(help="The id of an entry.", name="ID")]


def list_(
    *,
    source: Annotated[str | None, Parameter(help="Only this source.")] = None,
    limit: Annotated[int, Parameter(help="How many.", validator=Number(gte=1))] = 100,
    where: Where = Where(),  # noqa: B008 - frozen
) -> None:
    """List what is kept, newest first."""
    rows = where.ask("quarantine_list", source=source, limit=limit)
    if where.json:
        lines(rows)
    elif rows:
        cells = ((row["id"], row["source"], row["reason"], row["detail"], moment(row["at_us"])) for row in rows)
        table(("id", "source", "reason", "detail", "since (UTC)"), cells)
    else:
        say("quarantine is empty")


def show_(what: Entry, /, *, where: Where = Where()) -> None:  # noqa: B008 - frozen
    """Show one entry with its signal, secrets redacted."""
    document(where.ask("quarantine_show", what=what))


def replay_(
    what: Entry,
    /,
    *,
    payload: Annotated[str | None, Parameter(help="Corrected content, as JSON; as it was kept unless given.")] = None,
    by: By = "",
    where: Where = Where(),  # noqa: B008 - frozen
) -> int:
    """Send a signal through the door again; `--by` vouches for it. Needs a running node."""
    corrected = None if payload is None else json_of(payload, "--payload")
    answer = where.ask("quarantine_replay", what=what, by=by or login(), payload=corrected)
    if where.json:
        document(answer)
    else:
        tell(answer, what, waited=False)
    return exit_of(answer, waited=False)


def discard_(what: Entry, /, *, by: By = "", where: Where = Where()) -> None:  # noqa: B008 - frozen
    """Take a signal out of quarantine for good; its history stays."""
    done = where.ask("quarantine_discard", what=what, by=by or login())
    if where.json:
        document(done)
    else:
        say(f"discarded {done['entry']} by {done['by']}")
