"""The requests that a node takes: frozen structs whose fields are the wire format of the control socket.

A field too many, or of another type, is refused. `by`, `source` and `tenant` count as given on the control socket
alone; elsewhere they follow from the credential. Reads and writes nothing.
"""

from __future__ import annotations

from typing import Any

import msgspec


class Ask(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One request."""


class Hello(Ask, frozen=True, kw_only=True):
    """Who is there."""


class Submit(Ask, frozen=True, kw_only=True):
    """Submit one decision; with `wait_s`, also wait for its outcome."""

    kind: str
    payload: Any
    source: str | None = None
    tenant: str | None = None
    key: str | None = None
    priority: int | None = None
    expires_in_s: float | None = None
    confidence: float | None = None
    expects: dict[str, Any] | None = None
    wait_s: float | None = None


class Call(Ask, frozen=True):
    """Call a kind as a tool: by run and step, so that the same call is done once, or by a key of the caller's own.

    Without either, the same call is the same one while it is open and for `again_after_s` after it was done.
    """

    kind: str
    payload: Any
    source: str | None = None
    tenant: str | None = None
    run: str | None = None
    step: str = ""
    key: str | None = None
    again_after_s: float = 600.0
    wait_s: float = 0.0


class Outcome(Ask, frozen=True):
    """What became of one decision; waits for it at most `wait_s`. With `source`, only of that source's."""

    what: str
    source: str | None = None
    tenant: str | None = None
    wait_s: float = 0.0


class Tools(Ask, frozen=True):
    """The kinds, as tools: name, description, schema of the arguments, hints."""


class List(Ask, frozen=True, kw_only=True):
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


class Show(Ask, frozen=True, kw_only=True):
    """The story of one decision."""

    what: str
    tenant: str | None = None


class Approve(Ask, frozen=True, kw_only=True):
    """A person's answer to a held decision; with `again_for_s` the same again is approved for so long."""

    what: str
    by: str = ""
    approved: bool = True
    gate: str | None = None
    reason: str = ""
    tenant: str | None = None
    again_for_s: float | None = None


class Standing(Ask, frozen=True, kw_only=True):
    """Standing approvals, newest first."""

    limit: int = 100


class Withdraw(Ask, frozen=True, kw_only=True):
    """Take back what stands for the content and source of a decision: the one that gave it, or any it has approved."""

    what: str
    gate: str | None = None
    by: str = ""
    tenant: str | None = None


class Cancel(Ask, frozen=True, kw_only=True):
    """A request to cancel."""

    what: str
    by: str = ""
    reason: str = ""
    tenant: str | None = None


class Halt(Ask, frozen=True, kw_only=True):
    """Halt a scope, or admit only what reduces."""

    scope: str
    by: str = ""
    reason: str = ""
    reduce_only: bool = False


class Resume(Ask, frozen=True, kw_only=True):
    """Lift a halt."""

    scope: str
    by: str = ""
    reason: str = ""


class Limits(Ask, frozen=True, kw_only=True):
    """All balances, and what is halted."""


class SetLimit(Ask, frozen=True, kw_only=True):
    """Another limit, from now on."""

    budget: str
    limit: str
    by: str = ""
    scope: str = "all"
    reset_latch: bool = False


class QuarantineList(Ask, frozen=True, kw_only=True):
    """What is kept aside."""

    source: str | None = None
    limit: int = 100


class QuarantineShow(Ask, frozen=True, kw_only=True):
    """One entry, its signal included."""

    what: str


class QuarantineReplay(Ask, frozen=True, kw_only=True):
    """Through the door again, as it was or with another payload."""

    what: str
    by: str = ""
    payload: Any = None


class QuarantineDiscard(Ask, frozen=True, kw_only=True):
    """Out of quarantine for good."""

    what: str
    by: str = ""


class Resolve(Ask, frozen=True, kw_only=True):
    """News of an action that is pending or in doubt, from a person or a program: by decision, or by the world's ref."""

    what: str
    result: str
    by: str = ""
    code: str | None = None
    value: Any = None
    settled: dict[str, str] = {}
    ordinal: int = 0
    report: str | None = None
    tenant: str | None = None


class Outcomes(Ask, frozen=True, kw_only=True):
    """The outcome feed after a cursor."""

    source: str | None = None
    after: int = 0
    limit: int = 100


class Quality(Ask, frozen=True, kw_only=True):
    """The execution-quality index, now and by load."""


class Flow(Ask, frozen=True, kw_only=True):
    """The six stages with their rates and waits, and what the bottleneck is now."""


class Metrics(Ask, frozen=True, kw_only=True):
    """Prometheus metrics, as text."""


class Health(Ask, frozen=True, kw_only=True):
    """Alive, ready, and why not."""


class ResetLatch(Ask, frozen=True, kw_only=True):
    """Lift the latch that an overrun set; the limit stays."""

    budget: str
    by: str = ""
    scope: str = "all"


class Halts(Ask, frozen=True, kw_only=True):
    """What is halted, and what is still in flight there."""


class Sources(Ask, frozen=True, kw_only=True):
    """Who decides, with scores."""


class Reinstate(Ask, frozen=True, kw_only=True):
    """Admit again what a demoted source decides."""

    source: str
    by: str = ""
    reason: str = ""


class Effectors(Ask, frozen=True, kw_only=True):
    """What performs actions: slots, calls, breakers, extra work, what is in doubt."""


class Rehearse(Ask, frozen=True, kw_only=True):
    """What the rules in force would have said of a period, with some limits changed."""

    #: By balance, or balance/scope.
    limits: dict[str, str] = {}
    since_us: int = 0
    until_us: int | None = None
    kinds: tuple[str, ...] = ()


class KeysChange(Ask, frozen=True, kw_only=True):
    """Keys are made, rotated and revoked by somebody."""

    by: str = ""


class KeysMake(KeysChange, frozen=True, kw_only=True):
    """A new API key; its token is in the answer and nowhere else."""

    name: str
    roles: list[str]
    sources: list[str] | None = None
    tenants: list[str] | None = None
    expires_in_s: float | None = None


class KeysList(Ask, frozen=True, kw_only=True):
    """All API keys, the newest first; without what opens anything."""


class KeysRotate(KeysChange, frozen=True, kw_only=True):
    """A new API key like an old one, which ends after a time of grace."""

    what: str
    grace_s: float = 86_400.0
    expires_in_s: float | None = None


class KeysRevoke(KeysChange, frozen=True, kw_only=True):
    """A key, or all of a name, opens nothing from now on."""

    what: str


class Proof(Ask, frozen=True, kw_only=True):
    """That the facts of a decision are in the history that was signed; with `content`, what they say."""

    what: str
    tenant: str | None = None
    content: bool = False


class Audit(Ask, frozen=True, kw_only=True):
    """How far history is proved, and the keys that its checkpoints are checked by."""


class Checkpoints(Ask, frozen=True, kw_only=True):
    """Signed checkpoints, newest first; `before` is the number to go on below."""

    before: int | None = None
    limit: int = 100


class Consistency(Ask, frozen=True, kw_only=True):
    """The proof that the history of `new` facts begins with that of `old`."""

    old: int
    new: int
