"""Standing approvals at work: what is held and fits one is approved by it, with an approval of its own (I13).

Pure: it says what is to be written; the journal judges it as it judges a person's own answer.
"""

from __future__ import annotations

from msgspec.structs import replace

from lictor.journal.open import Open, approved_by
from lictor.journal.port import Approve, SetStanding, Verb
from lictor.journal.rules import is_its_source
from lictor.journal.state import State
from lictor.records import Approval, Ruling, Standing, subject_of


def answers(state: State, found: Open, now_us: int) -> list[Verb]:
    """The approvals that a held decision gets by what stands, and what stands no more."""
    written: list[Verb] = []
    decision = found.decision
    subject = subject_of(decision.digest, decision.source)
    for ruling in found.verdict.rulings:
        standing = state.standing.get((ruling.gate, subject))
        if standing is None or ruling.result != "hold" or ruling.shadow:
            continue
        if standing.until_us <= now_us or standing.gate_version != ruling.version:
            written.append(
                SetStanding(replace(standing, until_us=0, reason="its time is over, or its gate has changed"))
            )
        elif _gone(state, standing.approver, now_us):
            written.append(SetStanding(replace(standing, until_us=0, reason="the keys of who gave it are over")))
        elif _may(state, found, ruling, standing):
            written.append(Approve(_approval(standing, decision.id, now_us)))
    return written


def _may(state: State, found: Open, ruling: Ruling, standing: Standing) -> bool:
    """Whether the journal will take it: asked once, and by one who has not become the source since."""
    answered = approved_by(found.approvals, ruling.gate, ruling.version)
    return ruling.approvers == 1 and not answered and not is_its_source(state, standing.approver, found.decision)


def _gone(state: State, name: str, now_us: int) -> bool:
    """Whether somebody had keys and has none any more: whom nobody lets in approves nothing either."""
    ends = [g.expires_us if g.revoked_us is None else g.revoked_us for g in state.grants.values() if g.name == name]
    return bool(ends) and all(end is not None and end <= now_us for end in ends)


def _approval(standing: Standing, decision: int, now_us: int) -> Approval:
    return Approval(
        decision=decision,
        gate=standing.gate,
        gate_version=standing.gate_version,
        digest=standing.digest,
        approver=standing.approver,
        approved=True,
        at_us=now_us,
        reason=f"standing approval: {standing.reason}" if standing.reason else "standing approval",
    )


def expired(state: State) -> list[Verb]:
    """What stands no more, when a node starts."""
    return [
        SetStanding(replace(standing, until_us=0, reason="its time is over"))
        for standing in state.standing.values()
        if standing.until_us <= state.at_us
    ]
