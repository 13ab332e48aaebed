"""Everything that is served. What is not in this table is not there; the authorization matrix test walks it."""

from __future__ import annotations

from . import api_decisions, api_keys, api_node, login, mcp, webhooks
from .route import Route

ROUTES: tuple[Route, ...] = (
    *api_decisions.ROUTES,
    *api_node.ROUTES,
    *webhooks.ROUTES,
    *api_keys.ROUTES,
    *login.ROUTES,
    *mcp.ROUTES,
)
