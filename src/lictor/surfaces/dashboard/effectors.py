"""Effectors: how much runs at once, whether they are held or broken, what is in doubt, what retries may still cost."""

from __future__ import annotations

from typing import Any

from lictor.node import Node
from lictor.runtime.ids import id_text
from lictor.surfaces.http.answers import Response
from lictor.surfaces.http.route import Asked

from .page import page, whole

#: Actions in doubt that are listed.
DOUBTS_MAX = 50


async def effectors_page(asked: Asked) -> Response:
    """All of them, the busiest first."""
    whole(asked)
    flow = asked.requests.flow.read()
    rows = sorted(flow["effectors"], key=lambda row: -(row["queued"] + row["in_flight"]))
    return page(asked, "effectors.html", rows=rows, doubts=doubts(asked.node))


def doubts(node: Node) -> list[dict[str, Any]]:
    """Actions that nobody knows the end of, those that wait longest first."""
    found = []
    for open_ in node.journal.state.open.values():
        if not open_.started or open_.plan is None:
            continue
        for ordinal, action in enumerate(open_.actions):
            if action.state == "in_doubt":
                found.append(
                    {
                        "id": id_text(open_.decision.id),
                        "kind": open_.decision.kind,
                        "key": open_.decision.key,
                        "ordinal": ordinal,
                        "effector": open_.plan.actions[ordinal].effector,
                        "since_us": open_.started_us,
                        "next_us": action.next_us,
                        "detail": node.pipeline.monitoring.redact(action.detail) or action.code,
                    }
                )
    found.sort(key=lambda row: row["since_us"] or 0)
    return found[:DOUBTS_MAX]
