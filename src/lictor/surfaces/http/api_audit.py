"""What proves the history: checkpoints, and the proof of a decision, which `lictor verify` checks without a node."""

from __future__ import annotations

from typing import Annotated, Any, TypedDict

from msgspec import Meta

from lictor.surfaces import shapes
from lictor.surfaces.access.principal import Permission

from .answers import Response, answer
from .route import Asked, Route
from .submitting import Name, Query

Size = Annotated[int, Meta(ge=0, le=(1 << 62) - 1)]


class Wanted(Query, frozen=True, kw_only=True):
    """With `content` also what the facts say, for the role admin."""

    tenant: Name | None = None
    content: bool = False


class Page(Query, frozen=True, kw_only=True):
    """`after` is the last number of the page before."""

    after: Annotated[int, Meta(ge=1, le=(1 << 62) - 1)] | None = None
    limit: Annotated[int, Meta(ge=1, le=1_000)] = 100


class Growth(Query, frozen=True, kw_only=True):
    """Two sizes of the history."""

    old: Size
    new: Size


class Checkpoints(TypedDict):
    """Signed checkpoints, newest first."""

    checkpoints: list[shapes.Checkpoint]


async def audit(asked: Asked) -> Response:
    """How far history is proved, and by which keys."""
    return answer(await asked.requests.ask("audit"))


async def proof(asked: Asked) -> Response:
    """That a decision is in the history that was signed."""
    query = asked.query
    what = asked.path["what"]
    return answer(await asked.requests.ask("proof", what=what, tenant=query.tenant, content=query.content))


async def checkpoints(asked: Asked) -> Response:
    """Signed checkpoints."""
    query = asked.query
    return answer({"checkpoints": await asked.requests.ask("checkpoints", before=query.after, limit=query.limit)})


async def consistency(asked: Asked) -> Response:
    """That one history grew from another."""
    return answer(await asked.requests.ask("consistency", old=asked.query.old, new=asked.query.new))


ROUTES = (
    Route("GET", "/v1/audit", Permission.READ, audit, "How far history is proved", gives=shapes.Audit),
    Route(
        "GET", "/v1/decisions/{what}/proof", Permission.READ, proof, "The proof of a decision, for `lictor verify`",
        query=Wanted, gives=dict[str, Any],
    ),
    Route(
        "GET", "/v1/checkpoints", Permission.READ, checkpoints, "Signed checkpoints of history, newest first",
        query=Page, gives=Checkpoints,
    ),
    Route(
        "GET", "/v1/checkpoints/consistency", Permission.READ, consistency, "That one history grew from another",
        query=Growth, gives=shapes.Consistency, also={404: None},
    ),
)  # fmt: skip
