"""After a restart: what the data-quality gates had seen, from the journal's latest decisions and its quarantine.

Without it a gap, a step back or a duplicate across the restart would go unseen. What was judged long ago, and what was
refused without a record, is not recalled: the gates then know less, and find less.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from lictor.errors import MalformedError
from lictor.journal.port import Admit, Filter, Journal
from lictor.records import Signal

from .quality import SourceQuality
from .stored_signal import load

#: Signals of each source that are recalled, at most.
RECALL_MAX = 512

Seen = tuple[int, Signal, Any]


async def recall(journal: Journal, gates: Mapping[str, SourceQuality]) -> None:
    """Show each gate again what it saw last, oldest first."""
    for source, gate in gates.items():
        wanted = min(gate.remembers, RECALL_MAX)
        if not wanted:
            continue
        seen = await _decided(journal, source, wanted) + _kept(journal, source)
        for at_us, signal, content in sorted(seen, key=lambda each: each[0])[-wanted:]:
            gate.recall(signal, content, at_us)


async def _decided(journal: Journal, source: str, wanted: int) -> list[Seen]:
    seen: list[Seen] = []
    for row in await journal.decisions(Filter(source=source, limit=wanted)):
        first = next((fact.verb for fact in await journal.history(row.id) if isinstance(fact.verb, Admit)), None)
        if first is not None and first.decision.payload:
            decision = first.decision
            signal = Signal(source=source, kind=decision.kind, tenant=decision.tenant, key=decision.key)
            seen.append((decision.received_us, signal, msgspec.json.decode(decision.payload)))
    return seen


def _kept(journal: Journal, source: str) -> list[Seen]:
    seen: list[Seen] = []
    for entry in journal.state.quarantine.values():
        if entry.source == source:
            try:
                signal = load(entry.signal)
                seen.append((entry.at_us, signal, msgspec.json.decode(signal.payload or b"")))
            except (MalformedError, msgspec.DecodeError):
                continue  # it told the gate nothing then either
    return seen
