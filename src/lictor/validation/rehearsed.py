"""What a rehearsal found: which verdicts change, which cannot be told, and what the budgets would have come to."""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec

from lictor.records import Amount

#: Changed decisions that are listed one by one; all are counted.
CHANGES_MAX = 1_000


class Changed(msgspec.Struct, frozen=True):
    """One decision whose verdicts would have been others. `then` and `now` read as `held(LARGE) > admitted`."""

    decision: int
    kind: str
    source: str
    tenant: str
    key: str | None
    received_us: int
    then: str
    now: str
    #: The gate that now decides, and what it saw.
    gate: str | None
    seen: dict[str, Any] | None


class Use(msgspec.Struct):
    """One scope of one balance: what was used of it, and what would have been."""

    budget: str
    scope: str
    limit_then: Amount = 0
    limit_now: Amount = 0
    #: The most that was settled and reserved at once, in any one window.
    peak_then: Amount = 0
    peak_now: Amount = 0
    #: Settled and reserved at the end, in the last window.
    end_then: Amount = 0
    end_now: Amount = 0


class Rehearsed(msgspec.Struct):
    """The result."""

    app: str
    policy: str
    #: Policies under which the recorded verdicts were given.
    policies: dict[str, int] = {}
    decisions: int = 0
    unchanged: int = 0
    changed: int = 0
    undecidable: int = 0
    #: Verdicts -> decisions, of those that can be told.
    then: Counter[str] = msgspec.field(default_factory=Counter)
    now: Counter[str] = msgspec.field(default_factory=Counter)
    #: (then, now) -> decisions, of those that change.
    matrix: Counter[tuple[str, str]] = msgspec.field(default_factory=Counter)
    #: Why it cannot be told -> decisions.
    reasons: Counter[str] = msgspec.field(default_factory=Counter)
    changes: list[Changed] = []
    use: list[Use] = []
    #: Admitted now and not then: nobody knows their outcome, all they reserve counts as used.
    assumed: int = 0
    #: Answers that people gave under another version of the gate and that count as given under this one.
    approvals_carried: int = 0
    #: Older facts that are archived: what balances had come to before is inferred from what they are at the end.
    archived: int = 0
    #: Shed then; their content was not recorded, so they are not rehearsed.
    shed: int = 0
    first_us: int | None = None
    last_us: int | None = None
