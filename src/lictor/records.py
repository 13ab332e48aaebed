"""The frozen records of DESIGN section 1.

Each is owned by the stage that emits it and never edited: news is a new record.

Times are whole microseconds of the wall clock (`_us`); amounts are integers in minor units or `Decimal`, never
floats. All are msgspec structs with a stable field order, because the journal stores them as arrays: append fields,
never reorder.
"""

from __future__ import annotations

from decimal import Decimal
from enum import IntEnum, StrEnum
from typing import Any

import msgspec

#: Money, position, quota: integers in minor units, or Decimal.
Amount = int | Decimal


class Record(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The base of all records: frozen, compact, comparable."""


#: What a decision of each class is worth to the execution-quality index, where its kind declares no value.
CLASS_WORTH = (4.0, 3.0, 2.0, 1.0)


class Priority(IntEnum):
    """The class of a decision; a lower number starts first. A class is granted to a source, not claimed by it."""

    URGENT = 0
    HIGH = 1
    NORMAL = 2
    LOW = 3


class Result(StrEnum):
    """What a verdict says."""

    ADMITTED = "admitted"
    REFUSED = "refused"
    HELD = "held"
    DEFERRED = "deferred"
    SHED = "shed"


class Signal(Record, frozen=True, kw_only=True):
    """1 inputs: a raw input as it arrived, before anyone trusts it.

    `payload` is JSON text of the content, or `value` is an object of the kind's own type; one of the two is given.
    """

    source: str
    kind: str
    payload: bytes | None = None
    value: Any = None
    version: int | None = None
    key: str | None = None
    tenant: str = "default"
    priority: int | None = None
    deadline_us: int | None = None
    expires_in_s: float | None = None
    not_before_us: int | None = None
    confidence: float | None = None
    expects: dict[str, Any] | None = None
    parent: int | None = None
    supersedes: int | None = None
    #: When its source says that it came to be; freshness is judged by it.
    sent_us: int | None = None
    #: Where in its source it stands (file:line, sequence number); for quarantine and gap checks.
    position: str | None = None
    #: The trace of whoever submits it, as W3C Trace Context's `traceparent`.
    trace: str | None = None


class Decision(Record, frozen=True, kw_only=True):
    """2 decisions: a typed, immutable statement of what is wanted.

    `payload` is deterministic JSON; `digest` is SHA-256 over tenant, kind, version and payload and is the content's
    identity.
    """

    id: int
    kind: str
    version: int
    tenant: str
    source: str
    key: str | None
    digest: bytes
    payload: bytes
    received_us: int
    deadline_us: int
    priority: int
    order_key: str | None = None
    not_before_us: int | None = None
    confidence: float | None = None
    expects: dict[str, Any] | None = None
    parent: int | None = None
    depth: int = 0
    supersedes: int | None = None
    #: Digest of the content as it was submitted, where gates have amended it.
    amended_from: bytes | None = None
    #: Digest of the content as it was submitted; equals `digest` unless amended. Keys are bound to this one (I10).
    submitted_digest: bytes = b""
    #: What it is worth, where its kind declares a value; None for the weight of its class (`worth_of`).
    worth: float | None = None
    #: The trace of whoever submitted it (`traceparent`).
    trace: str | None = None
    #: The person who corrected its content in quarantine, and so has decided it as its source has (I13).
    corrected_by: str | None = None


def worth_of(decision: Decision) -> float:
    """What a decision is worth: by its kind's declared value, else the weight of its class."""
    return CLASS_WORTH[decision.priority] if decision.worth is None else decision.worth


class Read(Record, frozen=True):
    """Evidence: one thing that a gate read, by value where that is small, else by a version that the journal keeps."""

    name: str
    version: str | None = None
    value: Any = None


class Ruling(Record, frozen=True):
    """3 validation: one gate's answer."""

    gate: str
    result: str
    version: str = ""
    code: str | None = None
    #: What the refusing code saw, for the one who decided: values, limits.
    seen: dict[str, Any] | None = None
    reads: tuple[Read, ...] = ()
    shadow: bool = False
    #: Payload after an amendment by this gate.
    amended: bytes | None = None
    until_us: int | None = None
    #: Payload as this gate saw it, where it amended it.
    before: bytes | None = None
    #: For a hold: how many persons must approve.
    approvers: int = 1


class Reservation(Record, frozen=True):
    """Part of a balance that an admitted decision holds until its outcome settles or releases it."""

    budget: str
    scope: str
    amount: Amount
    #: Start of the window that it charges, for a windowed budget.
    window_us: int | None = None


class Take(Record, frozen=True):
    """Tokens of a rate, or slots, taken at each start."""

    budget: str
    scope: str
    count: float = 1.0


class Verdict(Record, frozen=True, kw_only=True):
    """3 validation: all rulings and the result, for exactly the content of `digest`."""

    result: Result
    at_us: int
    digest: bytes
    policy: str = ""
    code: str | None = None
    rulings: tuple[Ruling, ...] = ()
    reservations: tuple[Reservation, ...] = ()
    takes: tuple[Take, ...] = ()
    until_us: int | None = None
    retry_after_s: float | None = None
    #: The original answer to the same key and content was given again.
    duplicate: bool = False
    durability: str = "sync"


class Action(Record, frozen=True):
    """4 execution: one effect on the world."""

    effector: str
    args: tuple[Any, ...] = ()
    kwargs: dict[str, Any] = {}
    #: Ordinals of actions of the same plan that must have succeeded before this one starts.
    after: tuple[int, ...] = ()
    #: Arguments that are results of earlier actions: position or keyword -> ordinal.
    inputs: dict[str, int] = {}


class Plan(Record, frozen=True):
    """4 execution: the actions that an admitted decision becomes.

    `rule` is how the decision's outcome follows from its actions': `all`, `quorum` (of `quorum`), or
    `all_or_compensate`.
    """

    actions: tuple[Action, ...]
    rule: str = "all"
    quorum: int = 0


class Lease(Record, frozen=True):
    """4 execution: the right to attempt: a fencing token that only grows, and when the lease ends."""

    fence: int
    until_us: int


class Report(Record, frozen=True, kw_only=True):
    """4 execution: news of an action from the world; deduplicated by `id`, may arrive late or unasked.

    `settled` is by budget name: what this report alone adds to the true amounts (a partial fill).
    """

    id: str
    final: bool
    #: For a final report: succeeded, failed, cancelled, expired, or absent (the world has never seen it).
    result: str | None = None
    code: str | None = None
    value: Any = None
    settled: dict[str, Amount] = {}
    at_us: int | None = None


class Outcome(Record, frozen=True, kw_only=True):
    """4 execution: the one terminal result of an admitted decision."""

    decision: int
    result: str
    at_us: int
    code: str | None = None
    value: Any = None
    settled: tuple[Reservation, ...] = ()
    attempts: int = 0
    started_us: int | None = None
    detail: str | None = None


class Lesson(Record, frozen=True, kw_only=True):
    """6 feedback: what an outcome taught about a subject (a source, a kind, or whatever a user's lesson names)."""

    name: str
    subject: str
    at_us: int
    decision: int | None = None
    values: dict[str, Any] = {}


class Adjustment(Record, frozen=True, kw_only=True):
    """6 feedback: a bounded change that follows from a lesson and that the next verdict reads."""

    name: str
    subject: str
    value: float
    was: float
    at_us: int
    lesson: str
    reason: str = ""
    #: A latched adjustment stays until a named person resets it.
    latched: bool = False
    by: str | None = None
    #: The decision whose outcome moved it last.
    decision: int | None = None


class Halt(Record, frozen=True, kw_only=True):
    """A scope in which nothing starts (`halted`) or only what reduces is admitted (`reduce_only`)."""

    scope: str
    mode: str
    at_us: int
    by: str
    reason: str = ""


class Approval(Record, frozen=True, kw_only=True):
    """A person's answer to a held decision; binds the exact digest, the gate's version and the approver, once (I13)."""

    decision: int
    gate: str
    gate_version: str
    digest: bytes
    approver: str
    approved: bool
    at_us: int
    reason: str = ""


class Standing(Record, frozen=True, kw_only=True):
    """An approver's word that the same content of the same source is approved again by them, until a time.

    Nothing passes by it alone: each decision that it fits gets an approval of its own, which binds as any other (I13).
    """

    gate: str
    gate_version: str
    digest: bytes
    source: str
    approver: str
    at_us: int
    #: From then on it holds no more; 0 where it was withdrawn.
    until_us: int
    #: The decision that was approved with it.
    decision: int
    kind: str = ""
    reason: str = ""

    @property
    def subject(self) -> str:
        """What it is for, beside its gate: the content, and whose."""
        return subject_of(self.digest, self.source)


def subject_of(digest: bytes, source: str) -> str:
    """The subject of a standing approval."""
    return f"{digest.hex()} {source}"


class Quarantined(Record, frozen=True, kw_only=True):
    """A signal that failed its source's quality gate, kept with the reason until someone replays or discards it."""

    id: int
    source: str
    at_us: int
    reason: str
    detail: str
    signal: bytes
    state: str = "kept"
    #: Who replayed or discarded it.
    by: str | None = None


class ShedCount(Record, frozen=True):
    """What was shed in one second from one source, kind and code: shed work is counted, not journaled one by one."""

    second: int
    source: str
    kind: str
    code: str
    count: int
    sample: str = ""
    #: What all of it was worth.
    value: float = 0.0


class Grant(Record, frozen=True, kw_only=True):
    """An API key as the journal keeps it: who holds it and what it opens; of its secret only a hash."""

    id: str
    name: str
    #: SHA-256 over the id and a secret of 256 random bits.
    hash: bytes
    roles: tuple[str, ...]
    #: What it is scoped to; None for all.
    sources: tuple[str, ...] | None
    tenants: tuple[str, ...] | None
    made_us: int
    by: str
    expires_us: int | None = None
    revoked_us: int | None = None
