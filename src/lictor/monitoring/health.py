"""Health: *alive* is whether this process still turns, *ready* whether work should be sent to it, with reasons.

A loop that hangs in blocking code cannot say so itself: its health does not answer at all.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from .quality_alert import Evidence
from .vitals import Vitals

#: A turn that takes longer than this is stuck: a commit takes milliseconds, and so do a thousand decisions.
STUCK_S = 10.0
#: More facts than this that cannot be proved yet are worth a look.
AUDIT_BEHIND_MAX = 1_000_000


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a node is not alive, not ready, or only partly of use. `code` is stable, `text` is for people."""

    code: str
    text: str
    #: What it takes away: `alive` (and with it readiness), `ready`, or nothing yet.
    takes: Literal["alive", "ready", "nothing"]


@dataclass(frozen=True, slots=True)
class Health:
    """A restart helps what is not alive; what is alive but not ready only needs other work sent elsewhere for now."""

    reasons: tuple[Reason, ...]

    @property
    def alive(self) -> bool:
        """It turns."""
        return not any(reason.takes == "alive" for reason in self.reasons)

    @property
    def ready(self) -> bool:
        """Send it work."""
        return not any(reason.takes in {"alive", "ready"} for reason in self.reasons)

    def data(self) -> dict[str, Any]:
        """For JSON."""
        return {"alive": self.alive, "ready": self.ready, "reasons": [asdict(reason) for reason in self.reasons]}


def examine(
    vitals: Vitals,
    *,
    started: bool,
    accepting: bool,
    failure: BaseException | None,
    falls: Evidence | None = None,
) -> Health:
    """The node's health now; `falls` is why quality is known to fall as load rises."""
    reasons: list[Reason] = []
    if failure is not None:
        code = "JOURNAL_FAILED" if getattr(failure, "code", "").startswith("JOURNAL") else "FAILED"
        reasons.append(Reason(code, f"the node has stopped: {failure}", "alive"))
    elif not started:
        reasons.append(Reason("NOT_STARTED", "the node has not started, or has stopped", "ready"))
    elif not accepting:
        reasons.append(Reason("DRAINING", "the node takes no new work", "ready"))
    if failure is None and (turn_s := vitals.turn_s()) > STUCK_S:
        reasons.append(Reason("TURN_STUCK", f"a turn has been running for {turn_s:.1f} s", "alive"))
    for name, age_s in vitals.stale().items():
        told = "was never loaded" if age_s is None else f"is {age_s:.1f} s old, {vitals.ages_max[name]:g} s may be"
        reasons.append(Reason("REFERENCE_STALE", f"reference {name} {told}", "ready"))
    if falls is not None:
        told = f"quality is {falls.eq:.3f}, and was {falls.eq_good:.3f} at less load; most is lost as {falls.cause}"
        reasons.append(Reason("QUALITY_FALLS", f"{told}: lictor quality", "nothing"))
    return Health((*reasons, *_halts(vitals), *_watched(vitals)))


def _halts(vitals: Vitals) -> list[Reason]:
    """Only a halt of everything makes a node not ready."""
    reasons = []
    for scope, halt in vitals.journal.state.halts.items():
        takes: Literal["ready", "nothing"] = "ready" if scope == "all" and halt.mode == "halted" else "nothing"
        code = "HALTED" if halt.mode == "halted" else "REDUCE_ONLY"
        reasons.append(Reason(code, f"{scope} by {halt.by}" + (f": {halt.reason}" if halt.reason else ""), takes))
    return reasons


def _watched(vitals: Vitals) -> list[Reason]:
    """What works, but that a person should look at."""
    reasons = []
    if vitals.waiting() >= vitals.waiting_max:
        reasons.append(Reason("OVERLOADED", f"{vitals.waiting()} signals wait, more are shed", "nothing"))
    reasons += [Reason(code, told, "nothing") for code, told in list(vitals.troubles.values())[:10]]
    in_doubt = vitals.open_states()[1].get("in_doubt", 0)
    if in_doubt:
        reasons.append(Reason("IN_DOUBT", f"{in_doubt} actions are in doubt", "nothing"))
    latched = [f"{b}/{scope}" for (b, scope), balance in vitals.journal.state.balances.items() if balance.latched]
    if latched:
        reasons.append(Reason("BUDGET_LATCHED", ", ".join(sorted(latched)[:10]), "nothing"))
    demoted = [subject for (name, subject), found in vitals.adjustments.items() if name == "demoted" and found.value]
    if vitals.audited.fault:
        reasons.append(Reason("AUDIT_FAILED", vitals.audited.fault, "nothing"))
    if vitals.audited.behind > AUDIT_BEHIND_MAX:
        told = f"{vitals.audited.behind} facts are not in the tree over history yet"
        reasons.append(Reason("AUDIT_BEHIND", told, "nothing"))
    if demoted:
        reasons.append(Reason("SOURCE_DEMOTED", ", ".join(sorted(demoted)[:10]), "nothing"))
    return reasons
