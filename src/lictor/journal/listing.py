"""Decisions and quarantine entries as lists show them, from records in memory. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from heapq import nlargest
from typing import Any

import msgspec

from lictor.records import Decision, Quarantined

from . import port
from .open import Open
from .state import State

_TIME_MAX = (1 << 63) - 1
#: What a decision itself does not say.
_OF_STATE = ("state", "code")


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


class Matcher:
    """A filter made ready to be held against many rows."""

    def __init__(self, wanted: port.Filter) -> None:
        #: The values that a field may have, for each field that is restricted to some.
        self.values: dict[str, tuple[Any, ...]] = {}
        for name in ("state", "kind", "tenant", "source", "code", "parent"):
            asked = getattr(wanted, name)
            if asked is not None:
                self.values[name] = asked if isinstance(asked, tuple) else (asked,)
        self.key = wanted.key
        self.before = wanted.before
        self.since_us = 0 if wanted.since_us is None else wanted.since_us
        self.until_us = _TIME_MAX if wanted.until_us is None else wanted.until_us - 1
        self.timed = wanted.since_us is not None or wanted.until_us is not None
        #: It restricts nothing but where to go on.
        self.takes_all = not self.values and self.key is None and not self.timed
        fields = {name: values for name, values in self.values.items() if name not in _OF_STATE}
        self._fields = [*fields.items(), *([("key", (self.key,))] if self.key is not None else [])]
        self.may_be_open = "code" not in self.values

    def as_json(self, *names: str) -> tuple[str | None, ...]:
        """What some fields may be, each as a JSON array for a query; None where it may be anything."""
        found = (self.values.get(name) for name in names)
        return tuple(None if values is None else msgspec.json.encode(values).decode() for values in found)

    def takes(self, row: port.DecisionRow) -> bool:
        """Whether a list shows this row."""
        return all(getattr(row, name) in self.values[name] for name in _OF_STATE if name in self.values) and (
            self._takes(row)
        )

    def takes_open(self, found: Open) -> bool:
        """Whether a list shows this open decision."""
        states = self.values.get("state")
        return (states is None or found.state in states) and self.may_be_open and self._takes(found.decision)

    def _takes(self, about: port.DecisionRow | Decision) -> bool:
        for name, values in self._fields:
            if getattr(about, name) not in values:
                return False
        if self.before is not None and about.id >= self.before:
            return False
        return not self.timed or self.since_us <= about.received_us <= self.until_us


def open_rows(found_open: Mapping[int, Open], wanted: port.Filter) -> list[port.DecisionRow]:
    """Open decisions, newest first."""
    matcher = Matcher(wanted)
    if not matcher.may_be_open:
        return []
    if matcher.takes_all and wanted.before is None:
        ids = nlargest(wanted.limit, found_open)
    else:
        ids = nlargest(wanted.limit, (id_ for id_, found in found_open.items() if matcher.takes_open(found)))
    return [row_of(found_open[id_].decision, found_open[id_].state, None, None) for id_ in ids]


def kept(state: State, source: str | None, limit: int) -> list[Quarantined]:
    """Quarantine entries that someone has still to judge, newest first."""
    entries = [entry for entry in state.quarantine.values() if source in (None, entry.source)]
    return sorted(entries, key=lambda entry: -entry.id)[:limit]
