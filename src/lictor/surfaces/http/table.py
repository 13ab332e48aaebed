"""Everything that is served. What is not in this table is not there; the authorization matrix test walks it."""

from __future__ import annotations

from lictor.surfaces.dashboard import routes as dashboard

from . import api_audit, api_decisions, api_events, api_keys, api_node, api_steering, cloudevents, login, mcp, webhooks
from .route import Route

ROUTES: tuple[Route, ...] = (
    *api_decisions.ROUTES,
    *api_steering.ROUTES,
    *api_node.ROUTES,
    *api_audit.ROUTES,
    *mcp.ROUTES,
    *api_events.ROUTES,
    *cloudevents.ROUTES,
    *webhooks.ROUTES,
    *api_keys.ROUTES,
    *login.ROUTES,
    *dashboard.ROUTES,
)
