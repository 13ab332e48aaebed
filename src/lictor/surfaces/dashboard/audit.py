"""Audit: who steered this node and when, under which rules it ran, its keys, and what its history is signed by."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextlib import aclosing
from typing import Any

from lictor.errors import LictorError
from lictor.journal.port import (
    Approve,
    Cancel,
    Declare,
    Filter,
    HistoryRow,
    Learn,
    Quarantine,
    SetGrant,
    SetHalt,
    SetLimit,
    SetStanding,
)
from lictor.node import Node
from lictor.runtime.ids import id_text
from lictor.surfaces.access.keys import grant_data
from lictor.surfaces.access.principal import Permission
from lictor.surfaces.http.answers import Response
from lictor.surfaces.http.route import Asked

from .page import page, whole

#: How many of the newest facts are looked through for what people did, and how much of that is shown.
FACTS = 20_000
SHOWN = 100
CHECKPOINTS = 10


async def audit_page(asked: Asked) -> Response:
    """Steering, keys, checkpoints."""
    whole(asked)
    node = asked.node
    now_us = node.clock.wall_us()
    grants = sorted(node.journal.state.grants.values(), key=lambda grant: -grant.made_us)
    return page(
        asked,
        "audit.html",
        steering=await steering(node),
        facts=FACTS,
        keys=[grant_data(grant, now_us) for grant in grants] if asked.principal.may(Permission.ADMIN) else [],
        sealed=await _asked(asked, "audit"),
        checkpoints=await _asked(asked, "checkpoints", limit=CHECKPOINTS) or [],
        declared=node.journal.state.declared,
        epoch=node.journal.state.epoch,
        durability=node.journal.durability,
    )


async def _asked(asked: Asked, do: str, **what: Any) -> Any:
    """How far history is proved, and by what; None where this node keeps no tree."""
    try:
        return await asked.requests.answer(do, what)
    except LictorError:
        return None


async def steering(node: Node) -> list[dict[str, Any]]:
    """What people and deploys did, of the newest facts, newest first."""
    newest = await node.journal.decisions(Filter(limit=1))
    last = (await node.journal.history(newest[0].id))[-1].seq if newest else 0
    found: deque[dict[str, Any]] = deque(maxlen=SHOWN)
    async with aclosing(node.journal.scan(max(0, last - FACTS))) as rows:  # type: ignore[type-var]
        async for row in rows:
            tell = _TOLD.get(type(row.verb))
            if tell is not None and (told := tell(row)) is not None:
                found.append({"at_us": row.at_us, **told})
    return list(reversed(found))


def _halt(row: HistoryRow) -> dict[str, Any]:
    halt: Any = row.verb
    what = {"none": "resumed", "halted": "halted"}.get(halt.halt.mode, "reduce only")
    return {"what": what, "by": halt.halt.by, "on": halt.halt.scope, "reason": halt.halt.reason, "id": None}


def _limit(row: HistoryRow) -> dict[str, Any] | None:
    verb: Any = row.verb
    if verb.by.startswith("app:"):  # as it is declared
        return None
    what = f"limit {verb.limit}" + (", latch lifted" if verb.reset_latch else "")
    return {"what": what, "by": verb.by, "on": f"{verb.budget}/{verb.scope}", "reason": "", "id": None}


def _approval(row: HistoryRow) -> dict[str, Any]:
    a: Any = row.verb
    what = "approved" if a.approval.approved else "denied"
    id_ = id_text(a.approval.decision)
    return {"what": what, "by": a.approval.approver, "on": a.approval.gate, "reason": a.approval.reason, "id": id_}


def _standing(row: HistoryRow) -> dict[str, Any]:
    verb: Any = row.verb
    s = verb.standing
    told = {"on": f"{s.gate} {s.source}", "reason": s.reason, "id": id_text(s.decision)}
    if not s.until_us:  # the reason says by whom, or that its time was over
        return {"what": "approved no more for the next ones", "by": "", **told}
    return {"what": "approved for the next ones", "by": s.approver, **told}


def _cancel(row: HistoryRow) -> dict[str, Any]:
    verb: Any = row.verb
    return {"what": "cancelled", "by": verb.by, "on": "", "reason": verb.reason, "id": id_text(verb.decision)}


def _learn(row: HistoryRow) -> dict[str, Any] | None:
    verb: Any = row.verb
    for move in verb.adjustments:
        if move.by:
            what = "reinstated" if move.name == "demoted" else f"reset {move.name}"
            return {"what": what, "by": move.by, "on": move.subject, "reason": move.reason, "id": None}
    return None


def _kept(row: HistoryRow) -> dict[str, Any] | None:
    entry: Any = row.verb
    if entry.entry.state == "kept":
        return None
    what = f"quarantine {entry.entry.state}"
    return {
        "what": what,
        "by": entry.entry.by or "",
        "on": entry.entry.source,
        "reason": entry.entry.reason,
        "id": None,
    }


def _grant(row: HistoryRow) -> dict[str, Any]:
    verb: Any = row.verb
    grant, roles = verb.grant, ", ".join(verb.grant.roles)
    what = "key revoked" if grant.revoked_us is not None else "key made or given an end"
    return {"what": what, "by": grant.by, "on": grant.name, "reason": roles, "id": None}


def _declared(row: HistoryRow) -> dict[str, Any]:
    verb: Any = row.verb
    return {"what": "deployed", "by": f"{verb.app} {verb.version}", "on": verb.policy, "reason": "", "id": None}


_TOLD: dict[type, Callable[[HistoryRow], dict[str, Any] | None]] = {
    SetHalt: _halt,
    SetLimit: _limit,
    Approve: _approval,
    SetStanding: _standing,
    SetGrant: _grant,
    Cancel: _cancel,
    Learn: _learn,
    Quarantine: _kept,
    Declare: _declared,
}
