"""`rehearse` yesterday's decisions against other rules, `report` all figures that were measured."""

from __future__ import annotations

import asyncio
import shlex
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import msgspec
from cyclopts import Parameter

from lictor.app import App
from lictor.errors import MalformedError
from lictor.records import Amount
from lictor.validation.rehearsed import Rehearsed

from .output import Exit, console, document, say, table
from .progress import progress
from .reach import FLAG, Where
from .steering import pair

#: Lines of the matrix and of reasons that are printed; all are in the report.
PRINTED_MAX = 20


def rehearse(
    app: Annotated[str, Parameter(help="MODULE:APP with the gates to try.")],
    /,
    *,
    since: Annotated[str | None, Parameter(help="Decisions from then on: 2026-05-01, or 2026-05-01T12:30.")] = None,
    until: Annotated[str | None, Parameter(help="History up to then.")] = None,
    kind: Annotated[tuple[str, ...], Parameter(help="Only this kind's gates.", negative="", show_default=False)] = (),
    limit: Annotated[
        tuple[str, ...], Parameter(help="BUDGET=N or BUDGET:SCOPE=N: a limit to try.", negative="", show_default=False)
    ] = (),
    out: Annotated[Path, Parameter(help="The report goes to OUT/rehearse/.")] = Path("out"),
    strict: Annotated[bool, FLAG, Parameter(help="Exit code 1 when a verdict changes or is undecidable.")] = False,
    where: Where = Where(),  # noqa: B008 - frozen
) -> int:
    """Rule recorded decisions again, from their recorded evidence, by other gates or limits. Nothing is performed.

    The journal is opened read-only, also beside a live node. Prints which verdicts change, which cannot be told and
    why, and what the budgets would have come to.
    """
    from lictor.runtime.clock import SystemClock
    from lictor.surfaces import rehearsing
    from lictor.surfaces.loading import load

    declared, clock = load(app), SystemClock()
    limits, kinds = dict(_limit(text) for text in limit), frozenset(kind) or None
    bounds = _time(since) or 0, _time(until)
    started_us = clock.wall_us()
    found = asyncio.run(_rehearse(declared, where.journal, limits, bounds, kinds))
    command = shlex.join(["lictor", *sys.argv[1:]])
    report = rehearsing.write(found, out, command=command, started_us=started_us, ended_us=clock.wall_us())
    if where.json:
        document(rehearsing.data(found))
    else:
        _tell(found, report)
    return Exit.NO if strict and (found.changed or found.undecidable) else Exit.DONE


async def _rehearse(
    app: App,
    path: Path,
    limits: dict[tuple[str, str | None], Amount],
    bounds: tuple[int, int | None],
    kinds: frozenset[str] | None,
) -> Rehearsed:
    from lictor.surfaces import rehearsing

    from . import closed

    async with closed.reading(path) as journal:
        with progress("rehearsing", "facts") as tell:
            return await rehearsing.rehearse(
                app,
                journal,
                limits=limits,
                since_us=bounds[0],
                until_us=bounds[1],
                kinds=kinds,
                tell=lambda seq: tell(seq, journal.last_seq),
            )


def report(
    directory: Annotated[Path, Parameter(help="Where reports are.")] = Path("out"),
    /,
    *,
    where: Where = Where(),  # noqa: B008 - frozen
) -> int:
    """Print every figure of every report below a directory as one table, the unmet first."""
    from lictor.errors import NotFoundError
    from lictor.surfaces import evidence

    if not directory.is_dir():
        raise NotFoundError(f"there is no directory {directory}", hint="make demo, make bench write reports to out/")
    if where.json:
        document([{"report": name, **msgspec.to_builtins(shown)} for name, shown in evidence.collect(directory)])
    else:
        say(evidence.table(directory))
    return Exit.DONE


def _tell(found: Rehearsed, report_path: Path) -> None:
    out = console()
    out.print(f"{found.decisions:,} decisions by {found.app}, policy {found.policy}", style="bold", markup=False)
    if found.policies.keys() - {found.policy}:
        under = ", ".join(f"{policy or 'none'} ({count:,})" for policy, count in found.policies.items())
        out.print(f"  ruled then under {under}", markup=False)
    if found.archived:
        out.print(f"  {found.archived:,} older facts are archived; what budgets had come to by them is inferred")
    for name in ("unchanged", "changed", "undecidable"):
        out.print(f"  {name:12} {getattr(found, name):>9,}")
    if found.matrix:
        out.print()
        shown = found.matrix.most_common(PRINTED_MAX)
        table(("then", "now", "decisions"), ((a, b, f"{n:,}") for (a, b), n in shown), right=("decisions",))
    if found.reasons:
        out.print("\ncannot be told", style="bold")
        for why, count in found.reasons.most_common(PRINTED_MAX):
            out.print(f"  {count:>9,}  {why}", markup=False)
    if found.use:
        out.print()
        _tell_use(found)
    out.print(f"\n{report_path} and report.html beside it", markup=False)


def _tell_use(found: Rehearsed) -> None:
    header = ("budget", "scope", "limit then", "limit now", "peak then", "peak now", "end then", "end now")
    rows = (
        (u.budget, u.scope, u.limit_then, u.limit_now, u.peak_then, u.peak_now, u.end_then, u.end_now)
        for u in found.use[:PRINTED_MAX]
    )
    table(header, rows, right=header[2:])
    if len(found.use) > PRINTED_MAX:
        say(f"and {len(found.use) - PRINTED_MAX:,} more scopes")
    if found.assumed:
        say(f"admitted now alone: {found.assumed:,}; all that they reserve counts as used")


def _limit(text: str) -> tuple[tuple[str, str | None], Amount]:
    from lictor.surfaces.requests import amount_of

    name, amount = pair(text, "--limit")
    budget, colon, scope = name.partition(":")
    return (budget, scope if colon else None), amount_of(amount)


def _time(text: str | None) -> int | None:
    """A time, in UTC unless it says otherwise.

    Raises:
        MalformedError: it is none.
    """
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise MalformedError(f"{text!r} is no time", hint="write 2026-05-01 or 2026-05-01T12:30 (UTC)") from error
    if found.tzinfo is None:
        found = found.replace(tzinfo=UTC)
    return int(found.timestamp() * 1e6)
