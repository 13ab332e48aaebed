"""The kill switch: what a halt of a scope would stop, what it did stop, and what is still in flight all the same."""

from __future__ import annotations

import msgspec

from lictor.node import Node
from lictor.steering import check_scope
from lictor.surfaces.access.principal import Principal
from lictor.surfaces.halting import in_flight
from lictor.surfaces.http.answers import Response
from lictor.surfaces.http.route import Asked

from .page import form, page, see, sources_of


class Halting(msgspec.Struct, frozen=True):
    """Which scope is meant; `done` after it was halted or resumed."""

    scope: str = "all"
    done: str = ""


async def halt_page(asked: Asked) -> Response:
    """What would stop, or has stopped, in a scope; and what is halted now."""
    asked_for: Halting = asked.query
    scope = asked_for.scope or "all"
    check_scope(scope)
    return page(
        asked,
        "halt.html",
        scope=scope,
        done=asked_for.done,
        effect=in_flight(asked.node, scope, asked.requests.sight),
        choices=choices(asked.node, asked.principal),
        halted={halt["scope"]: halt for halt in asked.requests.halted()},
    )


async def halt_now(asked: Asked) -> Response:
    """Halt a scope; the page says then what stopped."""
    given = await form(asked)
    scope = given.get("scope", "")
    await asked.requests.answer(
        "halt",
        {
            "scope": scope,
            "by": asked.principal.name,
            "reason": given.get("reason", ""),
            "reduce_only": given.get("mode") == "reduce_only",
        },
    )
    return see("/halt", scope=scope, done="halted")


async def resume_now(asked: Asked) -> Response:
    """Lift a halt."""
    given = await form(asked)
    scope = given.get("scope", "")
    await asked.requests.answer(
        "resume", {"scope": scope, "by": asked.principal.name, "reason": given.get("reason", "")}
    )
    return see("/halt", scope=scope, done="resumed")


def choices(node: Node, principal: Principal) -> list[tuple[str, list[str]]]:
    """Scopes that can be named here, of sources and tenants those that one sees."""
    there = {found.decision.tenant for found in node.journal.state.open.values()} | set(node.app.tenants)
    tenants = sorted(name for name in there if principal.tenants is None or name in principal.tenants)
    groups = [
        ("kind", list(node.app.kinds)),
        ("effector", list(node.app.effectors)),
        ("source", sources_of(node, principal)),
        ("tenant", tenants[:20]),
    ]
    return [(what, [f"{what}:{name}" for name in names]) for what, names in groups if names]
