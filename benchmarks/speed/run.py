"""One run: an arm under a measure with its settings; and the sample that comes of it. Both cross a pipe as JSON."""

from __future__ import annotations

from typing import Literal

import msgspec

#: `engine`: the submitter gives no key, and the engine's own id is all that identifies the decision.
Keys = Literal["random", "ordered", "engine"]
Commit = Literal["thread", "inline", "split", "process"]


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """What one child process does. Settings that an arm or measure does not know are ignored by it."""

    name: str
    arm: str
    measure: str
    seconds: float = 2.0
    #: Closed loop: submits open at a time. Open loop: admissions pending at the most.
    concurrent: int = 1
    #: Decisions or actions, for the measures that do a fixed number.
    count: int = 1_000
    #: Open loop: decisions offered a second; part load: as a share of the arm's own closed loop.
    rate: float = 0.0
    keys: Keys = "random"
    #: Decisions in one transaction, for arms that do not group by themselves.
    batch: int = 1
    gates: int = 5
    #: Balances that each decision reserves from.
    budgets: int = 1
    loop: Literal["uvloop", "asyncio"] = "uvloop"
    commit: Commit = "inline"
    #: None leaves the interpreter's own (5 ms).
    switch_interval_s: float | None = None
    #: Added to each commit, to stand for a slower disk.
    commit_delay_ms: float = 0.0
    #: Peers: as their documentation says, or tuned by hand.
    tuned: bool = False
    seed: int = 1


#: What one run measured, by name; units are in the names. A missing name was not measured.
Sample = dict[str, float]


def percentile(values: list[float], share: float) -> float:
    """The smallest value that at least this share of the values does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -int(-share * len(ordered) // 1) - 1))]
