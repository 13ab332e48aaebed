"""The first page: the six stages as one picture, and what holds things up."""

from __future__ import annotations

from lictor.surfaces.http.answers import Response
from lictor.surfaces.http.route import Asked

from .page import page, whole


async def flow_page(asked: Asked) -> Response:
    """Six stages, rates, waits, refusals, outcomes."""
    whole(asked)
    flow = asked.requests.flow.read()
    return page(asked, "flow.html", flow=flow, quality=asked.node.quality())
