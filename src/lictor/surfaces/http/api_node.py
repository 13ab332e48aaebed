"""The node itself: what it is, what goes on in it, whether it is well; and the description of all this."""

from __future__ import annotations

from typing import Any, TypedDict

import msgspec

from lictor.surfaces import shapes
from lictor.surfaces.access.principal import Permission

from .answers import Answer, Response, answer
from .route import Asked, Route

METRICS = "text/plain; version=0.0.4; charset=utf-8"


class Alive(TypedDict):
    """Whether a restart would not help."""

    alive: bool


class Ready(TypedDict):
    """Whether work should be sent here, and the codes of why not."""

    ready: bool
    codes: list[str]


class Told(TypedDict):
    """What runs here."""

    app: str
    version: str
    policy: str
    kinds: dict[str, int]
    epoch: int
    open: int
    held: int
    durability: str
    halts: list[shapes.Halted]


class Kinds(TypedDict):
    """The kinds of decisions, each with the JSON schema of its payload where one can be told."""

    kinds: dict[str, Any]


class Effectors(TypedDict):
    """Slots, calls, breakers, extra work, what is in doubt."""

    effectors: list[dict[str, Any]]


async def node(asked: Asked) -> Response:
    """What runs here."""
    return answer(await asked.requests.ask("hello"))


async def kinds(asked: Asked) -> Response:
    """What can be submitted."""
    found: dict[str, Any] = {}
    for name, kind in asked.node.app.kinds.items():
        try:
            schema: Any = msgspec.json.schema(kind.type)
        except TypeError:
            schema = None
        found[name] = {"version": kind.version, "expires_in_s": kind.expires_in_s, "payload": schema}
    return answer({"kinds": found})


async def effectors(asked: Asked) -> Response:
    """What performs actions."""
    return answer({"effectors": await asked.requests.ask("effectors")})


async def quality(asked: Asked) -> Response:
    """The execution-quality index."""
    return answer(await asked.requests.ask("quality"))


async def flow(asked: Asked) -> Response:
    """The six stages."""
    return answer(await asked.requests.ask("flow"))


async def metrics(asked: Asked) -> Response:
    """For Prometheus."""
    return Answer(200, (await asked.requests.ask("metrics")).encode(), METRICS.encode())


async def healthz(asked: Asked) -> Response:
    """200 while a restart would not help."""
    health = asked.node.health()
    return answer({"alive": health.alive}, 200 if health.alive else 503)


async def readyz(asked: Asked) -> Response:
    """200 while work should be sent here."""
    health = asked.node.health()
    codes = [reason.code for reason in health.reasons if reason.takes in {"alive", "ready"}]
    return answer({"ready": health.ready, "codes": codes}, 200 if health.ready else 503)


async def openapi(asked: Asked) -> Response:
    """What can be asked."""
    return Answer(200, asked.site.described(asked.principal))


ROUTES = (
    Route("GET", "/v1/node", Permission.READ, node, "What runs here", gives=Told),
    Route("GET", "/v1/kinds", Permission.SUBMIT, kinds, "What can be submitted", gives=Kinds),
    Route("GET", "/v1/effectors", Permission.READ, effectors, "Slots, calls, breakers, doubts", gives=Effectors),
    Route("GET", "/v1/quality", Permission.READ, quality, "Execution quality, now and by load", gives=dict[str, Any]),
    Route("GET", "/v1/flow", Permission.READ, flow, "The six stages and the bottleneck now", gives=dict[str, Any]),
    Route("GET", "/metrics", Permission.READ, metrics, "Metrics for Prometheus", gives=str, media=METRICS),
    Route(
        "GET", "/healthz", Permission.PUBLIC, healthz, "Whether a restart would not help",
        gives=Alive, also={503: Alive},
    ),
    Route(
        "GET", "/readyz", Permission.PUBLIC, readyz, "Whether work should be sent here",
        gives=Ready, also={503: Ready},
    ),
    Route("GET", "/openapi.json", Permission.PUBLIC, openapi, "This description", gives=dict[str, Any]),
)  # fmt: skip
