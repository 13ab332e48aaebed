"""Decisions and quarantine entries as lists show them, from records in memory. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from lictor.records import Decision, Quarantined

from . import port
from .open import Open
from .state import State


def row_of(d: Decision, state: str, code: str | None, closed_us: int | None) -> port.DecisionRow:
    """A decision as lists show it."""
    return port.DecisionRow(
        d.id,
        d.kind,
        d.tenant,
        d.source,
        d.key,
        d.order_key,
        d.priority,
        state,
        code,
        d.received_us,
        d.deadline_us,
        closed_us,
        d.parent,
    )


def open_rows(found_open: Mapping[int, Open], wanted: port.Filter) -> list[port.DecisionRow]:
    """Open decisions, newest first."""
    rows = []
    for id_ in sorted(found_open, reverse=True):
        found = found_open[id_]
        row = row_of(found.decision, found.state, None, None)
        if matches(row, wanted):
            rows.append(row)
            if len(rows) >= wanted.limit:
                break
    return rows


def matches(row: port.DecisionRow, wanted: port.Filter) -> bool:
    """Whether a list that asks for `wanted` shows this row."""
    for name in ("state", "kind", "tenant", "source", "code", "key"):
        asked = getattr(wanted, name)
        if asked is not None and asked != getattr(row, name):
            return False
    return wanted.before is None or row.id < wanted.before


def kept(state: State, source: str | None, limit: int) -> list[Quarantined]:
    """Quarantine entries that someone has still to judge, newest first."""
    entries = [entry for entry in state.quarantine.values() if source in (None, entry.source)]
    return sorted(entries, key=lambda entry: -entry.id)[:limit]
