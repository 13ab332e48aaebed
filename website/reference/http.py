"""Routes of the HTTP API, read from the one table that is served."""

from __future__ import annotations

import importlib
from typing import Any

import msgspec

from website.reference.comments import documented
from website.reference.tables import table


def page() -> str:
    """Every route with its permission, and the fields that go in and come out."""
    routes = list(importlib.import_module("lictor.surfaces.http.table").ROUTES)
    rows = [(f"`{one.method}`", f"`{one.path}`", str(one.permission), one.summary) for one in routes]
    shapes = "\n".join(_shapes(one) for one in routes if _structs(one))
    return f"""# HTTP

Every route that a node serves, from the one table that it serves from. The permission is what the key or session must
have; what is not allowed is refused by default. `GET /openapi.json` says the same to programs. How to use it:
[The HTTP API](../guides/http.md).

{table(("method", "path", "permission", "what it does"), rows)}

## Fields

{shapes}"""


def _structs(route: Any) -> list[tuple[str, type]]:
    given = [(word, getattr(route, name, None)) for word, name in (("query", "query"), ("body", "body"))]
    return [(word, type_) for word, type_ in given if isinstance(type_, type) and issubclass(type_, msgspec.Struct)]


def _shapes(route: Any) -> str:
    text = f"### `{route.method} {route.path}`\n"
    for word, type_ in _structs(route):
        said = documented(type_)
        rows = [
            (
                f"`{one.encode_name}`",
                f"`{_type(one.type)}`",
                "" if one.required else _default(one),
                said.get(one.name, ""),
            )
            for one in msgspec.structs.fields(type_)
        ]
        text += f"\n{word.capitalize()}:\n\n{table(('field', 'type', 'default', ''), rows)}" if rows else ""
    return text


def _default(field: Any) -> str:
    if field.default is not msgspec.NODEFAULT:
        return f"`{field.default!r}`"
    return f"`{field.default_factory()!r}`"


def _type(type_: Any) -> str:
    return type_.__name__ if isinstance(type_, type) and not hasattr(type_, "__args__") else str(type_)
