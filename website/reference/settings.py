"""Settings of a node."""

from __future__ import annotations

from dataclasses import fields

from lictor.config import Settings
from website.reference.comments import documented
from website.reference.tables import table


def page() -> str:
    """Every setting with its default."""
    said = documented(Settings)
    rows = [(f"`{one.name}`", f"`{one.type}`", f"`{one.default!r}`", said[one.name]) for one in fields(Settings)]
    return f"""# Settings

A node is given them: `Node(app, "payouts.db", settings=Settings(durability="journal"))`. Nothing is global and nothing
is read from the environment. What follows from each trade-off: [Three trade-offs](../guides/tradeoffs.md).

{table(("setting", "type", "default", "what it does"), rows)}"""
