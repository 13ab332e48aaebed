"""Decisions: submit, list, look, answer, cancel, resolve; and the outcome feed."""

from __future__ import annotations

import asyncio
from contextlib import aclosing, suppress
from typing import Annotated, Any, Literal, TypedDict

import msgspec
from msgspec import Meta

from lictor.steering import STANDING_S_MAX
from lictor.surfaces import asks, shapes
from lictor.surfaces.access.principal import Permission

from . import submitting
from .answers import Response, answer
from .ndjson import NDJSON, many
from .route import Asked, Route
from .submitting import Amount, Id, Key, Name, Query, Submit, Waiting

Limit = Annotated[int, Meta(ge=1, le=1_000)]
Reason = Annotated[str, Meta(max_length=2_000)]


class Filters(Query, frozen=True, kw_only=True):
    """Which decisions; `after` is the last id of the page before."""

    state: Name | None = None
    kind: Name | None = None
    tenant: Name | None = None
    source: Name | None = None
    code: Name | None = None
    key: Key | None = None
    open: bool = False
    after: Id | None = None
    limit: Limit = 50


class Tenant(Query, frozen=True, kw_only=True):
    """Whose key it is, where several tenants have it."""

    tenant: Name | None = None


class Feed(Query, frozen=True, kw_only=True):
    """From a cursor on; with `wait_s` it is waited for news where there are none."""

    source: Name | None = None
    after: Annotated[int, Meta(ge=0, le=(1 << 62) - 1)] = 0
    limit: Limit = 100
    wait_s: Annotated[float, Meta(ge=0, le=60)] = 0.0


class Because(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Why."""

    reason: Reason = ""


class Approval(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Why, and for which gate where several hold it."""

    reason: Reason = ""
    gate: Name | None = None


class Approving(Approval, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The same; with `again_for_s` the same content of the same source is approved for so long."""

    again_for_s: Annotated[float, Meta(gt=0, le=STANDING_S_MAX)] | None = None


class Stood(Query, frozen=True, kw_only=True):
    """How many at most."""

    limit: Limit = 100


class Whose(Tenant, frozen=True, kw_only=True):
    """Which gate's, all unless given; and whose key it is, where several tenants have it."""

    gate: Name | None = None


class News(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What became of an action. `settled` is what was truly used, by balance; `report` makes the news count once."""

    result: Literal["succeeded", "failed", "cancelled", "expired", "absent"]
    code: Name | None = None
    value: Any = None
    settled: dict[str, Amount] = {}
    ordinal: Annotated[int, Meta(ge=0, le=1_000_000)] = 0
    report: Key | None = None


class Page(TypedDict):
    """Decisions, newest first; `next` is the `after` of the next page, null on the last."""

    decisions: list[shapes.Decision]
    next: str | None


class Story(TypedDict):
    """A decision's story: entries in order, and the same as lines to read."""

    decision: str
    id: int
    entries: list[dict[str, Any]]
    lines: list[str]


class Stands(TypedDict):
    """What stands, the newest first."""

    standing: list[shapes.Standing]


class Cancelled(TypedDict):
    """`cancelled`: it had not started and has ended. `asked`: it had, and its effectors are asked."""

    id: str
    cancelled: bool
    asked: bool


class Resolved(TypedDict):
    """`new`: false where it was known, or had ended."""

    what: str
    result: str
    new: bool


class Outcomes(TypedDict):
    """Outcomes, oldest first, and the cursor to go on after."""

    outcomes: list[shapes.FeedRow]
    after: int


async def submit(asked: Asked) -> Response:
    """One decision, judged."""
    if asked.body is None:
        return await many(asked)
    key = asked.headers.raw.get(b"idempotency-key")
    signal = await submitting.signal_of(
        asked, asked.body, None if key is None else submitting.key_of(key.decode("latin-1"))
    )
    wait_s, headers = submitting.wait_of(asked)
    handle = await asked.node.submit(signal)
    return submitting.judged(await asked.requests.submitted(handle, wait_s), headers)


async def list_decisions(asked: Asked) -> Response:
    """A page of decisions."""
    q: Filters = asked.query
    rows = await asked.requests.ask(
        "list",
        state=q.state,
        kind=q.kind,
        tenant=q.tenant,
        source=q.source,
        code=q.code,
        key=q.key,
        open_only=q.open,
        before=q.after,
        limit=q.limit,
    )
    page: Page = {"decisions": rows, "next": rows[-1]["id"] if len(rows) == q.limit else None}
    return answer(page)


async def show_decision(asked: Asked) -> Response:
    """One decision's story."""
    return answer(await asked.requests.ask("show", what=asked.path["what"], tenant=asked.query.tenant))


async def approve(asked: Asked) -> Response:
    """Yes."""
    return await _answered(asked, approved=True)


async def deny(asked: Asked) -> Response:
    """No."""
    return await _answered(asked, approved=False)


async def _answered(asked: Asked, *, approved: bool) -> Response:
    body: Approval = asked.body
    for_s = body.again_for_s if isinstance(body, Approving) else None
    what, tenant = asked.path["what"], asked.query.tenant
    given = {"what": what, "tenant": tenant, "approved": approved, "gate": body.gate, "reason": body.reason}
    return answer(await asked.requests.ask("approve", **given, again_for_s=for_s))


async def standing(asked: Asked) -> Response:
    """What stands."""
    return answer({"standing": await asked.requests.ask("standing", limit=asked.query.limit)})


async def withdraw(asked: Asked) -> Response:
    """Ask a person again."""
    q: Whose = asked.query
    return answer(await asked.requests.ask("withdraw", what=asked.path["what"], gate=q.gate, tenant=q.tenant))


async def cancel(asked: Asked) -> Response:
    """Ask to cancel."""
    what, tenant = asked.path["what"], asked.query.tenant
    return answer(await asked.requests.ask("cancel", what=what, tenant=tenant, reason=asked.body.reason))


async def resolve(asked: Asked) -> Response:
    """News of an action."""
    body: News = asked.body
    given = {name: getattr(body, name) for name in body.__struct_fields__}
    return answer(await asked.requests.ask("resolve", what=asked.path["what"], tenant=asked.query.tenant, **given))


async def outcomes(asked: Asked) -> Response:
    """What became of decisions."""
    q: Feed = asked.query
    ask = asks.Outcomes(source=q.source, after=q.after, limit=q.limit)
    rows, after = await asked.requests.outcomes(ask)
    if not rows and q.wait_s and after == q.after:
        with suppress(TimeoutError):
            async with asyncio.timeout(q.wait_s):
                await _news(asked, ask)
        rows, after = await asked.requests.outcomes(ask)
    found: Outcomes = {"outcomes": rows, "after": after}
    return answer(found)


async def _news(asked: Asked, ask: asks.Outcomes) -> None:
    """Until there is one after the cursor."""
    async with aclosing(asked.node.follow_outcomes(ask.source, after=ask.after)) as following:  # type: ignore[type-var]
        async for _ in following:
            return


ONE = "/v1/decisions/{what}"
#: A key or an id that names nothing, several, or what is not in that state.
_MISSING = {404: None, 409: None}
_BAD = {400: None}

ROUTES = (
    Route(
        "POST", "/v1/decisions", Permission.SUBMIT, submit,
        "Submit one decision (JSON), or many, one a line (NDJSON), each answered by a line as soon as it is judged",
        body=Submit, query=Waiting, gives=shapes.Submitted, status=202, takes={NDJSON: Submit},
        headers={"Idempotency-Key": Key, "Prefer": str},
        also={200: shapes.Submitted, 422: shapes.Submitted, 429: shapes.Submitted, 503: shapes.Submitted, 404: None},
    ),
    Route(
        "GET", "/v1/decisions", Permission.READ, list_decisions, "List decisions, newest first",
        query=Filters, gives=Page, also=_BAD,
    ),
    Route(
        "GET", ONE, Permission.READ, show_decision, "One decision, by id or key, and its story",
        query=Tenant, gives=Story, also={**_BAD, **_MISSING},
    ),
    Route(
        "POST", ONE + "/approve", Permission.APPROVE, approve, "Approve what a gate holds",
        body=Approving, query=Tenant, gives=shapes.Answered, also={**_BAD, **_MISSING},
    ),
    Route(
        "POST", ONE + "/deny", Permission.APPROVE, deny, "Deny what a gate holds",
        body=Approval, query=Tenant, gives=shapes.Answered, also={**_BAD, **_MISSING},
    ),
    Route(
        "GET", "/v1/standing", Permission.READ, standing, "What is approved again without asking, and until when",
        query=Stood, gives=Stands, also=_BAD,
    ),
    Route(
        "DELETE", "/v1/standing/{what}", Permission.APPROVE, withdraw,
        "Withdraw what stands for the content and source of a decision",
        query=Whose, gives=shapes.Withdrawn, also={**_BAD, **_MISSING},
    ),
    Route(
        "POST", ONE + "/cancel", Permission.OPERATE, cancel, "Ask to cancel a decision",
        body=Because, query=Tenant, gives=Cancelled, also={**_BAD, **_MISSING},
    ),
    Route(
        "POST", ONE + "/resolve", Permission.OPERATE, resolve, "Bring news of an action that is pending or in doubt",
        body=News, query=Tenant, gives=Resolved, also={**_BAD, **_MISSING},
    ),
    Route(
        "GET", "/v1/outcomes", Permission.READ, outcomes, "What became of decisions, from a cursor on",
        query=Feed, gives=Outcomes, also=_BAD,
    ),
)  # fmt: skip
