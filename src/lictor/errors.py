"""Every error and every refusal code, in one place.

    LictorError                      what went wrong, a stable code, and what to do about it
    ├── DeclarationError             the App is declared wrongly; raised while it is built, never later
    ├── MalformedError               an input cannot be understood; it never became a decision
    ├── LifecycleError               a transition that the table does not list
    ├── JournalError                 the store cannot be used
    │   ├── JournalLockedError       another node holds the file
    │   ├── JournalFencedError       a newer node took over; this one must stop
    │   ├── JournalDamagedError      what is stored is not what was written
    │   └── JournalIOError           the disk failed; the node stops and never retries the sync
    ├── NodeStoppedError             the node is draining, stopped or failed
    ├── WrongLoopError               a node was called from another event loop than the one that it runs on
    ├── NotFoundError                no such decision, quarantine entry or budget
    ├── DeniedError                  who asks may not do this (an approver is never the source)
    ├── SecretMissingError           a secret is not where its reference says
    ├── SignatureError               what arrived is not signed as it must be, too old, or from the future
    ├── OutboundError                a call out into the world did not come back with an answer
    │   ├── BlockedError             the guard does not let it go there; nothing was sent
    │   ├── UnreachableError         nobody could be reached; nothing was sent
    │   └── LostError                it was sent, or part of it, and no answer came: what it did is not known
    └── InvariantViolation           a promise of DESIGN section 3 is broken; always a defect of Lictor

The docstring of each class is its default message. Refusals are not errors: they are answers, with a `Code`.
"""

from __future__ import annotations

from enum import StrEnum


class LictorError(Exception):
    """Something went wrong in Lictor."""

    code = "LICTOR"

    def __init__(self, message: str | None = None, *, hint: str | None = None) -> None:
        text = message or (self.__doc__ or "").strip()
        super().__init__(f"{text} ({hint})" if hint else text)
        self.message = text
        self.hint = hint


class DeclarationError(LictorError):
    """The App is declared wrongly."""

    code = "DECLARATION"


class MalformedError(LictorError):
    """The input cannot be understood."""

    code = "MALFORMED"


class LifecycleError(LictorError):
    """The lifecycle table has no such transition."""

    code = "LIFECYCLE"


class JournalError(LictorError):
    """The journal cannot be used."""

    code = "JOURNAL"


class JournalLockedError(JournalError):
    """Another node has this journal open."""

    code = "JOURNAL_LOCKED"


class JournalFencedError(JournalError):
    """A newer node has taken over this journal."""

    code = "JOURNAL_FENCED"


class JournalDamagedError(JournalError):
    """The journal does not hold what was written to it."""

    code = "JOURNAL_DAMAGED"


class JournalIOError(JournalError):
    """The journal's disk failed."""

    code = "JOURNAL_IO"


class NodeStoppedError(LictorError):
    """The node is not accepting work."""

    code = "NODE_STOPPED"


class WrongLoopError(LictorError):
    """The node runs on another event loop than the one that it was called from."""

    code = "WRONG_LOOP"


class NotFoundError(LictorError):
    """There is no such thing in the journal."""

    code = "NOT_FOUND"


class DeniedError(LictorError):
    """The one who asks may not do this."""

    code = "DENIED"


class SecretMissingError(LictorError):
    """A secret is not where its reference says."""

    code = "SECRET_MISSING"


class SignatureError(LictorError):
    """What arrived is not signed as it must be."""

    code = "SIGNATURE"


class OutboundError(LictorError):
    """A call out into the world did not come back with an answer."""

    code = "OUTBOUND"


class BlockedError(OutboundError):
    """The guard does not let a call go there."""

    code = "BLOCKED"


class UnreachableError(OutboundError):
    """Nobody could be reached; nothing was sent."""

    code = "UNREACHABLE"


class LostError(OutboundError):
    """The call was sent, at least in part, and no answer came."""

    code = "LOST"


class InvariantViolation(LictorError):
    """A promise of the engine is broken."""

    code = "INVARIANT"

    def __init__(self, name: str, detail: str) -> None:
        super().__init__(f"{name}: {detail}")
        self.name = name
        self.detail = detail


class Code(StrEnum):
    """Why the engine itself refused, shed, failed or expired something; gates add codes of their own."""

    #: The payload does not fit the kind's type.
    MALFORMED = "MALFORMED"
    #: The signal failed its source's data-quality gate and waits in quarantine.
    QUARANTINED = "QUARANTINED"
    #: No kind of this name and version is declared.
    KIND_UNKNOWN = "KIND_UNKNOWN"
    #: The source is not declared, and the App does not take undeclared ones.
    SOURCE_UNKNOWN = "SOURCE_UNKNOWN"
    #: The source may not submit this kind, tenant or class.
    NOT_PERMITTED = "NOT_PERMITTED"
    #: The source has been demoted; a named person must re-enable it.
    SOURCE_DEMOTED = "SOURCE_DEMOTED"
    #: The key was used before for other content.
    KEY_REUSED = "KEY_REUSED"
    #: The key was used before, and what it was answered has been archived; look it up there.
    ARCHIVED = "ARCHIVED"
    #: The deadline had passed before the decision could be admitted.
    EXPIRED = "EXPIRED"
    #: A balance has not enough left for the reservation.
    BUDGET_EXCEEDED = "BUDGET_EXCEEDED"
    #: A settlement passed its reservation earlier; the scope is latched until a named person resets it.
    BUDGET_LATCHED = "BUDGET_LATCHED"
    #: A gate raised; a check that fails closes.
    GATE_FAILED = "GATE_FAILED"
    #: A reference was never loaded.
    REFERENCE_MISSING = "REFERENCE_MISSING"
    #: A reference is older than its declared maximum age.
    REFERENCE_STALE = "REFERENCE_STALE"
    #: A lookup did not answer in time or raised.
    LOOKUP_FAILED = "LOOKUP_FAILED"
    #: An amendment loosened something, changed the identity, or was the fourth.
    AMENDMENT_INVALID = "AMENDMENT_INVALID"
    #: The plan function raised or returned something that is not a plan.
    PLAN_FAILED = "PLAN_FAILED"
    #: The kind, source, tenant, effector or everything is halted.
    HALTED = "HALTED"
    #: Only what reduces is admitted in this scope, and this does not.
    REDUCE_ONLY = "REDUCE_ONLY"
    #: The approval was given under another version of its gate.
    POLICY_CHANGED = "POLICY_CHANGED"
    #: An effector says that it succeeded, and the world has not confirmed it (`assurance=verified`).
    UNVERIFIED = "UNVERIFIED"
    #: A person denied it.
    APPROVAL_DENIED = "APPROVAL_DENIED"
    #: Nobody approved it in time.
    APPROVAL_TIMEOUT = "APPROVAL_TIMEOUT"
    #: The parent is unknown, closed, or nested too deep.
    PARENT_INVALID = "PARENT_INVALID"
    #: The work ahead of it would not leave enough time before its deadline.
    INFEASIBLE = "INFEASIBLE"
    #: A bounded queue is full.
    OVERLOADED = "OVERLOADED"
    #: The node is draining or below its free-space floor.
    NOT_ADMITTING = "NOT_ADMITTING"
    #: Its successor replaced it.
    SUPERSEDED = "SUPERSEDED"
    #: Higher classes used the time that it was promised.
    DISPLACED = "DISPLACED"
    #: What the plan stored does not fit the effector's parameters any more; it was not called.
    ARGUMENTS_INVALID = "ARGUMENTS_INVALID"
    #: An action that had succeeded could not be undone.
    COMPENSATION_FAILED = "COMPENSATION_FAILED"
    #: The effector raised.
    EFFECT_FAILED = "EFFECT_FAILED"
    #: The effector did not answer within its time-out.
    TIMEOUT = "TIMEOUT"
    #: The pool of extra attempts is empty.
    RETRY_BUDGET = "RETRY_BUDGET"
    #: Asked the world in vain until `resolve_within`; a named person decided.
    UNRESOLVED = "UNRESOLVED"
    #: An earlier action of the plan did not succeed.
    DEPENDENCY_FAILED = "DEPENDENCY_FAILED"
    #: The effector or kind is no longer declared; the work waits for a deploy that declares it.
    UNDECLARED = "UNDECLARED"
