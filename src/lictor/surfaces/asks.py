"""The requests that a control socket takes: frozen structs whose fields are the wire format.

A field too many, or of another type, is refused. Reads and writes nothing.
"""

from __future__ import annotations

from typing import Any

import msgspec


class Ask(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One request."""


class Hello(Ask, frozen=True):
    """Who is there."""


class Submit(Ask, frozen=True):
    """Submit one decision; with `wait_s`, also wait for its outcome."""

    kind: str
    payload: Any
    source: str = "local"
    tenant: str = "default"
    key: str | None = None
    priority: int | None = None
    expires_in_s: float | None = None
    confidence: float | None = None
    expects: dict[str, Any] | None = None
    wait_s: float | None = None


class List(Ask, frozen=True):
    """Decisions, newest first."""

    state: str | None = None
    kind: str | None = None
    tenant: str | None = None
    source: str | None = None
    code: str | None = None
    key: str | None = None
    open_only: bool = False
    before: str | None = None
    limit: int = 50


class Show(Ask, frozen=True):
    """The story of one decision."""

    what: str
    tenant: str | None = None


class Approve(Ask, frozen=True):
    """A person's answer to a held decision."""

    what: str
    by: str
    approved: bool = True
    gate: str | None = None
    reason: str = ""
    tenant: str | None = None


class Cancel(Ask, frozen=True):
    """A request to cancel."""

    what: str
    by: str
    reason: str = ""
    tenant: str | None = None


class Halt(Ask, frozen=True):
    """Halt a scope, or admit only what reduces."""

    scope: str
    by: str
    reason: str = ""
    reduce_only: bool = False


class Resume(Ask, frozen=True):
    """Lift a halt."""

    scope: str
    by: str
    reason: str = ""


class Limits(Ask, frozen=True):
    """All balances, and what is halted."""


class SetLimit(Ask, frozen=True):
    """Another limit, from now on."""

    budget: str
    limit: str
    by: str
    scope: str = "all"
    reset_latch: bool = False


class QuarantineList(Ask, frozen=True):
    """What is kept aside."""

    source: str | None = None
    limit: int = 100


class QuarantineShow(Ask, frozen=True):
    """One entry, its signal included."""

    what: str


class QuarantineReplay(Ask, frozen=True):
    """Through the door again, as it was or with another payload."""

    what: str
    by: str
    payload: Any = None


class QuarantineDiscard(Ask, frozen=True):
    """Out of quarantine for good."""

    what: str
    by: str


class Resolve(Ask, frozen=True):
    """News of an action that is pending or in doubt, from a person or a program: by decision, or by the world's ref."""

    what: str
    result: str
    by: str
    code: str | None = None
    value: Any = None
    settled: dict[str, str] = {}
    ordinal: int = 0
    report: str | None = None
    tenant: str | None = None


class Outcomes(Ask, frozen=True):
    """The outcome feed after a cursor."""

    source: str | None = None
    after: int = 0
    limit: int = 100


class Quality(Ask, frozen=True):
    """The execution-quality index, now and by load."""


class Flow(Ask, frozen=True):
    """The six stages with their rates and waits, and what the bottleneck is now."""


class Metrics(Ask, frozen=True):
    """Prometheus metrics, as text."""


class Health(Ask, frozen=True):
    """Alive, ready, and why not."""
