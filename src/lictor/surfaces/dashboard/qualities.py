"""Execution quality: what was kept of what could have been kept, now and at each load; and what was lost."""

from __future__ import annotations

from lictor.monitoring.quality import CAUSES, GOOD
from lictor.surfaces.http.answers import Response
from lictor.surfaces.http.route import Asked

from .page import page, whole

TOLD = {
    "late": "finished too late",
    "stale": "started too late",
    "wasted": "ran and failed",
    "unfair": "less valuable work went first",
    "unknown": "nobody knows what came of it",
    "overhead": "turned away while capacity idled",
    "harm": "did harm",
}


async def quality_page(asked: Asked) -> Response:
    """The curve, the knee, the losses."""
    whole(asked)
    found = asked.node.quality().data()
    curve = {
        "kind": "curve",
        "x": [row["load_to"] if row["load_to"] is not None else row["load_from"] * 2 for row in found["curve"]],
        "y": [row["quality"] for row in found["curve"]],
        "good": GOOD,
    }
    return page(asked, "quality.html", found=found, curve=curve, causes=CAUSES, told=TOLD, good=GOOD)
