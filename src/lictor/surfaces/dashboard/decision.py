"""One decision: its story with every ruling and its evidence, its family, what can be done about it, and its proof."""

from __future__ import annotations

from typing import Any

from lictor.errors import LictorError, NotFoundError
from lictor.journal.port import Admit, Filter
from lictor.records import Decision
from lictor.runtime.ids import id_text
from lictor.surfaces.http.answers import Response
from lictor.surfaces.http.problem import HttpError
from lictor.surfaces.http.route import Asked
from lictor.surfaces.shapes import Decision as Decided
from lictor.surfaces.views import decision_data, plain

from .again import again
from .approvals import STANDS, card
from .decisions import visible
from .page import count_of, form, page, see

#: Children that are listed.
CHILDREN_MAX = 200
ENDED = frozenset({"refused", "failed", "expired", "cancelled", "compensated"})
#: Events that are told as one list under the verdict that they led to.
RULING = "ruling"


async def decision_page(asked: Asked) -> Response:
    """The story."""
    node = asked.node
    decision = await visible(asked, asked.path["what"])
    told = await node.timeline(decision)
    entries = plain(told.data())["entries"]
    content = await _content(asked, decision)
    opened = node.journal.state.find(decision)
    rows = await node.journal.decisions(Filter(before=decision + 1, limit=1))
    if not rows or rows[0].id != decision:
        raise NotFoundError(f"the row of decision {id_text(decision)} is archived")
    row: dict[str, Any] = {**decision_data(rows[0])}
    held = card(node, opened, None) if opened is not None and opened.state == "held" else None
    return page(
        asked,
        "decision.html",
        id=id_text(decision),
        row=row,
        content=content,
        digest=content.digest.hex() if content is not None else None,
        steps=steps(entries),
        why=why(entries, row),
        payload=node.pipeline.monitoring.redact.json(content.payload) if content is not None else None,
        children=await _children(asked, decision),
        held=held,
        stands=STANDS,
        ended=row["state"] in ENDED,
        doubts=_doubts(opened),
        proof=await _proof(asked, decision),
    )


def steps(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The timeline, the rulings of one verdict together under it."""
    found: list[dict[str, Any]] = []
    rulings: list[dict[str, Any]] = []
    for entry in entries:
        if entry["event"] == RULING:
            rulings.append(entry)
            continue
        found.append({**entry, "rulings": rulings})
        rulings = []
    return found


def why(entries: list[dict[str, Any]], row: dict[str, Any]) -> dict[str, Any] | None:
    """Why it was not done, or is not done yet: the ruling or the attempt that decided it."""
    if row["state"] in {"refused", "held", "deferred"}:
        wanted = {"refused": "deny", "held": "hold", "deferred": "defer"}[row["state"]]
        for entry in reversed(entries):
            if entry["event"] == RULING and entry["result"] == wanted and not entry["shadow"]:
                return {"gate": entry["gate"], "code": entry["code"], "seen": entry["seen"], "reads": entry["reads"]}
    if row["state"] in {"failed", "expired", "cancelled"}:
        for entry in reversed(entries):
            if entry["event"] == "outcome":
                return {"gate": None, "code": entry["code"], "seen": entry["detail"], "reads": []}
    return None


async def _content(asked: Asked, decision: int) -> Decision | None:
    history = await asked.node.journal.history(decision)
    found = [row.verb.decision for row in history if isinstance(row.verb, Admit) and row.verb.decision.id == decision]
    return found[-1] if found else None


async def _children(asked: Asked, decision: int) -> list[Decided]:
    """Decisions that its calls have submitted."""
    rows = await asked.requests.sight.rows(asked.node.journal, Filter(parent=decision, limit=CHILDREN_MAX))
    return [decision_data(row) for row in rows]


def _doubts(opened: Any) -> list[int]:
    """Actions that nobody knows the end of, or that the world is still working on."""
    if opened is None:
        return []
    return [n for n, action in enumerate(opened.actions) if action.state in {"in_doubt", "pending"}]


async def _proof(asked: Asked, decision: int) -> dict[str, Any] | None:
    """That it is in the history which the newest checkpoint signs; None where this node keeps no tree."""
    try:
        told: dict[str, Any] = await asked.requests.answer("proof", {"what": id_text(decision)})
    except LictorError:
        return None
    return told


async def steer(asked: Asked) -> Response:
    """Cancel it, submit it again, or say what became of an action in doubt."""
    given = await form(asked)
    decision = await visible(asked, asked.path["what"])
    what, by, reason = id_text(decision), asked.principal.name, given.get("reason", "")
    match given.get("action"):
        case "cancel":
            await asked.requests.answer("cancel", {"what": what, "by": by, "reason": reason})
        case "again":
            told = await again(asked, decision)
            if told["id"] is None:
                code = told["verdict"]["code"]
                raise HttpError(409, str(code), "it was turned away again", hint="Flow says what holds things up")
            return see(f"/decisions/{told['id']}")
        case "resolve":
            asks = {
                "what": what,
                "by": by,
                "result": given.get("result", ""),
                "ordinal": count_of(given.get("ordinal", "0")),
            }
            if reason:
                asks["value"] = reason
            await asked.requests.answer("resolve", asks)
        case other:
            raise NotFoundError(f"no action {other!r:.40}")
    return see(f"/decisions/{what}")
