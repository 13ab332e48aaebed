"""The journal port: what any store must offer.

Domain verbs go in as one batch, are applied in order in one transaction, and each is answered.
A verb is both a request and, once accepted, the fact that history keeps: the journal is the arbiter and may change an
`Admit` into a refusal, answer `duplicate`, or refuse a verb of a superseded attempt. `lictor.journal.state` decides
and folds for stores that keep current state in memory (memory, sqlite); a remote store decides by conditional writes.
tests/conformance holds every store to this.

Nothing may leave the process before `write` returns.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from lictor.audit.checkpoint import SignedCheckpoint
from lictor.audit.tree import Tree
from lictor.records import (
    Adjustment,
    Amount,
    Approval,
    Decision,
    Grant,
    Halt,
    Lease,
    Lesson,
    Outcome,
    Plan,
    Quarantined,
    ShedCount,
    Standing,
    Verdict,
)

if TYPE_CHECKING:
    from lictor.journal.open import Open
    from lictor.journal.state import State


class Verb(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One request to the journal."""


class Admit(Verb, frozen=True):
    """A verdict on a new, held or deferred decision.

    With its plan when admitted, and with a lease when it starts in this transaction.
    """

    decision: Decision
    verdict: Verdict
    plan: Plan | None = None
    lease: Lease | None = None


class StartItem(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Actions of one decision that are handed over in this tick."""

    decision: int
    ordinals: tuple[int, ...]
    fence: int


class Start(Verb, frozen=True):
    """What is handed to effectors in this tick. One record covers all of it."""

    items: tuple[StartItem, ...]
    until_us: int


class Act(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One event of one action. `fence` must be that of its latest attempt, or the event changes nothing (I9)."""

    ordinal: int
    event: str
    fence: int
    code: str | None = None
    value: Any = None
    #: What this event alone adds to the true amounts: (budget, scope, amount, extra for a budget that it did not
    #: reserve).
    settled: tuple[tuple[str, str, Amount], ...] = ()
    #: The world's name for a pending action, to ask by.
    ref: str | None = None
    #: When to ask (pending, in doubt) or to try again (backing off).
    next_us: int | None = None
    #: Deduplicates reports of this action.
    report: str | None = None
    detail: str | None = None


class Progress(Verb, frozen=True):
    """Events of actions of one decision that is not finished by them."""

    decision: int
    acts: tuple[Act, ...]
    at_us: int


class Close(Verb, frozen=True):
    """The one terminal outcome of an admitted, held or deferred decision, with the last events of its actions.

    Settles what was truly used and releases the rest of the reservation in the same transaction.
    """

    decision: int
    event: str
    outcome: Outcome
    acts: tuple[Act, ...] = ()


class Undo(Verb, frozen=True):
    """The decision's actions are to be compensated."""

    decision: int
    at_us: int
    code: str | None = None


class Approve(Verb, frozen=True):
    """A person's answer to a held decision."""

    approval: Approval


class Cancel(Verb, frozen=True):
    """A request to cancel: what has not started ends here; what has is marked, and its effector is asked."""

    decision: int
    at_us: int
    by: str
    reason: str = ""


class SetHalt(Verb, frozen=True):
    """Halt, reduce-only or resume (mode `none`) a scope."""

    halt: Halt


class SetLimit(Verb, frozen=True):
    """The limit in force for a scope of a balance from now on. Lowering it only blocks new reservations."""

    budget: str
    scope: str
    limit: Amount
    at_us: int
    by: str
    #: The width of its windows from now on: 0 for none, None for what it was. A changed one begins empty.
    window_s: float | None = None
    #: Also lifts the latch that an overrun set.
    reset_latch: bool = False


class SetStanding(Verb, frozen=True):
    """A standing approval as it is from now on: given, or with `until_us` 0 gone."""

    standing: Standing


class SetGrant(Verb, frozen=True):
    """An API key as it is from now on: made, given an end, or revoked."""

    grant: Grant


class Mark(Verb, frozen=True):
    """How far somebody outside has been told, so that a restart goes on from there: a name, and a cursor."""

    name: str
    cursor: int
    at_us: int


class Learn(Verb, frozen=True):
    """Lessons and the adjustments that follow from them."""

    lessons: tuple[Lesson, ...]
    adjustments: tuple[Adjustment, ...]
    at_us: int


class Quarantine(Verb, frozen=True):
    """A signal goes into quarantine, or an entry there changes its state (kept, replayed, discarded)."""

    entry: Quarantined


class Shed(Verb, frozen=True):
    """Durable counts of what was shed."""

    counts: tuple[ShedCount, ...]
    at_us: int


class Refer(Verb, frozen=True):
    """A version of a reference that gates have read, so that rehearse can read it again."""

    name: str
    version: str
    at_us: int
    value: bytes


class Declare(Verb, frozen=True):
    """The App and policy versions in force from now on, with the manifest of what was declared."""

    app: str
    version: str
    policy: str
    at_us: int
    manifest: dict[str, Any]


class Epoch(Verb, frozen=True):
    """A node opened the journal under a new epoch."""

    epoch: int
    at_us: int
    #: Why all open actions are in doubt (a restore), else empty.
    doubt: str = ""


class Answer(msgspec.Struct, gc=False):
    """The journal's answer to one verb, in the order of the batch.

    `ok` is False where the verb changed nothing: `code` says why (SUPERSEDED_ATTEMPT, DUPLICATE_REPORT, NOT_OPEN,
    HALTED, NOT_HELD, ...). For an `Admit`, `verdict` is the one in force (perhaps turned into a refusal, perhaps the
    original's) and `decision` its decision's id.
    """

    ok: bool = True
    code: str | None = None
    decision: int | None = None
    verdict: Verdict | None = None
    #: The lease was honoured: the action may begin once the batch is durable.
    started: bool = False
    #: For a `Start`: the decisions whose items were accepted; the others must go back to the queue or end.
    accepted: frozenset[int] = frozenset()
    #: The decision was closed in the same transaction because the verb's decision supersedes it.
    closed: int | None = None
    open: Open | None = None
    #: The outcome in force, where the decision is closed.
    outcome: Outcome | None = None


class HistoryRow(msgspec.Struct, frozen=True, gc=False):
    """One stored fact."""

    seq: int
    commit: int
    at_us: int
    decision: int | None
    event: str
    verb: Verb


class DecisionRow(msgspec.Struct, frozen=True, gc=False):
    """One decision as lists show it."""

    id: int
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
    parent: int | None


class Filter(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What to list; a field that is None does not restrict, one with several values takes any of them.

    Newest first, `before` is the id to go on below.
    """

    state: str | tuple[str, ...] | None = None
    kind: str | tuple[str, ...] | None = None
    tenant: str | tuple[str, ...] | None = None
    source: str | tuple[str, ...] | None = None
    code: str | tuple[str, ...] | None = None
    key: str | None = None
    #: The children of a decision.
    parent: int | None = None
    #: Received at or after, and before.
    since_us: int | None = None
    until_us: int | None = None
    open_only: bool = False
    before: int | None = None
    limit: int = 100


class OutcomeRow(msgspec.Struct, frozen=True, gc=False):
    """One entry of the outcome feed; `cursor` only grows and survives restarts."""

    cursor: int
    decision: int
    source: str
    kind: str
    key: str | None
    outcome: Outcome


class Journal(Protocol):
    """The one durable truth and the only arbiter."""

    #: What an acknowledgement survives here: `memory`, `journal` (process crash) or `sync` (power loss).
    durability: str
    #: Current state as of the last batch; readers must not change it.
    state: State
    #: The tree over its history; None where a store keeps none.
    tree: Tree | None

    async def open(self, at_us: int) -> State:
        """Take the lock, migrate, check durability, start a new epoch and recover the current state.

        Raises:
            JournalLockedError: another node has it open.
            JournalDamagedError: what is stored does not fold.
            JournalError: the store does not give the durability that was asked for.
        """
        ...

    async def write(self, verbs: Sequence[Verb], at_us: int) -> list[Answer]:
        """Apply the verbs in order in one durable transaction and answer each.

        Raises:
            JournalFencedError: another epoch took over; nothing was written and this node must stop.
            JournalIOError: the disk failed; whether the batch is stored is unknown and this node must stop.
        """
        ...

    async def rest(self) -> None:
        """Nothing waits to be written: do the housekeeping that would hold a batch up."""
        ...

    async def tend(self) -> int:
        """A short step of what is built behind the commits, such as the tree; about how many facts are behind.

        Raises:
            InvariantViolation: what was committed is not as it was (I14).
            JournalIOError: the disk failed; this node must stop.
        """
        ...

    async def keep(self, signed: SignedCheckpoint, at_us: int) -> None:
        """Store a checkpoint of the tree, durably; nothing where a store keeps no tree."""
        ...

    def free_bytes(self) -> int | None:
        """Room left where it is stored; None where that is not bounded."""
        ...

    async def close(self) -> None:
        """Release the lock."""
        ...

    async def find(self, tenant: str, source: str | None, key: str) -> list[int]:
        """Ids of the decisions that carry this key, newest first; in all sources where `source` is None."""
        ...

    async def history(self, decision: int) -> list[HistoryRow]:
        """All facts of one decision in order; empty when there is none."""
        ...

    async def decisions(self, wanted: Filter) -> list[DecisionRow]:
        """Decisions, newest first."""
        ...

    async def outcomes(self, source: str | None, after: int, limit: int) -> list[OutcomeRow]:
        """The outcome feed after a cursor, oldest first."""
        ...

    async def reference(self, name: str, version: str) -> bytes | None:
        """A recorded version of a reference."""
        ...

    async def quarantined(self, source: str | None, limit: int) -> list[Quarantined]:
        """Quarantine entries, newest first."""
        ...

    def scan(self, after: int = 0) -> AsyncIterator[HistoryRow]:
        """All of history in order from a position, for rehearse and export."""
        ...
