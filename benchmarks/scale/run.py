"""One run: a measure with its size; and the sample that comes of it. Both cross a pipe as JSON."""

from __future__ import annotations

from typing import Literal

import msgspec

Measure = Literal["fan", "closed", "sustained", "history"]


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """What one child process does."""

    name: str
    measure: Measure
    #: Measured seconds of `closed`, `sustained` and `history`.
    seconds: float = 4.0
    #: Submitters with one decision open each, in `closed` and `history`.
    concurrent: int = 1_024
    #: Decisions a second that arrive in `sustained`, whether or not the node keeps up.
    rate: float = 0.0
    #: Tenants that take turns.
    tenants: int = 1
    #: Decisions at once in `fan`, and the actions of each.
    decisions: int = 1
    actions: int = 10_000
    #: How long each action of `fan` takes: all that may run at once do.
    action_s: float = 0.5
    #: A journal to go on with (`history`); a new one where it is empty.
    journal: str = ""
    seed: int = 1


#: What one run measured, by name; units are in the names.
Sample = dict[str, float]
