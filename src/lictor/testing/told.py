"""One decision, as its recorded facts tell it; and how a promise that they break is told. No engine state."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import sha256

from lictor.errors import InvariantViolation
from lictor.records import Amount, Approval, Decision, Outcome, Plan, Verdict

Hold = tuple[str, str, int | None]


def expect(name: str, holds: object, detail: str, *about: object) -> None:
    """Raise when a promise is broken; `detail` is formatted with what it is about only then."""
    if not holds:
        raise InvariantViolation(name, detail.format(*about))


@dataclass(slots=True)
class Step:
    """One action of a decision, as far as facts tell."""

    fence: int = 0
    starts: int = 0
    #: An attempt has been started of which nothing has been recorded yet.
    running: bool = False
    #: Nobody knows what became of its last attempt.
    in_doubt: bool = False
    succeeded: bool = False
    end: str | None = None


@dataclass(slots=True)
class Told:
    """One decision, as its facts tell it."""

    decision: Decision
    verdicts: list[Verdict]
    #: Latest time that any of its facts records.
    at_us: int
    #: The decision in whose turn of the order key it runs; itself, or an ancestor.
    root: int
    admitted: bool = False
    #: Its position in the order of admission.
    place: int = 0
    started: bool = False
    started_us: int = 0
    end: str | None = None
    outcome: Outcome | None = None
    plan: Plan | None = None
    steps: list[Step] = field(default_factory=list)
    held: dict[Hold, Amount] = field(default_factory=dict)
    used: dict[tuple[str, str], Amount] = field(default_factory=dict)
    approvals: list[Approval] = field(default_factory=list)
    reports: set[tuple[int, str]] = field(default_factory=set)
    cancel_asked: bool = False

    def __str__(self) -> str:
        d = self.decision
        return f"decision {d.id} ({d.kind}, {d.tenant}, order {d.order_key}, {self.end or self.verdicts[-1].result})"


def scopes(decision: Decision, effector: str | None) -> Iterator[str]:
    """What a halt of this decision could be called."""
    yield "all"
    yield f"kind:{decision.kind}"
    yield f"source:{decision.source}"
    yield f"tenant:{decision.tenant}"
    if effector is not None:
        yield f"effector:{effector}"


def digest_of(decision: Decision) -> bytes:
    """The identity that its content has."""
    prefix = f"{decision.kind}\0{decision.version}\0".encode()
    return sha256(prefix + decision.tenant.encode() + b"\0" + decision.payload).digest()
