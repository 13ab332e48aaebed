"""Sources: what each is granted, how it has done, how well it knows itself, and who was demoted and why."""

from __future__ import annotations

from typing import Any

from lictor.feedback.scores import NAMES
from lictor.surfaces.http.answers import Response
from lictor.surfaces.http.route import Asked
from lictor.surfaces.views import plain

from .page import form, page, see

#: Sources on one page; the worst come first.
SHOWN = 100


async def sources_page(asked: Asked) -> Response:
    """All that may be seen, whoever is demoted first, then the lowest score."""
    node = asked.node
    node.pipeline.observe()
    scores = node.pipeline.feedback.scores.all()
    moved = node.journal.state.adjustments
    names = sorted({*scores, *node.app.sources})
    rows = [
        _row(asked, name, scores.get(name, {}), moved) for name in names if asked.requests.sight.sees_source(node, name)
    ]
    rows.sort(key=lambda row: (row["demoted"] is None, row["lowest"]))
    return page(asked, "sources.html", rows=rows[:SHOWN], left_out=max(0, len(rows) - SHOWN), names=NAMES)


def _row(asked: Asked, name: str, scores: dict[str, float], moved: Any) -> dict[str, Any]:
    node = asked.node
    declared = node.app.sources.get(name)
    demotion = moved.get(("demoted", name))
    kinds = []
    for (source, kind), tally in node.pipeline.feedback.scores.tallies().items():
        if source == name:
            kinds.append({"kind": kind, **plain(tally.values()), "buckets": _buckets(tally.calibration)})
    return {
        "name": name,
        "declared": declared,
        "scores": scores,
        "lowest": min(scores.values(), default=1.0),
        "demoted": demotion if demotion is not None and demotion.value else None,
        "adjustments": [found for (what, subject), found in moved.items() if subject == name and what != "demoted"],
        "kinds": kinds,
    }


def _buckets(calibration: Any) -> list[dict[str, Any]] | None:
    """Stated confidence against what came true; None where no confidence was stated."""
    if calibration is None or not calibration.count:
        return None
    return [{"stated": b.confidence, "came": b.came_true, "size": b.size} for b in calibration.reliability() if b.size]


async def reinstate(asked: Asked) -> Response:
    """Admit again what a demoted source decides; its quality starts anew."""
    given = await form(asked)
    await asked.requests.answer("reinstate", {"source": given.get("source", ""), "reason": given.get("reason", "")})
    return see("/sources")
