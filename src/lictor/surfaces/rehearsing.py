"""Drives a rehearsal over a journal and shows what it found: as data, as a page.

Reads the journal's facts in order; performs nothing, because no node and no effector is there. Writes
`<out>/rehearse/report.json` and `report.html` only.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import msgspec

from lictor.app import App
from lictor.decisions.shaping import Shaping
from lictor.errors import NotFoundError
from lictor.journal.port import HistoryRow, Journal
from lictor.records import Amount
from lictor.runtime.ids import id_text
from lictor.validation.rehearsal import Rehearsal
from lictor.validation.rehearsed import Rehearsed
from lictor.validation.what_if import Carried, Ledger

from .evidence import Evidence
from .views import plain

#: How often progress is told, in facts.
TOLD_EVERY = 2_000


async def rehearse(
    app: App,
    journal: Journal,
    *,
    limits: Mapping[tuple[str, str | None], Amount] | None = None,
    since_us: int = 0,
    until_us: int | None = None,
    kinds: frozenset[str] | None = None,
    tell: Callable[[int], None] = lambda _seq: None,
) -> Rehearsed:
    """Rule all of a journal's decisions again by an App's gates and limits. The journal is only read.

    Raises:
        NotFoundError: a limit or a kind is of something that the App does not declare.
    """
    check(app, limits or {}, kinds or frozenset())
    shaping = Shaping(app, lambda now_us: now_us)
    amend = {name: shaper.amended for name, shaper in shaping.shapers.items()}
    archived, carried = await _carried(journal)
    rehearsal = Rehearsal(
        app,
        amend,
        shaping.value,
        limits=limits,
        since_us=since_us,
        until_us=until_us,
        kinds=kinds,
        carried=carried,
    )
    async for commit in _commits(journal, tell):
        if not rehearsal.commit(commit):
            break
        await asyncio.sleep(0)  # a node that runs goes on between two commits
    found = rehearsal.result()
    found.archived = archived
    return found


async def _commits(journal: Journal, tell: Callable[[int], None]) -> AsyncIterator[list[HistoryRow]]:
    """The facts of each commit."""
    commit: list[HistoryRow] = []
    async for row in journal.scan():
        if row.seq % TOLD_EVERY == 0:
            tell(row.seq)
        if commit and commit[-1].commit != row.commit:
            yield commit
            commit = []
        commit.append(row)
    if commit:
        yield commit


async def _carried(journal: Journal) -> tuple[int, dict[tuple[str, str], Carried] | None]:
    """How many facts are archived, and what balances had come to by them: what they are, less what is still there."""
    ledger: Ledger | None = None
    archived, last = 0, 0
    async for row in journal.scan():
        if last == 0 and row.seq == 1:
            return 0, None  # the oldest fact is archived first
        archived, last = archived + row.seq - last - 1, row.seq
        ledger = ledger or Ledger({})
        ledger.fold(row.verb, row.seq, row.at_us)
        if row.seq % TOLD_EVERY == 0:
            await asyncio.sleep(0)
    here = ledger.used() if ledger is not None else {}
    carried = {}
    for key, balance in journal.state.balances.items():
        seen = here.get(key, {})
        sums = {w: settled + held - seen.get(w, 0) for w, (settled, held) in balance.sums.items()}
        carried[key] = Carried(balance.limit, None if balance.window_us is None else balance.window_us / 1e6, sums)
    return archived, carried


def check(app: App, limits: Mapping[tuple[str, str | None], Amount], kinds: frozenset[str]) -> None:
    """Refuse what would silently try nothing.

    Raises:
        NotFoundError: the App declares no such balance or kind.
    """
    for budget, _ in limits:
        if budget not in app.balances:
            raise NotFoundError(f"{app.name} has no balance {budget!r}", hint=f"it has: {', '.join(app.balances)}")
    for kind in kinds:
        if kind not in app.kinds:
            raise NotFoundError(f"{app.name} has no kind {kind!r}", hint=f"it has: {', '.join(app.kinds)}")


def data(found: Rehearsed) -> dict[str, Any]:
    """The result as plain data."""
    facts: dict[str, Any] = {
        name: getattr(found, name)
        for name in (
            "app", "policy", "policies", "decisions", "unchanged", "changed", "undecidable",
            "assumed", "approvals_carried", "archived", "shed", "first_us", "last_us",
        )
    }  # fmt: skip
    facts["verdicts"] = {"then": dict(found.then.most_common()), "now": dict(found.now.most_common())}
    facts["matrix"] = [{"then": a, "now": b, "decisions": n} for (a, b), n in found.matrix.most_common()]
    facts["reasons"] = [{"why": why, "decisions": n} for why, n in found.reasons.most_common()]
    facts["budgets"] = [plain(msgspec.structs.asdict(use)) for use in found.use]
    facts["changes"] = [
        {**msgspec.structs.asdict(c), "decision": id_text(c.decision), "seen": plain(c.seen)} for c in found.changes
    ]
    return facts


def write(found: Rehearsed, out: Path, *, command: str, started_us: int, ended_us: int) -> Path:
    """`report.json` and `report.html`; the first's path."""
    made = Evidence("rehearse", command=command, started_us=started_us)
    for name in ("decisions", "changed", "undecidable"):
        made.show(id=f"rehearse {name}", value=getattr(found, name), unit="decisions", rig="journal")
    made.add("rehearsed", data(found))
    made.section("Verdicts that change", _matrix(found))
    made.section("What cannot be told, and why", _reasons(found))
    made.section("What the budgets would have come to", _budgets(found))
    made.section("The decisions that change", _changes(found))
    return made.write(out / "rehearse", ended_us=ended_us)


def _matrix(found: Rehearsed) -> str:
    if not found.matrix:
        return f"<p>None of {found.decisions:,} decisions.</p>"
    rows = [(then, now, f"{n:,}") for (then, now), n in found.matrix.most_common()]
    return _table(("then", "now", "decisions"), rows, right=2)


def _reasons(found: Rehearsed) -> str:
    if not found.reasons:
        return "<p>Everything can be told.</p>"
    return _table(("why", "decisions"), [(why, f"{n:,}") for why, n in found.reasons.most_common()], right=1)


def _budgets(found: Rehearsed) -> str:
    header = ("budget", "scope", "limit then", "now", "peak then", "now", "at the end then", "now")
    rows = [
        (u.budget, u.scope, *map(str, (u.limit_then, u.limit_now, u.peak_then, u.peak_now, u.end_then, u.end_now)))
        for u in found.use
    ]
    note = (
        f"<p>{found.assumed:,} decisions are admitted now and were not then: nobody knows their outcome, and all that "
        "they reserve counts as used.</p>"
    )
    return _table(header, rows, right=2) + (note if found.assumed else "")


def _changes(found: Rehearsed) -> str:
    rows = [
        (id_text(c.decision), c.kind, c.key or "-", c.source, c.then, c.now, c.gate or "-", _seen(c.seen))
        for c in found.changes
    ]
    left_out = found.changed - len(rows)
    more = f"<p>and {left_out:,} more</p>" if left_out else ""
    return _table(("id", "kind", "key", "source", "then", "now", "gate", "saw"), rows, right=99) + more


def _seen(seen: dict[str, Any] | None) -> str:
    return ", ".join(f"{name}={value}" for name, value in (seen or {}).items())


def _table(header: tuple[str, ...], rows: Sequence[tuple[str, ...]], *, right: int) -> str:
    def cells(row: tuple[str, ...], tag: str) -> str:
        return "".join(
            f'<{tag} class="n">{escape(cell)}</{tag}>' if column >= right else f"<{tag}>{escape(cell)}</{tag}>"
            for column, cell in enumerate(row)
        )

    body = "".join(f"<tr>{cells(row, 'td')}</tr>" for row in rows)
    return f"<table><tr>{cells(header, 'th')}</tr>{body}</table>"
