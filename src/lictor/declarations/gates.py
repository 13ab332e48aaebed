"""Gates, what they answer, and what they may read."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Generic, Literal, Protocol, TypeVar

import msgspec

from lictor.errors import DeclarationError
from lictor.records import Amount, Decision, Priority

from .budgets import Balance, Reserve, TakeTokens

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

Family = Literal["rules", "risk", "authorization", "priority", "resources"]
#: The order in which families run.
FAMILIES: tuple[Family, ...] = ("rules", "risk", "authorization", "priority", "resources")


class Answer(msgspec.Struct, frozen=True):
    """What a gate says; made by `allow`, `deny`, `amend`, `hold` and `defer`."""

    result: Literal["allow", "deny", "amend", "hold", "defer"]
    code: str | None = None
    seen: dict[str, Any] | None = None
    reserves: tuple[Reserve, ...] = ()
    takes: tuple[TakeTokens, ...] = ()
    value: Any = None
    defer_s: float | None = None
    #: For `allow` of the priority family: the class it shall run in, never above what its source was granted.
    priority: int | None = None
    #: For `hold`: how many persons must approve.
    approvers: int = 1


#: What `allow()` gives: nothing against it, and nothing else to say.
ALLOW = Answer("allow")


def allow(*budgets: Reserve | TakeTokens, priority: int | None = None) -> Answer:
    """Nothing against it; with what it needs of budgets, and for a priority gate the class.

    Raises:
        ValueError: there is no such class.
    """
    if priority is None:
        if not budgets:
            return ALLOW
        if len(budgets) == 1 and isinstance(only := budgets[0], Reserve):  # by far the most frequent
            return Answer("allow", None, None, (only,))
    else:
        priority = int(Priority(priority))
    reserves = tuple(b for b in budgets if isinstance(b, Reserve))
    return Answer(
        "allow", None, None, reserves, tuple(b for b in budgets if isinstance(b, TakeTokens)), priority=priority
    )


def deny(code: str, **seen: Any) -> Answer:
    """Against it, with a code in capitals and what was seen, so that the one who decided can act on it (I11)."""
    if not code or code != code.upper():
        raise DeclarationError(f"deny({code!r}): a code is a word in capitals, such as ACCOUNT_UNKNOWN")
    return Answer("deny", code, seen or None)


def amend(value: Any, code: str = "AMENDED", **seen: Any) -> Answer:
    """Only in this tighter form; the amended decision passes all gates again."""
    return Answer("amend", code, seen or None, value=value)


def hold(code: str, *budgets: Reserve | TakeTokens, approvers: int = 1, **seen: Any) -> Answer:
    """A person must approve exactly this content; with `approvers=2` two persons, neither of them its source.

    How many is the gate's to say, beside the question itself, because it sees the content: one for 600, two for 60,000.
    A kind that always needs four eyes has a gate that always holds. One person's denial ends it.

    Raises:
        DeclarationError: fewer than one.
    """
    if approvers < 1:
        raise DeclarationError(f"hold({code!r}, approvers={approvers}): somebody must approve")
    reserves = tuple(b for b in budgets if isinstance(b, Reserve))
    takes = tuple(b for b in budgets if isinstance(b, TakeTokens))
    return Answer("hold", code, seen or None, reserves, takes, approvers=approvers)


def defer(seconds: float, code: str = "DEFERRED", **seen: Any) -> Answer:
    """Not now: ask all gates again after that many seconds."""
    return Answer("defer", code, seen or None, defer_s=seconds)


class Readable(Protocol[T_co]):
    """Something that `snapshot[...]` gives back, typed: a reference, a lookup, an adjustment."""

    @property
    def name(self) -> str:
        """Its name in evidence."""
        ...

    def _reads(self) -> T_co: ...


@dataclass(frozen=True, slots=True, eq=False)
class Reference(Generic[T]):
    """A named value that gates read, loaded off the path; older than `max_age_s` it refuses."""

    name: str
    load: Callable[[], T | Awaitable[T]]
    max_age_s: float
    refresh_s: float

    def _reads(self) -> T:
        raise NotImplementedError


@dataclass(frozen=True, slots=True, eq=False)
class Lookup(Generic[T]):
    """An async question about one decision, asked before the gates, with a time-out and slots."""

    name: str
    ask: Callable[[Any], Awaitable[T]]
    kinds: tuple[str, ...]
    timeout_s: float
    slots: int

    def _reads(self) -> T:
        raise NotImplementedError


@dataclass(frozen=True, slots=True, eq=False)
class Adjustable:
    """A number that lessons move and gates read, for each subject.

    It tightens at once and loosens only so fast (I20).
    """

    name: str
    default: float
    #: The bound towards which a change is a tightening.
    tightest: float
    #: The bound that it never passes in the other direction.
    loosest: float
    #: How far it may move back towards `loosest` in an hour; 0 needs a named person.
    loosen_per_hour: float = 0.0
    per: str = "source"

    def _reads(self) -> float:
        raise NotImplementedError


class Snapshot(Protocol):
    """What a gate may read. Each read is recorded as evidence; the balances are advisory, the journal decides."""

    @property
    def decision(self) -> Decision:
        """The decision's own record: source, tenant, class, deadline, confidence."""
        ...

    @property
    def now_us(self) -> int:
        """When this decision is being ruled, microseconds of wall time."""
        ...

    def __getitem__(self, item: Readable[T]) -> T:
        """The value of a reference, a lookup's answer, or an adjustment for this decision's subject."""
        ...

    def left(self, balance: Balance, scope: str | None = None) -> Amount:
        """What is left of a balance in this decision's scope, or in a named one."""
        ...

    def used(self, balance: Balance, scope: str | None = None) -> Amount:
        """Settled plus reserved of a balance in this decision's scope, or in a named one."""
        ...

    def score(self, name: str = "quality") -> float:
        """A score of this decision's source (1 is best): `quality`, `success`, `on_time`, `calibration`."""
        ...


GateFunction = Callable[[Any, Snapshot], Answer]


@dataclass(frozen=True, slots=True, eq=False)
class Gate:
    """One check of one kind. A shadow gate is run and recorded, and changes nothing."""

    name: str
    kind: str
    family: Family
    check: GateFunction
    version: str
    shadow: bool = False
    #: Extra facts that make up its version: parameters of the check.
    parameters: dict[str, Any] = field(default_factory=dict)
