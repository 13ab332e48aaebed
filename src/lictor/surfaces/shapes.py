"""The shapes of what surfaces show, as types: from them come the schemas of the HTTP API and the typed client.

All are plain dicts. Times are microseconds of the wall clock (`_us`), ids the 13 letters that people see, amounts whole
numbers in minor units or decimals as text.
"""

from __future__ import annotations

from typing import Any, NotRequired, TypedDict

#: An amount: whole, or a decimal as text.
Amount = int | str


class Ruled(TypedDict):
    """What one gate said, and what it saw where that is told."""

    gate: str
    result: str
    code: str | None
    seen: dict[str, Any] | None
    shadow: bool


class Reserved(TypedDict):
    """A part of a balance."""

    budget: str
    scope: str
    amount: Amount


class Verdict(TypedDict):
    """A verdict: admitted, refused, held, deferred or shed."""

    result: str
    code: str | None
    at_us: int
    policy: str
    until_us: int | None
    retry_after_s: float | None
    durability: str
    rulings: list[Ruled]
    reserved: list[Reserved]


class Outcome(TypedDict):
    """The one terminal result."""

    result: str
    code: str | None
    at_us: int
    started_us: int | None
    attempts: int
    value: Any
    detail: str | None
    settled: list[Reserved]


class Submitted(TypedDict):
    """The answer to a decision: `id` is null where it was shed or never became one; `outcome` where it is known."""

    id: str | None
    duplicate: bool
    verdict: Verdict
    outcome: Outcome | None


class Decision(TypedDict):
    """A decision as lists show it."""

    id: str
    number: int
    kind: str
    tenant: str
    source: str
    key: str | None
    order_key: str | None
    priority: int
    state: str
    code: str | None
    received_us: int
    deadline_us: int
    closed_us: int | None
    parent: str | None


class FeedRow(TypedDict):
    """One entry of the outcome feed."""

    cursor: int
    id: str
    source: str
    kind: str
    key: str | None
    outcome: Outcome


class Limit(TypedDict):
    """One scope of a balance, in its window now."""

    budget: str
    scope: str
    limit: Amount
    settled: Amount
    reserved: Amount
    left: Amount
    window_s: float | None
    latched: bool


class Asking(TypedDict):
    """A gate that asks for persons, how many, and who has approved so far."""

    gate: str
    approvers: int
    approved_by: list[str]


class Answered(TypedDict):
    """An answer that was given; `more` other persons must approve. `until_us`: the same again is approved till then."""

    id: str
    approved: bool
    by: str
    more: int
    gates: list[Asking]
    until_us: int | None


class Standing(TypedDict):
    """A standing approval: what its gate asks of the same content of the same source is approved until then."""

    gate: str
    kind: str
    source: str
    tenant: str | None
    by: str
    reason: str
    decision: str
    digest: str
    at_us: int
    until_us: int


class Withdrawn(TypedDict):
    """What stands no more."""

    by: str
    withdrawn: list[Standing]


class Halted(TypedDict):
    """A halt in force."""

    scope: str
    mode: str
    by: str
    reason: str
    at_us: int


class Quarantined(TypedDict):
    """A signal that is kept aside; with itself where one is shown."""

    id: str
    source: str
    at_us: int
    reason: str
    detail: str
    state: str
    signal: NotRequired[Any]


class Flying(TypedDict):
    """An action that a halt does not stop."""

    decision: str
    kind: str
    effector: str
    state: str


class Demotion(TypedDict):
    """Why a source is admitted no more."""

    reason: str
    at_us: int
    lesson: str


class Bucket(TypedDict):
    """How often what was said with so much confidence came true; nulls where nothing was said so."""

    low: float
    size: int
    confidence: float | None
    came_true: float | None


class Calibration(TypedDict):
    """How well the confidence of a source matches what came true, for one kind."""

    kind: str
    count: int
    brier: float
    buckets: list[Bucket]


class Source(TypedDict):
    """A source, with its scores (0 to 1, 1 while nothing is known) and whether it is demoted."""

    source: str
    declared: bool
    kinds: list[str] | None
    tenants: list[str] | None
    priority: str | None
    scores: dict[str, float]
    calibration: list[Calibration]
    demoted: Demotion | None


class Checkpoint(TypedDict):
    """A signed checkpoint: how many facts, the root over them in base64, and the note as it was signed."""

    number: int
    size: int
    at_us: int
    root: str
    note: str


class Audit(TypedDict):
    """How far history is proved: all facts, those not in the tree yet, those under no checkpoint yet."""

    origin: str | None
    keys: list[str]
    facts: int
    behind: int
    unsigned: int
    fault: str | None
    checkpoint: Checkpoint | None


class Consistency(TypedDict):
    """The hashes that lead from the root over `old` facts to that over `new`, each in base64."""

    old: int
    new: int
    path: list[str]
