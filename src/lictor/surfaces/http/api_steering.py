"""What holds for many decisions: halts, budgets, sources, quarantine, rehearsals."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypedDict

import msgspec
from msgspec import Meta

from lictor.surfaces import shapes
from lictor.surfaces.access.principal import Permission
from lictor.surfaces.halting import InFlight

from .answers import Response, answer
from .api_decisions import Because, Limit, Reason
from .route import Asked, Route
from .submitting import Amount, Micros, Name, Query

Scope = Annotated[str, Meta(pattern="^(all|(kind|source|tenant|effector):.{1,200})$")]


class Halt(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What to halt: all, kind:NAME, source:NAME, tenant:NAME or effector:NAME; or let only what reduces through."""

    scope: Scope
    reason: Reason = ""
    reduce_only: bool = False


class Resume(Query, frozen=True, kw_only=True):
    """What to resume."""

    scope: Scope
    reason: Reason = ""


class NewLimit(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Another limit from now on; `reset_latch` lifts the latch of an overrun with it."""

    limit: Amount
    scope: Name = "all"
    reset_latch: bool = False


class OfScope(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which scope."""

    scope: Name = "all"


class Kept(Query, frozen=True, kw_only=True):
    """Which entries."""

    source: Name | None = None
    limit: Limit = 100


class Replay(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """As it was, or with another payload."""

    payload: Any = None


class Rehearse(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which period, which kinds, and which limits (by balance, or balance/scope) were others."""

    limits: dict[str, Amount] = {}
    since_us: Micros = 0
    until_us: Micros | None = None
    kinds: list[Name] = []


class Halted(InFlight):
    """What was done, what stands still, and what goes on all the same."""

    scope: str
    mode: str
    by: str


class HaltedNow(Halted):
    """A halt in force."""

    reason: str
    at_us: int


class Halts(TypedDict):
    """All halts in force."""

    halts: list[HaltedNow]


class Resumed(TypedDict):
    """What goes on again."""

    scope: str
    mode: Literal["none"]
    by: str
    was_halted: bool


class Budgets(TypedDict):
    """All scopes of all balances, and what is halted."""

    limits: list[shapes.Limit]
    halts: list[shapes.Halted]


class Set(TypedDict):
    """A limit in force from now on."""

    budget: str
    scope: str
    limit: shapes.Amount
    by: str


class Sources(TypedDict):
    """Who decides."""

    sources: list[shapes.Source]


class Reinstated(TypedDict):
    """Admitted again."""

    source: str
    by: str


class Entries(TypedDict):
    """What is kept aside, newest first."""

    entries: list[shapes.Quarantined]


class Replayed(shapes.Submitted):
    """What became of it."""

    entry: str


class Discarded(TypedDict):
    """Gone for good."""

    entry: str
    state: Literal["discarded"]
    by: str


async def halts(asked: Asked) -> Response:
    """What is halted."""
    return answer({"halts": await asked.requests.ask("halts")})


async def halt(asked: Asked) -> Response:
    """The kill switch."""
    body: Halt = asked.body
    given = {"scope": body.scope, "reason": body.reason, "reduce_only": body.reduce_only}
    return answer(await asked.requests.ask("halt", **given))


async def resume(asked: Asked) -> Response:
    """Go on."""
    return answer(await asked.requests.ask("resume", scope=asked.query.scope, reason=asked.query.reason))


async def budgets(asked: Asked) -> Response:
    """Balances."""
    return answer(await asked.requests.ask("limits"))


async def set_limit(asked: Asked) -> Response:
    """Another limit."""
    body: NewLimit = asked.body
    given = {"limit": body.limit, "scope": body.scope, "reset_latch": body.reset_latch}
    return answer(await asked.requests.ask("set_limit", budget=asked.path["budget"], **given))


async def reset_latch(asked: Asked) -> Response:
    """Open again after an overrun."""
    return answer(await asked.requests.ask("reset_latch", budget=asked.path["budget"], scope=asked.body.scope))


async def sources(asked: Asked) -> Response:
    """Who decides, with scores."""
    return answer({"sources": await asked.requests.ask("sources")})


async def reinstate(asked: Asked) -> Response:
    """Admit again."""
    return answer(await asked.requests.ask("reinstate", source=asked.path["source"], reason=asked.body.reason))


async def quarantine(asked: Asked) -> Response:
    """What is kept aside."""
    q: Kept = asked.query
    return answer({"entries": await asked.requests.ask("quarantine_list", source=q.source, limit=q.limit)})


async def quarantine_entry(asked: Asked) -> Response:
    """One signal that is kept aside."""
    return answer(await asked.requests.ask("quarantine_show", what=asked.path["entry"]))


async def replay(asked: Asked) -> Response:
    """Through the door again."""
    told = await asked.requests.ask("quarantine_replay", what=asked.path["entry"], payload=asked.body.payload)
    return answer(told)


async def discard(asked: Asked) -> Response:
    """Out for good."""
    return answer(await asked.requests.ask("quarantine_discard", what=asked.path["entry"]))


async def rehearse(asked: Asked) -> Response:
    """What the rules in force would have said."""
    body: Rehearse = asked.body
    given = {"limits": body.limits, "since_us": body.since_us, "until_us": body.until_us, "kinds": body.kinds}
    return answer(await asked.requests.ask("rehearse", **given))


ENTRY = "/v1/quarantine/{entry}"
_BAD = {400: None, 422: None}
_MISSING = {400: None, 404: None}

ROUTES = (
    Route("GET", "/v1/halts", Permission.READ, halts, "What is halted, and what goes on there", gives=Halts),
    Route(
        "POST", "/v1/halts", Permission.OPERATE, halt,
        "Halt a scope; the answer says what stands still and what is still in flight",
        body=Halt, gives=Halted, also=_BAD,
    ),
    Route("DELETE", "/v1/halts", Permission.OPERATE, resume, "Resume a scope", query=Resume, gives=Resumed, also=_BAD),
    Route("GET", "/v1/budgets", Permission.READ, budgets, "Balances: limit, settled, reserved, left", gives=Budgets),
    Route(
        "PUT", "/v1/budgets/{budget}/limit", Permission.OPERATE, set_limit, "Set the limit of a balance",
        body=NewLimit, gives=Set, also=_MISSING,
    ),
    Route(
        "POST", "/v1/budgets/{budget}/reset", Permission.OPERATE, reset_latch, "Lift the latch of an overrun",
        body=OfScope, gives=Set, also=_MISSING,
    ),
    Route("GET", "/v1/sources", Permission.READ, sources, "Sources, their scores, who is demoted", gives=Sources),
    Route(
        "POST", "/v1/sources/{source}/reinstate", Permission.OPERATE, reinstate, "Admit a demoted source again",
        body=Because, gives=Reinstated, also=_MISSING,
    ),
    Route(
        "GET", "/v1/quarantine", Permission.READ, quarantine, "Signals that are kept aside, newest first",
        query=Kept, gives=Entries, also=_BAD,
    ),
    Route(
        "GET", ENTRY, Permission.READ, quarantine_entry, "One signal that is kept aside",
        gives=shapes.Quarantined, also=_MISSING,
    ),
    Route(
        "POST", ENTRY + "/replay", Permission.OPERATE, replay, "Send it through the door again",
        body=Replay, gives=Replayed, also=_MISSING,
    ),
    Route(
        "POST", ENTRY + "/discard", Permission.OPERATE, discard, "Discard it for good",
        gives=Discarded, also=_MISSING,
    ),
    Route(
        "POST", "/v1/rehearse", Permission.OPERATE, rehearse,
        "Which verdicts of the past the rules in force would change", body=Rehearse, gives=dict[str, Any],
        also={**_MISSING, 409: None},
    ),
)  # fmt: skip
