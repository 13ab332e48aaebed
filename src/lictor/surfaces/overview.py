"""What a node shows of its sources and effectors, and what its rules would have said of the past."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lictor.app import App
from lictor.errors import LictorError
from lictor.node import Node
from lictor.records import Amount, Priority
from lictor.runtime.ids import id_text

from . import asks, flow, shapes
from .rehearsing import data, rehearse
from .sight import Sight
from .waiting import Waiting

#: Decisions that are told of one by one.
NAMED_MAX = 100

#: Nodes of which the past is ruled on again just now.
_rehearsing: set[int] = set()


def sources(node: Node) -> list[shapes.Source]:
    """All declared sources, and all that have decided something."""
    node.pipeline.observe()
    scores = node.pipeline.feedback.scores
    known, tallies = scores.all(), scores.tallies()
    adjustments = node.journal.state.adjustments
    rows: list[shapes.Source] = []
    for name in sorted({*node.app.sources, *known}):
        declared = node.app.sources.get(name)
        demoted = adjustments.get(("demoted", name))
        calibrations: list[shapes.Calibration] = []
        for (source, kind), tally in sorted(tallies.items()):
            found = tally.calibration if source == name else None
            if found is not None and found.count:
                buckets: list[shapes.Bucket] = [
                    {"low": b.low, "size": b.size, "confidence": b.confidence, "came_true": b.came_true}
                    for b in found.reliability()
                ]
                brier = found.squares / found.count
                calibrations.append({"kind": kind, "count": found.count, "brier": brier, "buckets": buckets})
        demotion: shapes.Demotion | None = None
        if demoted is not None and demoted.value:
            demotion = {"reason": demoted.reason, "at_us": demoted.at_us, "lesson": demoted.lesson}
        rows.append(
            {
                "source": name,
                "declared": declared is not None,
                "kinds": None if declared is None or declared.kinds is None else list(declared.kinds),
                "tenants": None if declared is None or declared.tenants is None else list(declared.tenants),
                "priority": None if declared is None else Priority(declared.priority).name.lower(),
                "scores": known.get(name) or {score: scores.score(name, score) for score in ("quality", "success")},
                "calibration": calibrations,
                "demoted": demotion,
            }
        )
    return rows


def effectors(node: Node, sight: Sight) -> list[dict[str, Any]]:
    """Each effector's slots, calls, breaker and extra work, and the decisions that are in doubt there."""
    doubted: dict[str, list[dict[str, Any]]] = {name: [] for name in node.app.effectors}
    for id_, found in node.journal.state.open.items():
        decision = found.decision
        if not found.started or found.plan is None or not sight.sees(decision.source, decision.tenant):
            continue
        for ordinal, (action, planned) in enumerate(zip(found.actions, found.plan.actions, strict=True)):
            rows = doubted.get(planned.effector)
            if action.state == "in_doubt" and rows is not None and len(rows) < NAMED_MAX:
                rows.append({"decision": id_text(id_), "action": ordinal, "code": action.code, "detail": action.detail})
    return [{**row, "doubted": doubted[row["name"]]} for row in flow.effectors(node, Waiting(node))]


async def rehearsed(
    node: Node, ask: asks.Rehearse, limits: Mapping[str, Amount], app: App | None = None
) -> dict[str, Any]:
    """What the rules in force would have said of a period, or those of another App.

    One at a time, since it takes the node's own time.

    Raises:
        LictorError: `BUSY`, another one runs.
        NotFoundError: a limit or a kind is of something that the App does not declare.
    """
    if id(node) in _rehearsing:
        busy = LictorError("another rehearsal runs on this node", hint="ask again when it has ended")
        busy.code = "BUSY"
        raise busy
    changed: dict[tuple[str, str | None], Amount] = {}
    for name, limit in limits.items():
        budget, _, scope = name.partition("/")
        changed[budget, scope or None] = limit
    _rehearsing.add(id(node))
    try:
        found = await rehearse(
            app or node.app,
            node.journal,
            limits=changed,
            since_us=ask.since_us,
            until_us=ask.until_us,
            kinds=frozenset(ask.kinds) or None,
        )
    finally:
        _rehearsing.discard(id(node))
    return data(found)
