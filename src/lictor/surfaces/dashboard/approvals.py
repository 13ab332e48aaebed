"""What waits for a person: exactly what would be done, by which rule it is held, and what it would leave of budgets.

The answer is bound to the digest that the page showed: if what is held is another by then, nothing is approved.
"""

from __future__ import annotations

from typing import Any

from lictor.errors import LictorError, MalformedError, NotFoundError
from lictor.journal.open import Open, approved_by
from lictor.journal.port import Admit, Approve, DecisionRow, Filter
from lictor.node import Node
from lictor.records import Approval, Decision
from lictor.runtime.ids import id_text
from lictor.surfaces import answering
from lictor.surfaces.http.answers import Response
from lictor.surfaces.http.route import Asked
from lictor.surfaces.views import decision_data, plain

from .decisions import visible
from .page import count_of, form, page, see

#: Cards on one page; the rest follows when these are answered.
CARDS = 25
#: Decisions of a kind among which the last one is looked for that somebody approved.
LOOKED_AT = 60
#: For how long the same content may be approved again without asking.
STANDS = (("for 1 h", 3_600), ("for 8 h", 28_800), ("for 7 d", 604_800))
#: Standing approvals on the page, the newest first.
STANDING = 50


async def approvals_page(asked: Asked) -> Response:
    """Cards, the most urgent first."""
    node = asked.node
    held = [
        found
        for found in node.journal.state.open.values()
        if found.state == "held" and asked.principal.sees(found.decision.source, found.decision.tenant)
    ]
    held.sort(key=due_us)
    last: dict[str, tuple[str, Any] | None] = {}
    for kind in {found.decision.kind for found in held[:CARDS]}:
        last[kind] = await last_approved(asked, kind)
    cards = [card(node, found, last[found.decision.kind]) for found in held[:CARDS]]
    denied = [
        decision_data(row)
        for code in ("APPROVAL_TIMEOUT", "APPROVAL_DENIED")
        for row in await asked.requests.sight.rows(node.journal, Filter(code=code, limit=10))
    ]
    denied.sort(key=lambda row: -row["closed_us"] if row["closed_us"] else -row["received_us"])
    standing = await asked.requests.ask("standing", limit=STANDING)
    return page(
        asked,
        "approvals.html",
        cards=cards,
        count=len(held),
        denied=denied[:10],
        stands=STANDS,
        standing=standing,
    )


def due_us(found: Open) -> int:
    """Until when it can be approved."""
    until = found.verdict.until_us
    return found.decision.deadline_us if until is None else min(until, found.decision.deadline_us)


def card(node: Node, found: Open, last: tuple[str, Any] | None) -> dict[str, Any]:
    """All that whoever answers has to know."""
    d, redact = found.decision, node.pipeline.monitoring.redact
    payload = redact.json(d.payload)
    holding = answering.holding(found)
    return {
        "id": id_text(d.id),
        "kind": d.kind,
        "source": d.source,
        "tenant": d.tenant,
        "key": d.key,
        "received_us": d.received_us,
        "due_us": due_us(found),
        "digest": d.digest.hex(),
        "policy": found.verdict.policy,
        "payload": payload,
        "fields": difference(payload, last[1] if last is not None else None),
        "last": last[0] if last is not None else None,
        "gates": [
            {
                "gate": r.gate,
                "code": r.code,
                "version": r.version,
                "seen": plain(redact(r.seen)),
                "approvers": r.approvers,
                "approved_by": approved_by(found.approvals, r.gate, r.version),
            }
            for r in holding
        ],
        "may_stand": all(r.approvers == 1 for r in holding),
        "budgets": budgets_after(node, found),
        "approvals": [{"by": a.approver, "gate": a.gate, "approved": a.approved} for a in found.approvals],
        "confidence": d.confidence,
    }


def difference(payload: Any, before: Any) -> list[dict[str, Any]]:
    """Each argument, and what it was when one of this kind was approved last."""
    if not isinstance(payload, dict):
        return [{"name": "", "value": payload, "before": before, "changed": before is not None and before != payload}]
    was = before if isinstance(before, dict) else {}
    return [
        {
            "name": name,
            "value": payload.get(name),
            "before": was.get(name),
            "changed": before is not None and was.get(name) != payload.get(name),
        }
        for name in dict.fromkeys([*payload, *was])
    ]


def budgets_after(node: Node, found: Open) -> list[dict[str, Any]] | None:
    """What it would reserve if it were approved now, and what that leaves; None where no gate can say so now."""
    d, validation = found.decision, node.pipeline.validation
    now_us = node.clock.wall_us()
    supposed = [
        Approval(
            decision=d.id,
            gate=r.gate,
            gate_version=r.version,
            digest=d.digest,
            approver=f"?{person}",  # as many as it asks for; no person has such a name
            approved=True,
            at_us=now_us,
        )
        for r in found.verdict.rulings
        if r.result == "hold"
        for person in range(r.approvers)
    ]
    try:
        value = node.pipeline.execution.value_of(d)
        ruled = validation.gatekeeper.rule(d, value, validation, {}, now_us, answers=None, approvals=supposed)
    except LictorError:
        return None
    if ruled.verdict.result != "admitted":
        return None
    rows = []
    for r in ruled.verdict.reservations:
        balance = node.journal.state.balances.get((r.budget, r.scope))
        declared = node.app.balances.get(r.budget)
        left: Any = None
        if balance is not None:
            left = balance.room(balance.window(now_us))
        elif declared is not None:
            left = declared.limit_for(r.scope)
        after = None if left is None else left - r.amount
        rows.append(
            {
                "budget": r.budget,
                "scope": r.scope,
                "amount": plain(r.amount),
                "left": plain(left),
                "after": plain(after),
                "short": after is not None and after < 0,
            }
        )
    return rows


async def last_approved(asked: Asked, kind: str) -> tuple[str, Any] | None:
    """Id and content of the last decision of a kind that somebody approved, of those that may be seen."""
    node = asked.node
    for row in await asked.requests.sight.rows(node.journal, Filter(kind=kind, limit=LOOKED_AT)):
        if row.state in {"held", "refused", "deferred"}:
            continue
        found = await _approved(node, row)
        if found is not None:
            return id_text(row.id), node.pipeline.monitoring.redact.json(found.payload)
    return None


async def _approved(node: Node, row: DecisionRow) -> Decision | None:
    history = await node.journal.history(row.id)
    if not any(isinstance(fact.verb, Approve) and fact.verb.approval.approved for fact in history):
        return None
    admits = [
        fact.verb.decision for fact in history if isinstance(fact.verb, Admit) and fact.verb.decision.id == row.id
    ]
    return admits[-1] if admits else None


async def answer_held(asked: Asked) -> Response:
    """Approve or deny, for the content that was shown."""
    given = await form(asked)
    decision = await visible(asked, asked.path["what"])
    found = asked.node.journal.state.open.get(decision)
    if found is None or found.state != "held":
        raise NotFoundError(
            f"decision {id_text(decision)} is not held any more", hint="somebody answered it, or its time was over"
        )
    if given.get("digest") != found.decision.digest.hex():
        raise MalformedError("what is held is not what the page showed", hint="look at it again, and answer that")
    ask: dict[str, Any] = {
        "what": id_text(decision),
        "by": asked.principal.name,
        "approved": given.get("answer") == "approve",
        "reason": given.get("reason", ""),
    }
    if ask["approved"] and "again_for_s" in given:
        ask["again_for_s"] = float(count_of(given["again_for_s"]))
    await asked.requests.answer("approve", ask)
    return see("/approvals") if given.get("back") == "approvals" else see(f"/decisions/{id_text(decision)}")


async def withdraw_now(asked: Asked) -> Response:
    """Ask a person again."""
    given = await form(asked)
    await asked.requests.ask("withdraw", what=asked.path["what"], gate=given.get("gate"))
    return see("/approvals")
