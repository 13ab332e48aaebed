"""API keys: list, make, rotate, revoke. For those who may everything and see everything."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from lictor.surfaces.access.principal import Permission

from .answers import Response, answer
from .route import Asked, Route

Role = Literal["submit", "read", "approve", "operate", "admin"]
#: Letters that can be seen.
Seen = Annotated[str, Meta(pattern="^[ -~\u00a1-\u00ac\u00ae-\u0377]{1,200}$")]
Scope = Annotated[list[Seen], Meta(min_length=1, max_length=100)]
#: Seconds, up to a hundred years.
Span = Annotated[float, Meta(gt=0, le=3_153_600_000)]


class NewKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A key to make."""

    name: Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}$")]
    roles: Annotated[list[Role], Meta(min_length=1)]
    sources: Scope | None = None
    tenants: Scope | None = None
    expires_in_s: Span | None = None


class Rotation(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How a key is followed by another."""

    grace_s: Annotated[float, Meta(ge=0, le=3_153_600_000)] = 86_400.0
    expires_in_s: Span | None = None


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """A key as it is shown: everything but what opens it."""

    id: str
    name: str
    state: str
    roles: list[str]
    sources: list[str] | None
    tenants: list[str] | None
    made_us: int
    by: str
    expires_us: int | None
    revoked_us: int | None


class MadeKey(Key, frozen=True, kw_only=True):
    """With its token, which is nowhere else."""

    token: str


class RotatedKey(MadeKey, frozen=True, kw_only=True):
    """With the one that it follows."""

    old: Key


class Revoked(msgspec.Struct, frozen=True, kw_only=True):
    """What opens nothing any more."""

    revoked: list[Key]
    by: str


async def keys(asked: Asked) -> Response:
    """All keys, the newest first."""
    return answer(await asked.requests.seen_by(asked.principal).ask("keys_list"))


async def make_key(asked: Asked) -> Response:
    """A new key."""
    given: NewKey = asked.body
    fields = {name: getattr(given, name) for name in given.__struct_fields__}
    return answer(await asked.requests.seen_by(asked.principal).ask("keys_make", **fields), 201)


async def rotate_key(asked: Asked) -> Response:
    """A new key like this one, which ends after a time of grace."""
    given: Rotation = asked.body
    told = await asked.requests.seen_by(asked.principal).ask(
        "keys_rotate", what=asked.path["key"], grace_s=given.grace_s, expires_in_s=given.expires_in_s
    )
    return answer(told, 201)


async def revoke_key(asked: Asked) -> Response:
    """A key, or all of a name, opens nothing from now on."""
    return answer(await asked.requests.seen_by(asked.principal).ask("keys_revoke", what=asked.path["key"]))


_NOT_FOUND: dict[int, None] = {404: None}
ROUTES = (
    Route("GET", "/v1/keys", Permission.ADMIN, keys, "All API keys, without what opens them", gives=list[Key]),
    Route(
        "POST", "/v1/keys", Permission.ADMIN, make_key, "Make an API key", body=NewKey, gives=MadeKey, status=201,
    ),
    Route(
        "POST", "/v1/keys/{key}/rotate", Permission.ADMIN, rotate_key, "Let a new key follow this one",
        body=Rotation, gives=RotatedKey, status=201, also=_NOT_FOUND,
    ),
    Route(
        "DELETE", "/v1/keys/{key}", Permission.ADMIN, revoke_key, "Revoke a key, or all of a name",
        gives=Revoked, also=_NOT_FOUND,
    ),
)  # fmt: skip
