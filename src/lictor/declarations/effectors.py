"""What performs actions, what an effector is handed, and the plans that decisions become."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Concatenate, Generic, ParamSpec, Protocol, TypeVar, cast, get_type_hints, overload

import msgspec

from lictor.errors import DeclarationError, LictorError
from lictor.records import Amount, Report

from .adaptive import Adaptive
from .budgets import Balance, check_amount
from .hedge import Hedge
from .models import is_model

P = ParamSpec("P")
R = TypeVar("R")


class EffectFailed(LictorError):
    """The effect certainly did not happen.

    Raise it in an effector to say so; any other exception of an effector that is not idempotent leaves the action in
    doubt. With `retry` the action may be tried again. `retry_after_s` is obeyed, and by the whole effector: until then
    it starts nothing, because the world has said that it is busy. With `only_this` the others go on.
    """

    code = "EFFECT_FAILED"

    def __init__(
        self,
        message: str | None = None,
        *,
        code: str = "EFFECT_FAILED",
        retry: bool = False,
        retry_after_s: float | None = None,
        only_this: bool = False,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.retry = retry or retry_after_s is not None
        self.retry_after_s = retry_after_s
        self.only_this = only_this


@dataclass(frozen=True, slots=True)
class Pending:
    """The world is working on it: ask by `ref` after `poll_after_s`, unless a report comes first."""

    ref: str
    poll_after_s: float


def pending(ref: str, *, poll_after_s: float) -> Any:
    """Return this from an effector whose effect takes time; the action gives up its slot and keeps its reservation."""
    return Pending(ref, poll_after_s)


class Call(msgspec.Struct, eq=False):
    """What an effector is handed: the identity of the attempt, and how to settle what was truly used."""

    decision: int
    ordinal: int
    attempt: int
    fence: int
    tenant: str
    source: str
    deadline_us: int
    _key_of: Callable[[int, int], str]
    #: For reconcile and cancel: the world's name for a pending action.
    ref: str | None = None
    #: What was settled: (budget, scope, amount).
    settled: list[tuple[str, str | None, Amount]] = []
    _key: str | None = None

    @property
    def key(self) -> str:
        """The same for every attempt of this action (I7); give it to the world as idempotency key."""
        if self._key is None:
            self._key = self._key_of(self.decision, self.ordinal)
        return self._key

    def settle(self, balance: Balance, amount: Amount, *, scope: str | None = None) -> None:
        """The true amount that this attempt used of a balance; it counts once it is known what became of the attempt.

        What is in doubt, or tried again under the same key, is settled by whoever tells the result. May be negative on
        a balance that the decision did not reserve.
        """
        check_amount(amount, balance.name)
        self.settled.append((balance.name, scope, amount))


@dataclass(slots=True, eq=False)
class Draft(Generic[R]):
    """An action being planned."""

    effector: str
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    needs: tuple[Draft[Any], ...] = ()

    def after(self, *earlier: Draft[Any]) -> Draft[R]:
        """Start only when these have succeeded."""
        self.needs += earlier
        return self

    @property
    def result(self) -> R:
        """What this action will return, as an argument of a later one."""
        return cast("R", ResultOf(self))


@dataclass(frozen=True, slots=True, eq=False)
class ResultOf:
    """A place that an earlier action's result will take."""

    draft: Draft[Any]


@dataclass(frozen=True, slots=True)
class PlanDraft:
    """Actions and the rule by which their outcomes make the decision's."""

    drafts: tuple[Draft[Any], ...]
    rule: str = "all"
    quorum: int = 0


def all_of(*drafts: Draft[Any]) -> PlanDraft:
    """The decision succeeds when all its actions do."""
    return PlanDraft(drafts)


def quorum(count: int, *drafts: Draft[Any]) -> PlanDraft:
    """The decision succeeds when that many of its actions do."""
    if not 0 < count <= len(drafts):
        raise DeclarationError(f"quorum of {count} among {len(drafts)} actions")
    return PlanDraft(drafts, "quorum", count)


def all_or_compensate(*drafts: Draft[Any]) -> PlanDraft:
    """All succeed, or those that did are compensated."""
    return PlanDraft(drafts, "all_or_compensate")


PlanFunction = Callable[[Any], "Draft[Any] | Sequence[Draft[Any]] | PlanDraft"]


@dataclass(slots=True, eq=False)
class Effector(Generic[P, R]):
    """Performs actions of one kind. `slots` bounds how many calls run at once on a node, to begin with if adaptive."""

    name: str
    perform: Callable[Concatenate[Call, P], Awaitable[R] | R]
    idempotent: bool
    timeout_s: float
    slots: int
    #: Extra attempts that each first attempt pays for, in the effector's pool.
    extra_work: float = 0.05
    retry_base_s: float = 0.1
    retry_max_s: float = 20.0
    #: In doubt and unanswered for this long, a named person must decide.
    resolve_within_s: float = 3600.0
    poll_after_s: float = 5.0
    #: Sync functions run in a thread of the effector's own lane.
    is_async: bool = True
    #: How deep decisions nest that its calls submit and wait for; a slot is kept for each depth.
    nests: int = 0
    adaptive: Adaptive | None = None
    hedge: Hedge | None = None
    #: `module:name` of a function that runs in a worker process of its own for each slot.
    function: str | None = None
    #: A call may be cut off at its deadline, and has had no effect then that anybody counts on.
    cut: bool = False
    asks: Callable[..., Awaitable[Report | None] | Report | None] | None = field(default=None)
    stops: Callable[..., Awaitable[Report | None] | Report | None] | None = field(default=None)
    undoes: Callable[..., Awaitable[Any] | Any] | None = field(default=None)
    #: Types of parameters that storage keeps as plainer data, by place and by name; arguments are given back as these.
    rich: dict[int | str, Any] = field(init=False)
    #: Its calls are watched one by one.
    watched: bool = field(init=False)
    #: At its deadline something can be done about a call that runs, and leaves nothing in doubt for good.
    ends_late_calls: bool = field(init=False)

    def __post_init__(self) -> None:
        self.rich = rich_parameters(self.perform)
        self.watched = self.adaptive is not None or self.hedge is not None
        self._late()

    def _late(self) -> None:
        """A call is cut off where that is declared, or where what it did is asked for; or it is asked to stop."""
        bears = self.idempotent and self.asks is not None and self.stoppable
        self.ends_late_calls = self.cut or self.stops is not None or bears

    @property
    def stoppable(self) -> bool:
        """A call that runs can be ended from outside; a thread cannot."""
        return self.is_async or self.function is not None

    @property
    def slots_max(self) -> int:
        """How many calls may ever run at once."""
        return self.slots if self.adaptive is None else self.adaptive.high

    def check(self) -> None:
        """Raise where a worker process could not find the function, or a call that is to be cut off cannot be.

        Raises:
            DeclarationError: its name leads to something else, or nowhere; or its calls run in threads.
        """
        if self.cut and not self.stoppable:
            raise DeclarationError(
                f"effector {self.name!r}: a call in a thread cannot be cut off",
                hint='make it async, or run it in a process with runs_in="process"',
            )
        if self.function is None:
            return
        module, _, path = self.function.partition(":")
        found: Any = sys.modules.get(module)
        for name in path.split("."):
            found = getattr(found, name, None)
        if found is not self.perform and getattr(found, "perform", None) is not self.perform:
            raise DeclarationError(
                f"effector {self.name!r}: {self.function} is not its function, so that no worker process finds it",
                hint="name it at the top of its module, and keep the name",
            )

    def action(self, *args: P.args, **kwargs: P.kwargs) -> Draft[R]:
        """Plan one action."""
        return Draft(self.name, args, kwargs)

    def reconcile(self, ask: Question[P]) -> Question[P]:
        """How to ask the world what became of an action.

        A report, or None when the world does not know either (yet).
        """
        self.asks = ask
        self._late()
        return ask

    def cancel(self, stop: Question[P]) -> Question[P]:
        """How to ask the world to stop an action that has started; the report is the true result."""
        self.stops = stop
        self._late()
        return stop

    def compensate(self, undo: Callable[Concatenate[Call, P], Any]) -> Callable[Concatenate[Call, P], Any]:
        """How to undo an action that succeeded; safe to repeat, because a crash may cut it off."""
        self.undoes = undo
        return undo


def check_options(
    slots: int | Adaptive,
    hedge: Hedge | None,
    *,
    idempotent: bool,
    timeout_s: float,
    nests: int,
    runs_in: str | None,
) -> None:
    """Raise where options of an effector do not go together.

    Raises:
        DeclarationError: as its message says.
    """
    least = slots.low if isinstance(slots, Adaptive) else slots
    if timeout_s <= 0 or least < 1:
        raise DeclarationError(f"timeout_s={timeout_s}, slots={slots}: both must be above zero")
    if not 0 <= nests < least:
        raise DeclarationError(f"nests={nests}: calls that wait for children need a slot for each depth, and one more")
    if hedge is not None and not idempotent:
        raise DeclarationError("a hedge calls twice", hint="only an effector with idempotent=True can bear that")
    if runs_in not in {None, "process"}:
        raise DeclarationError(f"runs_in={runs_in!r}", hint='"process", or leave it out')
    if runs_in == "process" and isinstance(slots, Adaptive):
        raise DeclarationError("worker processes are as many as there are slots", hint="give a number, not Adaptive")


def importable(perform: Callable[..., Any], called: str) -> str:
    """The `module:name` by which a worker process imports a function.

    Raises:
        DeclarationError: it has no such name, or is async.
    """
    module, name = getattr(perform, "__module__", None), getattr(perform, "__qualname__", "<unnamed>")
    if inspect.iscoroutinefunction(perform):
        raise DeclarationError(
            f"effector {called!r} is async and runs on the loop", hint='runs_in="process" is for sync functions'
        )
    if module in {None, "__main__"} or "<" in name:
        raise DeclarationError(
            f"effector {called!r}: {module}.{name} cannot be imported by a worker process",
            hint="define it at the top of a module that is not run as a script",
        )
    return f"{module}:{name}"


#: How the world is asked about an action, with the action's own arguments; sync or async.
Question = Callable[Concatenate[Call, P], Awaitable[Report | None] | Report | None]


class DeclareEffector(Protocol):
    """Makes an effector of a function, async or not, whose first parameter is the call."""

    @overload
    def __call__(self, perform: Callable[Concatenate[Call, P], Awaitable[R]]) -> Effector[P, R]: ...

    @overload
    def __call__(self, perform: Callable[Concatenate[Call, P], R]) -> Effector[P, R]: ...


def rich_parameters(perform: Callable[..., Any]) -> dict[int | str, Any]:
    """Types of the parameters after the call, by place and by name, that are no plain data: Decimal, datetime, records.

    Annotations that cannot be resolved, or that name what no data can be turned into, are left alone.
    """
    try:
        hints = get_type_hints(perform)
        names = list(inspect.signature(perform).parameters)[1:]
    except (NameError, TypeError, ValueError):
        return {}
    found: dict[int | str, Any] = {}
    for place, name in enumerate(names):
        type_ = hints.get(name)
        if type_ in _PLAIN:
            continue
        if isinstance(msgspec.inspect.type_info(type_), msgspec.inspect.CustomType) and not is_model(type_):
            continue
        found[place] = found[name] = type_
    return found


_PLAIN = (None, str, int, float, bool, bytes, Any)


def report(
    id: str,  # noqa: A002 - the word of the record
    *,
    final: bool,
    result: str | None = None,
    code: str | None = None,
    value: Any = None,
    settled: dict[Balance, Amount] | None = None,
) -> Report:
    """News of an action from the world, for `node.resolve`, reconcile and cancel.

    Raises:
        DeclarationError: a final report without a result, or a result that is none.
    """
    if final and result not in {"succeeded", "failed", "cancelled", "expired", "absent"}:
        raise DeclarationError(
            f"a final report needs a result, not {result!r}", hint="succeeded, failed, cancelled, expired, absent"
        )
    for balance, amount in (settled or {}).items():
        check_amount(amount, balance.name)
    amounts = {balance.name: amount for balance, amount in (settled or {}).items()}
    return Report(id=id, final=final, result=result, code=code, value=value, settled=amounts)
