"""Budgets: what is limited, used, reserved and left; a person can set another limit, and lift a latch."""

from __future__ import annotations

from typing import Any

from lictor.surfaces.http.answers import Response
from lictor.surfaces.http.route import Asked

from .page import form, page, see


async def budgets_page(asked: Asked) -> Response:
    """All scopes that may be seen, the fullest first within each budget."""
    node = asked.node
    told = await asked.requests.answer("limits", {})
    budgets: dict[str, list[dict[str, Any]]] = {name: [] for name in node.app.balances}
    for row in told["limits"]:
        limit = float(row["limit"])
        used = (float(row["settled"]) + float(row["reserved"])) / limit if limit else 1.0
        budgets.setdefault(row["budget"], []).append({**row, "used_share": max(0.0, min(1.0, used))})
    for found in budgets.values():
        found.sort(key=lambda row: -row["used_share"])
    return page(
        asked,
        "budgets.html",
        budgets=budgets,
        declared=node.app.balances,
        rates=list(node.app.rates.values()),
        tokens=asked.requests.flow.read()["waiting"]["tokens"] if asked.requests.sight.whole else {},
    )


async def set_limit(asked: Asked) -> Response:
    """Another limit for one scope, from now on."""
    given = await form(asked)
    await asked.requests.answer(
        "set_limit",
        {
            "budget": given.get("budget", ""),
            "scope": given.get("scope", "all"),
            "limit": given.get("limit", ""),
            "reset_latch": given.get("reset_latch") == "yes",
            "by": asked.principal.name,
        },
    )
    return see("/budgets")
