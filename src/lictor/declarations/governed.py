"""The one-declaration path: an existing function becomes a kind, its gates, an effector and a plan.

    send = app.govern(send_email, limit=app.rate("email", per_minute=10), approve_if=external)
    with Run("order-4711"):
        await send(node, "ann@example.org", "hello")    # its result, or a NotDone that says why

Calling it submits a decision and waits for the outcome. In a `Run`, the same call is done once, whoever repeats it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, Concatenate, Generic, ParamSpec, Protocol, TypedDict, TypeVar, Unpack, cast, overload

import msgspec

from lictor.errors import DeclarationError, MalformedError
from lictor.records import Outcome, Priority, Verdict

from .adaptive import Adaptive
from .budgets import Rate, Reserve, TakeTokens
from .effectors import Call, Effector
from .gates import Answer, allow, hold
from .refusal import raised, refusal_of
from .runs import TRIES_MAX, Run, nth, tries_again
from .signature import Signature, picked

P = ParamSpec("P")
R = TypeVar("R")

#: A decision that waits for a person has this long, unless `expires_in_s` says otherwise.
APPROVABLE_S = 86_400.0
EXPIRES_S = 60.0


class Followed(Protocol):
    """A submitted decision, as `Handle` is one."""

    duplicate: bool
    verdict: Verdict

    @property
    def name(self) -> str | None:
        """Its id, as people see it."""
        ...

    @property
    def done(self) -> bool:
        """Nothing more is to come."""
        ...

    async def outcome(self) -> Outcome | None:
        """Wait for the outcome."""
        ...


class Submits(Protocol):
    """What a governed function is called with: a `Node`."""

    async def submit(self, value: Any, **options: Any) -> Any:
        """Submit a decision and give its handle."""
        ...


class Terms(TypedDict, total=False):
    """What `app.govern` may be told about a function; all of it can be left out."""

    #: Its name as kind, effector and tool; the function's own unless given.
    name: str
    #: Raise it when the parameters change their meaning.
    version: int
    #: Rates that each call takes a token of.
    limit: Rate | Sequence[Rate]
    #: Pure, of any of the arguments: `allow()`, or `deny("TOO_MUCH", allowed={"amount": 500})`.
    check: Callable[..., Answer]
    #: Pure, of any of the arguments: true where a person must approve exactly this call.
    approve_if: Callable[..., object]
    #: Pure, of any of the arguments: what it reserves, such as `cash.reserve(amount)`; None for nothing.
    budget: Callable[..., Reserve | TakeTokens | Sequence[Reserve | TakeTokens] | None]
    #: Calling it twice is as good as once; unless said, it is not, and an unknown result is never blindly repeated.
    idempotent: bool
    #: It changes nothing in the world; a hint to models.
    reads_only: bool
    timeout_s: float
    slots: int | Adaptive
    order_by: str | Callable[[Any], str | None]
    expires_in_s: float
    approve_within_s: float
    priority: Priority
    value: str | float | Callable[[Any], float]


class Where(msgspec.Struct, frozen=True):
    """For whom a call is made, in which run, and how long it waits."""

    source: str = "local"
    tenant: str = "default"
    run: Run | None = None
    wait_s: float | None = None
    patience_s: float = 0.0
    options: dict[str, Any] = {}


class Governed(Generic[P, R]):
    """A function that is governed. `kind` is the class of its decisions, for further gates and lessons."""

    def __init__(self, signature: Signature, effector: Effector[P, R], *, reads_only: bool) -> None:
        self.name = signature.name
        self.signature = signature
        self.effector = effector
        self.reads_only = reads_only
        self.__name__ = signature.name
        self.__doc__ = effector.perform.__doc__

    @property
    def kind(self) -> type[Any]:
        """The struct of its arguments: the class of its decisions."""
        return self.signature.type

    @property
    def failed_is_certain(self) -> bool:
        """An outcome `failed` says that nothing happened that a call under another key would do twice."""
        return not (self.effector.idempotent and self.signature.takes_call)

    def __call__(self, node: Submits, /, *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, R]:
        """Decide to call it, and wait for what comes of it.

        Raises:
            NotDone: `Refused`, `Held` by a gate for a person to approve, `Failed`, or `Unfinished`.
            MalformedError: an argument does not fit.
            NodeStoppedError: the node takes no work, or stopped before the outcome was known.
        """
        return self._done(node, self.signature.pack(args, kwargs), Where(run=Run.current()))

    def on(
        self,
        node: Submits,
        *,
        source: str = "local",
        tenant: str = "default",
        run: Run | None = None,
        wait_s: float | None = None,
        patience_s: float = 0.0,
        **options: Any,
    ) -> Bound[P, R]:
        """The function on a node, for a source: call it as what it was.

        Args:
            node: where its decisions are submitted.
            source: who decides.
            tenant: for whom.
            run: what its calls belong to; the `Run` that the code runs in unless given.
            wait_s: seconds to wait for an outcome before `Unfinished` is raised; None for as long as it takes.
            patience_s: seconds to wait for a person before `Held` is raised.
            options: more of `Node.submit`, such as `confidence` or `priority`.

        """
        return Bound(self, node, Where(source, tenant, run, wait_s, patience_s, options))

    async def _done(self, node: Submits, value: Any, where: Where) -> R:
        handle = await self._submitted(node, value, where)
        outcome = await _ended(handle, where.patience_s) if handle.verdict.result == "held" else None
        if outcome is None and handle.verdict.result != "held":
            outcome = await _ended(handle, where.wait_s)
        refusal = refusal_of(handle.verdict, outcome, decision=handle.name, duplicate=handle.duplicate)
        if refusal is not None:
            raise raised(refusal)
        return cast("R", self.signature.result(None if outcome is None else outcome.value))

    async def _submitted(self, node: Submits, value: Any, where: Where) -> Followed:
        """In a run, the same call is the same decision, unless its last try certainly had no effect."""
        run, options = where.run, {"source": where.source, "tenant": where.tenant, **where.options}
        if run is None:
            return cast("Followed", await node.submit(value, **options))
        key = run.key(self.name, self.signature.canonical(value))
        for tried in range(TRIES_MAX):
            handle: Followed = await node.submit(value, key=nth(key, tried), **options)
            if not handle.duplicate or not handle.done:
                break
            outcome = await handle.outcome()
            verdict, ended = handle.verdict, None if outcome is None else outcome.result
            if not tries_again(verdict.result, verdict.code, ended, failed_is_certain=self.failed_is_certain):
                break
        return handle

    def __repr__(self) -> str:
        return f"<Governed {self.name}{self.signature.python}>"


class Bound(Generic[P, R]):
    """A governed function on a node: it is called as the function was, and always awaited."""

    def __init__(self, governed: Governed[P, R], node: Submits, where: Where) -> None:
        self.governed = governed
        self._node = node
        self._where = where
        self.__name__ = self.__qualname__ = governed.name
        self.__doc__ = governed.__doc__
        self.__signature__ = governed.signature.python

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, R]:
        """See `Governed.__call__`."""
        return self.of(self.governed.signature.pack(args, kwargs))

    @property
    def schema(self) -> dict[str, Any]:
        """JSON Schema of the arguments, for whoever writes them as JSON."""
        return self.governed.signature.schema()

    def read(self, arguments: str | bytes) -> Any:
        """Arguments that came as JSON, as a value of the function's kind; `of` takes it.

        Raises:
            MalformedError: they do not fit.
        """
        try:
            return self.governed.signature.read(arguments.encode() if isinstance(arguments, str) else arguments)
        except (msgspec.MsgspecError, UnicodeError) as error:
            raise MalformedError(f"{self.__name__}: {error}") from error

    def of(self, value: Any, *, run: Run | None = None) -> Coroutine[Any, Any, R]:
        """Call it with arguments that are a value of its kind, in a run."""
        where = self._where
        run = run or where.run or Run.current()
        return self.governed._done(self._node, value, msgspec.structs.replace(where, run=run))  # noqa: SLF001 - its own

    def __repr__(self) -> str:
        return f"<Bound {self.governed!r} for {self._where.source}>"


async def _ended(handle: Followed, wait_s: float | None) -> Outcome | None:
    """The outcome; None where there is none within so long, or never will be."""
    if handle.done:
        return await handle.outcome()
    if wait_s is not None and wait_s <= 0:
        return None
    try:
        async with asyncio.timeout(wait_s):
            return await handle.outcome()
    except TimeoutError:
        return None


class Declares(Protocol):
    """What `govern` needs of an App."""

    #: Governed functions by the name of their kind.
    governed: dict[str, Governed[..., Any]]

    def decision(self, *args: Any, **kwargs: Any) -> Callable[[type[Any]], type[Any]]:
        """Declare a kind."""
        ...

    def gate(self, *args: Any, **kwargs: Any) -> Callable[[Any], Any]:
        """Declare a gate."""
        ...

    def effector(self, *args: Any, **kwargs: Any) -> Any:
        """Declare an effector."""
        ...

    def plan(self, *args: Any, **kwargs: Any) -> Callable[[Any], Any]:
        """Declare a plan."""
        ...


class Governing:
    """The part of an App that governs functions which exist already."""

    @overload
    def govern(
        self: Declares, function: Callable[Concatenate[Call, P], Awaitable[R]], /, **terms: Unpack[Terms]
    ) -> Governed[P, R]: ...

    @overload
    def govern(
        self: Declares, function: Callable[Concatenate[Call, P], R], /, **terms: Unpack[Terms]
    ) -> Governed[P, R]: ...

    @overload
    def govern(self: Declares, function: Callable[P, Awaitable[R]], /, **terms: Unpack[Terms]) -> Governed[P, R]: ...

    @overload
    def govern(self: Declares, function: Callable[P, R], /, **terms: Unpack[Terms]) -> Governed[P, R]: ...

    def govern(self: Declares, function: Callable[..., Any], /, **terms: Unpack[Terms]) -> Governed[..., Any]:
        """Govern an existing function, sync or async: declare its kind, gates, effector and plan in one go.

        A first parameter that is a `Call` is given the call: its `key` for the world, its `settle` for budgets.
        `check`, `approve_if` and `budget` name the arguments that they want. See `Terms` for all that can be said.

        Raises:
            DeclarationError: the function or a term cannot be governed, and why.
        """
        unknown = set(terms) - Terms.__optional_keys__
        if unknown:
            raise DeclarationError(f"govern() knows no {', '.join(sorted(unknown))}", hint=f"it knows {_known()}")
        if not callable(function):
            raise DeclarationError(f"govern({function!r}): not a function")
        name = terms.get("name") or str(getattr(function, "__name__", ""))
        if not name.isidentifier():
            raise DeclarationError(f"govern({function!r}): it has no name to go by", hint='give name="send_email"')
        signature = Signature(function, name)
        kind = signature.type
        expires_in_s = terms.get("expires_in_s", APPROVABLE_S if "approve_if" in terms else EXPIRES_S)
        more = {k: v for k, v in terms.items() if k in {"version", "order_by", "approve_within_s", "priority", "value"}}
        self.decision(name=name, expires_in_s=expires_in_s, **more)(kind)
        effector: Effector[..., Any] = self.effector(
            idempotent=terms.get("idempotent", False),
            timeout_s=terms.get("timeout_s", 30.0),
            slots=terms.get("slots", 16),
            name=name,
        )(signature.performer())

        def plan(value: Any) -> Any:
            args, kwargs = signature.places(value)
            return effector.action(*args, **kwargs)

        self.plan(kind)(plan)
        _declare_gates(self, signature, terms)
        made: Governed[..., Any] = Governed(signature, effector, reads_only=terms.get("reads_only", False))
        self.governed[name] = made
        return made


def _declare_gates(app: Declares, signature: Signature, terms: Terms) -> None:
    kind = signature.type
    if (check := terms.get("check")) is not None:
        checks = picked(check, signature, "check")
        app.gate(kind, family="rules", name="check")(_gate(checks, lambda found, _: found))
    if (approve_if := terms.get("approve_if")) is not None:
        needs = picked(approve_if, signature, "approve_if")
        app.gate(kind, family="authorization", name="approval")(
            _gate(needs, lambda found, _: hold("APPROVAL_NEEDED") if found else allow())
        )
    limits = terms.get("limit", ())
    rates: tuple[Any, ...] = (limits,) if isinstance(limits, Rate) else tuple(limits)
    if not all(isinstance(rate, Rate) for rate in rates):
        raise DeclarationError(f"govern({signature.name}): a limit is a rate, not {limits!r}", hint="app.rate(...)")
    if rates:
        takes = tuple(rate.take() for rate in rates)
        parameters = {"rates": [rate.name for rate in rates]}
        app.gate(kind, family="resources", name="limit", parameters=parameters)(lambda _value, _state: allow(*takes))
    if (budget := terms.get("budget")) is not None:
        reserves = picked(budget, signature, "budget")
        app.gate(kind, family="resources", name="budget")(_gate(reserves, lambda found, _: _reserved(found)))


def _gate(of: Callable[[Any], Any], answer: Callable[[Any, Any], Answer]) -> Callable[[Any, Any], Answer]:
    """A gate of what a function of the arguments says; its version is the user's function's."""

    def gate(value: Any, state: Any) -> Answer:
        return answer(of(value), state)

    gate.__wrapped__ = of  # type: ignore[attr-defined]
    return gate


def _reserved(found: Any) -> Answer:
    if found is None:
        return allow()
    return allow(*((found,) if isinstance(found, Reserve | TakeTokens) else found))


def _known() -> str:
    return ", ".join(sorted(Terms.__optional_keys__))
