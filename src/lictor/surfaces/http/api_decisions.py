"""Decisions: submit, look."""

from __future__ import annotations

from typing import Any

import msgspec

from lictor.surfaces import asks
from lictor.surfaces.access.principal import Permission

from .answers import Response, answer
from .route import Asked, Route


class Submit(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One decision as its source sends it."""

    kind: str
    payload: Any
    source: str | None = None
    tenant: str | None = None
    key: str | None = None


async def submit(asked: Asked) -> Response:
    """One decision, judged."""
    body: Submit = asked.body
    principal = asked.principal
    told = await asked.requests.answer(
        "submit",
        {
            "kind": body.kind,
            "payload": body.payload,
            "key": body.key,
            "source": principal.source_for(body.source),
            "tenant": principal.tenant_for(body.tenant),
        },
    )
    return answer(told, 202)


async def show(asked: Asked) -> Response:
    """One decision's story."""
    return answer(await asked.requests.answer("show", {"what": asked.path["what"]}))


ROUTES = (
    Route("POST", "/v1/decisions", Permission.SUBMIT, submit, "Submit one decision", body=Submit, status=202),
    Route("GET", "/v1/decisions/{what}", Permission.READ, show, "One decision and its story", gives=asks.Show),
)
