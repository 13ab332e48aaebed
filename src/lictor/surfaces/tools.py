"""The kinds of an App as tools: what a model is shown of each. Reads declarations and nothing else."""

from __future__ import annotations

import inspect
import re
from typing import Any

import msgspec

from lictor.app import App
from lictor.declarations.kinds import Kind

#: What a tool may be called in the protocols that models speak.
_NAME = re.compile(r"[^A-Za-z0-9_-]")
_NAME_MAX = 64


def tools_of(app: App) -> list[dict[str, Any]]:
    """Each kind with its name as a tool, what it says of itself, the schema of its arguments, and hints."""
    found: dict[str, dict[str, Any]] = {}
    for kind in app.kinds.values():
        name = _NAME.sub("_", kind.name)[:_NAME_MAX]
        while name in found:
            name = f"{name[: _NAME_MAX - 1]}_"
        found[name] = {"name": name, "kind": kind.name, **_shown(app, kind)}
    return list(found.values())


def _shown(app: App, kind: Kind) -> dict[str, Any]:
    governed = app.governed.get(kind.name)
    if governed is not None:
        return {
            "description": governed.__doc__ or "",
            "schema": governed.signature.schema(),
            "reads_only": governed.reads_only,
            "idempotent": governed.effector.idempotent,
        }
    return {
        "description": _described(kind.type),
        "schema": schema_of(kind.type),
        "reads_only": False,
        "idempotent": False,
    }


def _described(type_: type) -> str:
    text = inspect.getdoc(type_) or ""
    return "" if text.startswith(f"{type_.__name__}(") else text  # made by @dataclass, says nothing


def schema_of(type_: type) -> dict[str, Any]:
    """JSON Schema of a kind's type: one object, with definitions inside."""
    pydantic = getattr(type_, "model_json_schema", None)
    if pydantic is not None:
        schema: dict[str, Any] = pydantic()
        return schema
    ((found,), parts) = msgspec.json.schema_components((type_,), ref_template="#/$defs/{name}")
    whole = parts.pop(found["$ref"].rpartition("/")[2]) if "$ref" in found else found
    return {**whole, "$defs": parts} if parts else whole
