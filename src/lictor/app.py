"""Where a user declares kinds, sources, gates, budgets, effectors, plans and lessons.

An App holds no state of a run: it can be built twice and given to any number of nodes, real or simulated. Mistakes
raise `DeclarationError` while it is built.
"""

from __future__ import annotations

import hashlib
import inspect
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from decimal import Decimal
from functools import lru_cache
from types import CellType, CodeType
from typing import Any, Literal, TypeVar, cast, overload

from lictor.declarations.adaptive import Adaptive
from lictor.declarations.budgets import Balance, Limit, Per, Rate, check_amount, check_rate
from lictor.declarations.effectors import DeclareEffector, Draft, Effector, PlanDraft, check_options, importable
from lictor.declarations.feedback import Change, Learned, LessonFunction, LessonPer, LessonSpec
from lictor.declarations.gates import (
    FAMILIES,
    Adjustable,
    Answer,
    Family,
    Gate,
    GateFunction,
    Lookup,
    Reference,
    Snapshot,
)
from lictor.declarations.hedge import Hedge
from lictor.declarations.kinds import Kind, field_reader, value_reader
from lictor.declarations.models import check_model
from lictor.declarations.outside import Outside
from lictor.declarations.sources import Quality, Source
from lictor.errors import DeclarationError
from lictor.records import Priority

T = TypeVar("T")
K = TypeVar("K")
P = TypeVar("P")


class App(Outside):
    """A named set of declarations."""

    # -- inputs and decisions -------------------------------------------------------------------------------------

    def source(
        self,
        name: str,
        *,
        kinds: Sequence[type] | None = None,
        tenants: Sequence[str] | None = None,
        priority: Priority = Priority.NORMAL,
        quality: Quality | None = None,
        demote_below: float | None = None,
    ) -> Source:
        """Declare who may submit. As soon as one source is declared, undeclared ones are refused."""
        names = tuple(self.kind(k).name for k in kinds) if kinds is not None else None
        made = Source(name, names, tuple(tenants) if tenants is not None else None, priority, quality, demote_below)
        return self._add(self.sources, name, made, "source")

    def pull(self, given: P) -> P:
        """Let every node of this App submit what a file, a schedule or another async iterator of signals gives.

        It begins when the node has started, and again at each start. Ticks and the rows of files have keys, so what
        was decided before is answered as duplicate; give yours keys, too.
        """
        if not (hasattr(given, "signals") or hasattr(given, "__aiter__")):
            raise DeclarationError(f"{given!r} gives no signals", hint="CsvFile, JsonLines, Cron, or an async iterable")
        self.pulls.append(given)
        return given

    def tenant(self, name: str, *, weight: float = 1.0) -> str:
        """Declare a tenant's weight: its share of each effector beside the other tenants that wait in its class."""
        if weight <= 0:
            raise DeclarationError(f"tenant {name!r}: weight={weight} must be above zero")
        self._add(self.tenants, name, weight, "tenant")
        return name

    def decision(  # noqa: PLR0913 - each is a declaration of its own
        self,
        *,
        name: str | None = None,
        version: int = 1,
        order_by: str | Callable[[Any], str | None] | None = None,
        expires_in_s: float = 60.0,
        priority: Priority = Priority.NORMAL,
        control: bool = False,
        reduces: Callable[[Any], bool] | None = None,
        tightens: Callable[[Any, Any], bool] | None = None,
        approve_within_s: float | None = None,
        upgrades: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] | None = None,
        value: str | float | Callable[[Any], float] | None = None,
    ) -> Callable[[type[T]], type[T]]:
        """Declare a kind of decision from the user's own dataclass, msgspec struct or Pydantic model.

        `value` is what one is worth, for the execution-quality index: a number, a field, or a pure function of it.
        """
        if expires_in_s <= 0:
            raise DeclarationError(f"expires_in_s={expires_in_s}: every kind has a deadline in the future")

        def declare(type_: type[T]) -> type[T]:
            check_model(type_)
            reader = field_reader(type_, order_by, "order_by")
            kind = Kind(
                name or type_.__name__,
                type_,
                version,
                reader,
                expires_in_s,
                priority,
                control,
                reduces,
                tightens,
                approve_within_s,
                upgrades or {},
                value_reader(type_, value),
            )
            self.kind_of[type_] = self._add(self.kinds, kind.name, kind, "decision kind")
            self.gates[kind.name] = []
            return type_

        return declare

    def kind(self, type_: type) -> Kind:
        """The kind that a class was declared as.

        Raises:
            DeclarationError: it was not.
        """
        found = self.kind_of.get(type_)
        if found is None:
            raise DeclarationError(
                f"{getattr(type_, '__name__', type_)} is no decision kind of {self.name}",
                hint="decorate it with @app.decision()",
            )
        return found

    # -- validation and capacity ----------------------------------------------------------------------------------

    def gate(
        self,
        *kinds: type[K],
        family: Family = "rules",
        shadow: bool = False,
        name: str | None = None,
        parameters: dict[str, Any] | None = None,
    ) -> Callable[[Callable[[K, Snapshot], Answer]], Callable[[K, Snapshot], Answer]]:
        """Declare a check of some kinds. Families run in order: rules, risk, authorization, priority, resources."""
        if family not in FAMILIES:
            raise DeclarationError(f"family={family!r}", hint=f"one of {', '.join(FAMILIES)}")

        def declare(check: Callable[[K, Snapshot], Answer]) -> Callable[[K, Snapshot], Answer]:
            called = name or check.__name__
            if inspect.iscoroutinefunction(check):
                raise DeclarationError(f"gate {called!r} is async", hint="gates are plain functions; ask by app.lookup")
            version = source_digest(check, parameters)
            for type_ in kinds:
                kind = self.kind(type_)
                gates = self.gates[kind.name]
                if any(gate.name == called for gate in gates):
                    raise DeclarationError(f"gate {called!r} of {kind.name} is declared twice")
                gates.append(Gate(called, kind.name, family, check, version, shadow, parameters or {}))
                gates.sort(key=lambda gate: FAMILIES.index(gate.family))
            return check

        if not kinds:
            raise DeclarationError("a gate names the kinds that it checks", hint="@app.gate(Payout)")
        return declare

    def balance(
        self,
        name: str,
        limit: Limit,
        *,
        per: Per = "all",
        window_s: float | None = None,
    ) -> Balance:
        """Declare money, a position or a quota that is reserved before an effect and settled after it."""
        for amount in limit.values() if isinstance(limit, Mapping) else () if callable(limit) else (limit,):
            try:
                check_amount(amount, f"balance {name!r}")
            except (TypeError, ValueError) as error:
                raise DeclarationError(str(error)) from error
        if window_s is not None and window_s <= 0:
            raise DeclarationError(f"balance {name!r}: window_s={window_s} must be above zero")
        return self._add(self.balances, name, Balance(name, limit, per, window_s), "balance")

    def rate(
        self,
        name: str,
        *,
        per_s: float | None = None,
        per_minute: float | None = None,
        per_hour: float | None = None,
        burst: float | None = None,
        per: Per = "all",
    ) -> Rate:
        """Declare tokens a second; `burst` is the bucket's size, by default what one second brings, at least one."""
        rate = check_rate(name, per_s, per_minute, per_hour)
        return self._add(self.rates, name, Rate(name, rate, burst or max(1.0, rate), per), "rate")

    @overload
    def reference(
        self, name: str, load: Callable[[], Awaitable[T]], *, max_age_s: float, refresh_s: float | None = None
    ) -> Reference[T]: ...

    @overload
    def reference(
        self, name: str, load: Callable[[], T], *, max_age_s: float, refresh_s: float | None = None
    ) -> Reference[T]: ...

    def reference(
        self, name: str, load: Callable[[], Any], *, max_age_s: float, refresh_s: float | None = None
    ) -> Reference[Any]:
        """Declare a named value that gates read; it is loaded off the path and refuses when older than `max_age_s`."""
        made: Reference[Any] = Reference(name, load, max_age_s, refresh_s or max_age_s / 3)
        return self._add(self.references, name, made, "reference")

    def lookup(
        self,
        *kinds: type[K],
        timeout_s: float,
        slots: int = 16,
        name: str | None = None,
    ) -> Callable[[Callable[[K], Awaitable[T]]], Lookup[T]]:
        """Declare an async question that is asked about each decision of some kinds before its gates run."""

        def declare(ask: Callable[[K], Awaitable[T]]) -> Lookup[T]:
            called = name or ask.__name__
            names = tuple(self.kind(k).name for k in kinds)
            return self._add(self.lookups, called, Lookup(called, ask, names, timeout_s, slots), "lookup")

        return declare

    def adjustable(
        self,
        name: str,
        *,
        default: float,
        tightest: float,
        loosest: float | None = None,
        loosen_per_hour: float = 0.0,
        per: str = "source",
    ) -> Adjustable:
        """Declare a number that lessons move within bounds and gates read for each subject."""
        loosest = default if loosest is None else loosest
        low, high = sorted((tightest, loosest))
        if not low <= default <= high:
            raise DeclarationError(f"adjustable {name!r}: the default {default} is outside {low} to {high}")
        made = Adjustable(name, default, tightest, loosest, loosen_per_hour, per)
        return self._add(self.adjustables, name, made, "adjustable")

    # -- execution and feedback -----------------------------------------------------------------------------------

    def effector(  # noqa: PLR0913 - each is a declaration of its own
        self,
        *,
        idempotent: bool,
        timeout_s: float,
        slots: int | Adaptive = 16,
        name: str | None = None,
        extra_work: float = 0.05,
        retry_base_s: float = 0.1,
        retry_max_s: float = 20.0,
        resolve_within_s: float = 3600.0,
        poll_after_s: float = 5.0,
        nests: int = 0,
        hedge: Hedge | None = None,
        runs_in: Literal["process"] | None = None,
        cut: bool = False,
    ) -> DeclareEffector:
        """Declare what performs actions of one kind: a function, async or not, whose first parameter is the `Call`.

        A sync one runs in a thread, or with `runs_in="process"` in a process, which its time-out kills. `slots` is how
        many run at once; `Adaptive` finds that out. `hedge` calls twice where that is slow. `cut` ends late calls.

        Raises:
            DeclarationError: these do not go together, as the message says.
        """
        check_options(slots, hedge, idempotent=idempotent, timeout_s=timeout_s, nests=nests, runs_in=runs_in)

        def declare(perform: Callable[..., Any]) -> Effector[..., Any]:
            called = name or str(getattr(perform, "__name__", "effector"))
            made: Effector[..., Any] = Effector(
                called,
                perform,
                idempotent,
                timeout_s,
                slots.start if isinstance(slots, Adaptive) else slots,
                extra_work,
                retry_base_s,
                retry_max_s,
                resolve_within_s,
                poll_after_s,
                inspect.iscoroutinefunction(perform),
                nests,
                slots if isinstance(slots, Adaptive) else None,
                hedge,
                importable(perform, called) if runs_in == "process" else None,
                cut,
            )
            return self._add(self.effectors, called, made, "effector")

        return cast("DeclareEffector", declare)

    def plan(
        self, type_: type[K]
    ) -> Callable[
        [Callable[[K], Draft[Any] | Sequence[Draft[Any]] | PlanDraft]],
        Callable[[K], Draft[Any] | Sequence[Draft[Any]] | PlanDraft],
    ]:
        """Declare which actions an admitted decision becomes. Runs once, before the commit; nothing is re-planned."""
        kind = self.kind(type_)

        def declare(
            make: Callable[[K], Draft[Any] | Sequence[Draft[Any]] | PlanDraft],
        ) -> Callable[[K], Draft[Any] | Sequence[Draft[Any]] | PlanDraft]:
            self._add(self.plans, kind.name, make, "plan of")
            return make

        return declare

    def lesson(
        self, type_: type, *, name: str | None = None, per: LessonPer = "source"
    ) -> Callable[
        [Callable[[Learned], tuple[dict[str, Any], Sequence[Change]]]],
        LessonFunction,
    ]:
        """Declare what is to be learned from each closed decision of a kind, remembered per source, kind or tenant."""
        kind = self.kind(type_)

        def declare(learn: Callable[[Learned], tuple[dict[str, Any], Sequence[Change]]]) -> LessonFunction:
            called = name or learn.__name__
            if any(lesson.name == called for lesson in self.lessons):
                raise DeclarationError(f"lesson {called!r} is declared twice")
            self.lessons.append(LessonSpec(called, kind.name, learn, per))
            return learn

        return declare

    @staticmethod
    def _add(where: dict[str, T], name: str, made: T, what: str) -> T:
        if name in where:
            raise DeclarationError(f"{what} {name!r} is declared twice")
        where[name] = made
        return made


@lru_cache(maxsize=4_096)
def source_text(code: CodeType | None) -> str | None:
    """What a function was written as; None where nobody knows. Looked up once, however often an App is built."""
    if code is None:
        return None
    try:
        return inspect.getsource(code)
    except (OSError, TypeError):
        return None


def source_digest(check: GateFunction | Callable[..., Any], parameters: dict[str, Any] | None = None) -> str:
    """The version of a gate: a digest of its source text, of the plain values that it closes over, and its parameters.

    The source text of a lambda is its whole line, hence also the names and constants of its code.
    """
    check = inspect.unwrap(check)
    code = getattr(check, "__code__", None)
    text = source_text(code)
    if text is None:
        text = getattr(code, "co_code", b"").hex() or repr(type(check))
    cells = [cell.cell_contents for cell in getattr(check, "__closure__", None) or () if _filled(cell)]
    values = [*getattr(code, "co_consts", ()), *(getattr(check, "__defaults__", None) or ()), *cells]
    facts = [
        text,
        repr(getattr(code, "co_names", ())),
        repr([value for value in values if isinstance(value, _STABLE)]),
        json.dumps(parameters or {}, sort_keys=True, default=str),
    ]
    return hashlib.sha256("\0".join(facts).encode()).hexdigest()[:12]


#: What looks the same in every process.
_STABLE = (str, int, float, bytes, Decimal, type(None))


def _filled(cell: CellType) -> bool:
    try:
        return cell.cell_contents is not cell
    except ValueError:  # a name that is bound later
        return False
