"""The node itself: alive, ready, metrics."""

from __future__ import annotations

from lictor.surfaces.access.principal import Permission

from .answers import Response, answer
from .route import Asked, Route


async def healthz(asked: Asked) -> Response:
    """200 while a restart would not help."""
    health = asked.node.health()
    return answer({"alive": health.alive}, 200 if health.alive else 503)


async def readyz(asked: Asked) -> Response:
    """200 while work should be sent here."""
    health = asked.node.health()
    return answer({"ready": health.ready}, 200 if health.ready else 503)


ROUTES = (
    Route("GET", "/healthz", Permission.PUBLIC, healthz, "Whether a restart would not help"),
    Route("GET", "/readyz", Permission.PUBLIC, readyz, "Whether work should be sent here"),
)
