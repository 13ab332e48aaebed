"""A person's answers to what is held, and the approvals that stand for the next ones, as requests.

Whoever is scoped sees and withdraws what stands for decisions that they see.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from lictor.errors import NotFoundError
from lictor.journal.open import Open, approved_by
from lictor.journal.port import Journal
from lictor.node import Node
from lictor.records import Decision, Ruling, Standing, subject_of
from lictor.runtime.ids import id_text

from . import asks, shapes
from .sight import Sight, record_of
from .views import near

#: Standing approvals of one answer, at most.
STANDING_MAX = 1_000
#: What stands, and the decision that it was given with; None where that is archived.
Given = tuple[Standing, Decision | None]


class Answering:
    """The requests, for one node and one who asks."""

    __slots__ = ()

    ASKS: ClassVar[dict[str, type[asks.Ask]]] = {
        "approve": asks.Approve,
        "standing": asks.Standing,
        "withdraw": asks.Withdraw,
    }

    node: Node
    sight: Sight

    async def _approve(self, ask: asks.Approve) -> shapes.Answered:
        node = self.node
        decision = await self.sight.decision(node.journal, ask.what, ask.tenant)
        found, by = node.journal.state.open.get(decision), self.sight.by(ask.by)
        asking = holding(found)
        more = await node.approve(
            decision, by=by, approved=ask.approved, gate=ask.gate, reason=ask.reason, again_for_s=ask.again_for_s
        )
        told = answered(decision, found, asking, by, approved=ask.approved)
        until = [
            one.until_us
            for ruling in asking
            if found is not None and (one := node.journal.state.standing.get((ruling.gate, subject(found))))
        ]
        return {**told, "more": more, "until_us": max(until, default=None) if ask.again_for_s is not None else None}

    async def _standing(self, ask: asks.Standing) -> list[shapes.Standing]:
        found = await standing(self.node.journal, self.sight, self.node.clock.wall_us())
        return [standing_data(*one) for one in found[: max(1, min(ask.limit, STANDING_MAX))]]

    async def _withdraw(self, ask: asks.Withdraw) -> shapes.Withdrawn:
        by = self.sight.by(ask.by)
        found = await standing_for(self.node.journal, self.sight, ask, self.node.clock.wall_us())
        for one, _ in found:
            await self.node.withdraw(one.gate, one.subject, by=by)
        return {"by": by, "withdrawn": [standing_data(*one) for one in found]}


def holding(found: Open | None) -> list[Ruling]:
    """What a decision waits for a person for."""
    return [r for r in found.verdict.rulings if r.result == "hold" and not r.shadow] if found is not None else []


def answered(
    decision: int, found: Open | None, asking: Sequence[Ruling], by: str, *, approved: bool
) -> shapes.Answered:
    """What is told of an answer: how many persons each gate asks for, and who has approved so far."""
    approvals = () if found is None else found.approvals
    gates: list[shapes.Asking] = [
        {"gate": r.gate, "approvers": r.approvers, "approved_by": approved_by(approvals, r.gate, r.version)}
        for r in asking
    ]
    return {"id": id_text(decision), "approved": approved, "by": by, "more": 0, "gates": gates, "until_us": None}


def subject(found: Open) -> str:
    """What an approval of it would stand for."""
    return subject_of(found.decision.digest, found.decision.source)


async def standing(journal: Journal, sight: Sight, now_us: int) -> list[Given]:
    """What stands now and may be seen, newest first."""
    seen: list[Given] = []
    for one in sorted(journal.state.standing.values(), key=lambda one: (-one.at_us, one.gate, one.subject)):
        if one.until_us <= now_us or not _of_source(sight, one):
            continue
        found = await record_of(journal, one.decision)
        if sight.whole or (found is not None and sight.sees(one.source, found.tenant)):
            seen.append((one, found))
    return seen


def _of_source(sight: Sight, one: Standing) -> bool:
    principal = sight.principal
    return principal is None or principal.sources is None or one.source in principal.sources


async def standing_for(journal: Journal, sight: Sight, ask: asks.Withdraw, now_us: int) -> list[Given]:
    """What stands for the content and source of a decision.

    Raises:
        NotFoundError: nothing does, or nothing that may be seen.
    """
    known = [one for one in await standing(journal, sight, now_us) if ask.gate in (None, one[0].gate)]
    found = [one for one in known if id_text(one[0].decision) == ask.what]
    if not found:  # any other decision of the same content names it as well
        record = await record_of(journal, await sight.decision(journal, ask.what, ask.tenant))
        wanted = None if record is None else subject_of(record.digest, record.source)
        found = [one for one in known if one[0].subject == wanted]
    if not found:
        gate = f" of {ask.gate}" if ask.gate else ""
        hint = near(ask.what, [id_text(one.decision) for one, _ in known]) or "see `lictor standing list`"
        raise NotFoundError(f"no approval{gate} stands for what {ask.what!r:.80} is", hint=hint)
    return found


def standing_data(one: Standing, found: Decision | None) -> shapes.Standing:
    """A standing approval as lists show it."""
    return {
        "gate": one.gate,
        "kind": one.kind,
        "source": one.source,
        "tenant": None if found is None else found.tenant,
        "by": one.approver,
        "reason": one.reason,
        "decision": id_text(one.decision),
        "digest": one.digest.hex(),
        "at_us": one.at_us,
        "until_us": one.until_us,
    }
