"""What the HTTP API answers, as frozen records. Fields that a newer server adds are passed over.

Times are microseconds of the wall clock (`_us`), ids the 13 letters that people see, amounts whole numbers in minor
units or decimals as text.
"""

from __future__ import annotations

from typing import Any

import msgspec

Amount = int | str


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """The base of all answers."""


class Ruling(Told, frozen=True):
    """What one gate said, and what it saw where that is told."""

    gate: str
    result: str
    code: str | None = None
    seen: dict[str, Any] | None = None
    shadow: bool = False


class Reserved(Told, frozen=True):
    """A part of a balance."""

    budget: str
    scope: str
    amount: Amount


class Verdict(Told, frozen=True):
    """A verdict: admitted, refused, held, deferred or shed."""

    result: str
    code: str | None = None
    at_us: int = 0
    policy: str = ""
    until_us: int | None = None
    retry_after_s: float | None = None
    durability: str = ""
    rulings: tuple[Ruling, ...] = ()
    reserved: tuple[Reserved, ...] = ()

    @property
    def why(self) -> Ruling | None:
        """The ruling that decided against it, or that holds it."""
        wanted = {"refused": "deny", "held": "hold", "deferred": "defer"}.get(self.result)
        return next((one for one in self.rulings if one.result == wanted and not one.shadow), None)


class Outcome(Told, frozen=True):
    """The one terminal result: succeeded, failed, expired, cancelled or compensated."""

    result: str
    code: str | None = None
    at_us: int = 0
    started_us: int | None = None
    attempts: int = 0
    value: Any = None
    detail: str | None = None
    settled: tuple[Reserved, ...] = ()


class Submitted(Told, frozen=True):
    """The answer to a decision: `id` is None where it was shed or never became one; `outcome` where it is known."""

    id: str | None
    verdict: Verdict
    duplicate: bool = False
    outcome: Outcome | None = None

    @property
    def admitted(self) -> bool:
        """Whether it may happen."""
        return self.verdict.result == "admitted"


class Decision(Told, frozen=True):
    """A decision as lists show it."""

    id: str
    kind: str
    tenant: str
    source: str
    state: str
    key: str | None = None
    order_key: str | None = None
    priority: int = 2
    code: str | None = None
    received_us: int = 0
    deadline_us: int = 0
    closed_us: int | None = None
    parent: str | None = None


class FeedRow(Told, frozen=True):
    """One entry of the outcome feed; go on after its cursor."""

    cursor: int
    id: str
    source: str
    kind: str
    outcome: Outcome
    key: str | None = None


class Limit(Told, frozen=True):
    """One scope of a balance, in its window now."""

    budget: str
    scope: str
    limit: Amount
    settled: Amount
    reserved: Amount
    left: Amount
    window_s: float | None = None
    latched: bool = False


class Halted(Told, frozen=True):
    """A halt in force."""

    scope: str
    mode: str
    by: str
    reason: str = ""
    at_us: int = 0


class Quarantined(Told, frozen=True):
    """A signal that is kept aside; with itself where one is shown."""

    id: str
    source: str
    reason: str
    detail: str
    at_us: int = 0
    state: str = "kept"
    signal: Any = None


class Event(Told, frozen=True):
    """Something that changed."""

    name: str
    data: Any = None
    id: str | None = None


class Outcomes(Told, frozen=True):
    """Outcomes after a cursor."""

    outcomes: tuple[FeedRow, ...]
    after: int


class Story(Told, frozen=True):
    """What happened to a decision, in order; `lines` are to read, `entries` for programs."""

    decision: str
    lines: tuple[str, ...] = ()
    entries: tuple[dict[str, Any], ...] = ()


class Budgets(Told, frozen=True):
    """All scopes of all balances, and what is halted."""

    limits: tuple[Limit, ...]
    halts: tuple[Halted, ...] = ()


class Flying(Told, frozen=True):
    """An action that a halt does not stop."""

    decision: str
    kind: str
    effector: str
    state: str


class Stopped(Told, frozen=True):
    """A halt: how many decisions stand still, and what goes on all the same, because it had begun."""

    scope: str
    mode: str
    by: str
    stopped: int = 0
    in_flight: dict[str, int] = {}
    actions: tuple[Flying, ...] = ()
    reason: str = ""
    at_us: int = 0


class Asking(Told, frozen=True):
    """A gate that asks for persons, how many, and who has approved so far."""

    gate: str
    approvers: int = 1
    approved_by: tuple[str, ...] = ()


class Answered(Told, frozen=True):
    """An answer that was given; `more` other persons must approve. `until_us`: the same again is approved till then."""

    id: str
    approved: bool
    by: str
    more: int = 0
    gates: tuple[Asking, ...] = ()
    until_us: int | None = None


class Standing(Told, frozen=True):
    """A standing approval: what its gate asks of the same content of the same source is approved until then."""

    gate: str
    source: str
    by: str
    decision: str
    until_us: int
    kind: str = ""
    tenant: str | None = None
    reason: str = ""
    digest: str = ""
    at_us: int = 0


class Cancelled(Told, frozen=True):
    """`cancelled`: it had not started and has ended. `asked`: it had, and its effectors are asked."""

    id: str
    cancelled: bool
    asked: bool
