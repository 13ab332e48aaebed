"""What whoever called is told when it was not done: a code, why, what would be allowed, and when to try again.

The same for a program (an exception), for a model (a text and a structure) and over every surface.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from lictor.errors import Code, LictorError
from lictor.records import Outcome, Verdict

from .plain import text

#: Why, in a sentence with what was seen; where a value is missing, the code alone must do.
_WHY: dict[str, str] = {
    Code.BUDGET_EXCEEDED: "this needs {asked} of the budget {budget}, and {left} are left of {limit}",
    Code.BUDGET_LATCHED: "more of the budget {budget} was used than had been reserved, so that it is closed for now",
    Code.APPROVAL_DENIED: "a person has said no",
    Code.APPROVAL_TIMEOUT: "nobody approved it in time",
    Code.HALTED: "{scope} is halted by {by}: {reason}",
    Code.INFEASIBLE: "the work ahead of it would not leave enough time before its deadline",
    Code.OVERLOADED: "there is too much to do at the moment",
    Code.NOT_ADMITTING: "the node takes no new work at the moment",
    Code.EXPIRED: "its deadline has passed",
    Code.TIMEOUT: "it did not answer in time",
    Code.EFFECT_FAILED: "it was tried and did not succeed",
    Code.RETRY_BUDGET: "it was tried and did not succeed, and there is nothing left for more tries",
    Code.SOURCE_UNKNOWN: "who asks is not known here",
    Code.NOT_PERMITTED: "who asks may not do this",
    Code.SOURCE_DEMOTED: "who asks has been wrong too often and must be put back by a person",
    Code.KEY_REUSED: "the key was used before for something else",
    Code.MALFORMED: "the arguments do not fit: {detail}",
}
#: What may be done about it.
_NEXT: dict[str, str] = {
    Code.BUDGET_EXCEEDED: "ask for at most what is left, or ask a person to raise the limit",
    Code.BUDGET_LATCHED: "a person must reset it",
    Code.APPROVAL_DENIED: "do not ask for the same again; choose something else",
    Code.APPROVAL_TIMEOUT: "ask again when somebody is there to answer",
    Code.HALTED: "a person must resume it",
    Code.SOURCE_DEMOTED: "a person must reinstate it",
    Code.KEY_REUSED: "use another key for other content",
    Code.MALFORMED: "correct the arguments and call again",
}
#: Verdicts that let nothing happen, or not yet; and rulings that made them so.
_NOT_ADMITTED = frozenset({"refused", "shed", "held"})
_AGAINST = frozenset({"deny", "hold", "defer"})


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """Why a call has not (or not yet) had its effect, as data."""

    #: refused, shed, held, failed, expired, cancelled, compensated, or unfinished.
    status: str
    code: str
    why: str
    #: What would have been allowed, by the name of what limits it; None where nobody can say.
    allowed: dict[str, Any] | None = None
    #: What to do about it.
    next: str | None = None
    retry_after_s: float | None = None
    #: The decision, as people and commands name it; None where it never became one.
    decision: str | None = None
    #: The gate or stage that said it.
    said_by: str | None = None
    #: The same call was made before; this is the answer that it got.
    duplicate: bool = False

    def text(self) -> str:
        """One paragraph that a person or a model can act on."""
        said = f"{self.status} ({self.code}): {self.why}."
        if self.allowed:
            said += " Allowed would be: " + ", ".join(f"{name} {value}" for name, value in self.allowed.items()) + "."
        if self.retry_after_s is not None:
            said += f" Try again after {self.retry_after_s:.3g} s."
        if self.next:
            said += f" {self.next[0].upper()}{self.next[1:]}."
        if self.decision:
            said += f" (decision {self.decision})"
        return said

    def data(self) -> dict[str, Any]:
        """For JSON; what is not known is left out."""
        found: dict[str, Any] = msgspec.to_builtins(self, enc_hook=str)
        return {name: value for name, value in found.items() if value is not None}


class NotDone(LictorError):
    """A governed call has not, or not yet, had its effect. `refusal` says why, as data."""

    code = "NOT_DONE"

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.text())
        self.refusal = refusal
        self.code = refusal.code

    @property
    def why(self) -> str:
        """Why, in a sentence."""
        return self.refusal.why

    @property
    def allowed(self) -> dict[str, Any] | None:
        """What would have been allowed; None where nobody can say."""
        return self.refusal.allowed

    @property
    def retry_after_s(self) -> float | None:
        """After how many seconds the same call may be admitted."""
        return self.refusal.retry_after_s

    @property
    def decision(self) -> str | None:
        """The decision's id, as people and commands name it."""
        return self.refusal.decision


class Refused(NotDone):
    """The call was not admitted and has had no effect."""


class Held(NotDone):
    """The call waits for a person; the same call in the same run goes on once it is approved."""


class Failed(NotDone):
    """The call was admitted and has not succeeded."""


class Unfinished(NotDone):
    """The call was admitted and has no outcome yet; the same call in the same run waits for it."""


def raised(refusal: Refusal) -> NotDone:
    """The exception of a refusal."""
    types = {"refused": Refused, "shed": Refused, "held": Held, "unfinished": Unfinished}
    return types.get(refusal.status, Failed)(refusal)


def refusal_of(
    verdict: Verdict, outcome: Outcome | None, *, decision: str | None = None, duplicate: bool = False
) -> Refusal | None:
    """What to tell whoever called: None where it succeeded, else how it stands and why.

    Args:
        verdict: the one in force.
        outcome: the outcome; None while there is none, or where there will be none.
        decision: its id, as people see it.
        duplicate: the same call was made before.

    """
    if outcome is not None and outcome.result == "succeeded":
        return None
    said_by, seen, detail = None, dict[str, Any](), None
    if outcome is not None:
        status, code, detail = outcome.result, outcome.code, outcome.detail
    elif verdict.result in _NOT_ADMITTED:
        status, code = str(verdict.result), verdict.code
        for ruling in verdict.rulings:
            if ruling.code == code and ruling.result in _AGAINST and not ruling.shadow:
                said_by, seen = ruling.gate, dict(ruling.seen or {})
                break
    else:
        status, code = "unfinished", None
    word = code or status.upper()
    return Refusal(
        status=status,
        code=word,
        why=_why(status, word, seen, detail),
        allowed=_allowed(word, seen),
        next=_next(status, word, seen, decision),
        retry_after_s=verdict.retry_after_s if outcome is None else None,
        decision=decision,
        said_by=said_by,
        duplicate=duplicate,
    )


def _why(status: str, code: str, seen: dict[str, Any], detail: str | None) -> str:
    if status == "held":
        told = "a person must approve it first"
    elif status == "unfinished":
        return "it was admitted and is under way, and what becomes of it is not known yet"
    else:
        told = _filled(_WHY.get(code), {"detail": detail or "", **seen}) or code.replace("_", " ").lower()
    stated = seen.get("why")
    if isinstance(stated, str):
        return stated
    left_out = {"allowed", "why"} if code not in _WHY else seen.keys()
    saw = ", ".join(f"{name} {value}" for name, value in seen.items() if name not in left_out)
    told += f"; seen: {saw}" if saw else ""
    return text(f"{told}: {detail}" if detail and detail not in told else told)


def _filled(sentence: str | None, seen: Mapping[str, Any]) -> str | None:
    try:
        return sentence.format_map(seen) if sentence else None
    except (KeyError, ValueError, IndexError):
        return None


def _allowed(code: str, seen: dict[str, Any]) -> dict[str, Any] | None:
    """A gate says it by `deny("TOO_MUCH", allowed={"amount": 500})`; a budget by what it has left."""
    stated = seen.get("allowed")
    if stated is not None:
        return dict(stated) if isinstance(stated, Mapping) else {"allowed": stated}
    if code == Code.BUDGET_EXCEEDED and "left" in seen:
        return {str(seen.get("budget")): seen["left"]}
    return None


def _next(status: str, code: str, seen: dict[str, Any], decision: str | None) -> str | None:
    if status == "held":
        return f"wait until somebody has answered decision {decision}, then make the same call again"
    if status == "unfinished":
        return "make the same call again to learn what became of it; it is not done twice"
    stated = seen.get("next")
    return stated if isinstance(stated, str) else _NEXT.get(code)
