"""The same once more: what was refused, failed or expired is submitted again, under a key of its own.

The content, source and tenant are those of the original, which whoever asks cannot change: they repeat what another has
decided, and decide nothing themselves, so they may still be its approver. The key follows from the original's id, so
that asking twice does it once.
"""

from __future__ import annotations

from typing import Any

from lictor.errors import NotFoundError
from lictor.journal.port import Admit
from lictor.records import Signal
from lictor.runtime.ids import id_text
from lictor.surfaces.http.route import Asked
from lictor.validation.rehearsal import as_submitted


async def again(asked: Asked, decision: int) -> Any:
    """The answer to it.

    Raises:
        NotFoundError: its content is not kept any more.
    """
    rows = await asked.node.journal.history(decision)
    first = next((row.verb for row in rows if isinstance(row.verb, Admit) and row.verb.decision.id == decision), None)
    if first is None or not first.decision.payload:
        raise NotFoundError(f"the content of {id_text(decision)} is not kept any more")
    was = as_submitted(first.decision, first.verdict)
    signal = Signal(
        kind=was.kind,
        payload=was.payload,
        source=was.source,
        tenant=was.tenant,
        key=f"again-{id_text(decision)}",
        priority=was.priority,
        confidence=was.confidence,
        expects=was.expects,
    )
    return await asked.requests.submitted(await asked.node.submit(signal))
