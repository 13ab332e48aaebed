"""OpenAPI 3.1 of the HTTP API, made from the table and the types that it names: what is said here is what is done."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from importlib.metadata import version
from typing import Any

import msgspec

from lictor.declarations.kinds import Kind
from lictor.surfaces.access.principal import Permission

from .answers import encode
from .problem import MEDIA, Problem
from .route import JSON, Route

_REF = "#/components/schemas/{name}"
_NAMED = re.compile(r"{(\w+)(?::path)?}")
ABOUT = """Lictor carries out what has been decided: nothing else, and nothing before it was decided.

A verdict is told by status: 202 admitted, held or deferred, 200 with its outcome, 422 refused, 429 and 503 shed, with
Retry-After. What is no verdict is a problem (RFC 9457) with the engine's code. Source and tenant follow from the key.
"""
#: What every route may answer besides its own; 401 and 403 where it asks for a credential.
_ALWAYS = {400: "It was not understood", 406: "Not in this form", 421: "Not served under this name", 500: "A defect"}
_CREDENTIAL = {401: "No good credential was shown", 403: "This credential may not"}
_BODY = {408: "The body came too slowly", 413: "The body is too large", 415: "The body is of another type"}
_SAID = {
    200: "Done", 202: "Under way", 400: "It was not understood", 404: "There is no such thing, or not for you",
    409: "It is not in a state in which that can be done", 422: "Refused", 429: "Shed; come again later",
    503: "Not now; come again later",
}  # fmt: skip
#: Where an answer leads: by the name of a route, the expression that gives the parameter of its path.
_LINKS: dict[str, dict[int, dict[str, str]]] = {
    "submit": {status: {"what": "$response.body#/id"} for status in (200, 202, 422)},
    "cloudevents": {status: {"what": "$response.body#/id"} for status in (202, 422)},
    "list_decisions": {200: {"what": "$response.body#/decisions/0/id"}},
    "outcomes": {200: {"what": "$response.body#/outcomes/0/id"}},
    "quarantine": {200: {"entry": "$response.body#/entries/0/id"}},
    "budgets": {200: {"budget": "$response.body#/limits/0/budget"}},
    "sources": {200: {"source": "$response.body#/sources/0/source"}},
}


def described(routes: Sequence[Route], kinds: Mapping[str, Kind]) -> bytes:
    """The document, as JSON; `kinds` are those that may be submitted, as far as they are told."""
    shown = [route for route in routes if not route.hidden]
    types = [type_ for route in shown for type_ in _types(route)] + [Problem]
    schemas, components = msgspec.json.schema_components(types, ref_template=_REF)
    schema_of = dict(zip(map(repr, types), schemas, strict=True))
    if kinds:
        _tell_kinds(components, kinds)
    paths: dict[str, dict[str, Any]] = {}
    for route in shown:
        operation = _operation(route, schema_of, components, shown)
        paths.setdefault(_NAMED.sub(r"{\1}", route.path), {})[route.method.lower()] = operation
    return encode(
        {
            "openapi": "3.1.0",
            "info": {"title": "Lictor", "version": version("lictor"), "description": ABOUT},
            "paths": paths,
            "components": {
                "schemas": components,
                "securitySchemes": {"key": {"type": "http", "scheme": "bearer", "bearerFormat": "lk_<id>_<secret>"}},
            },
        }
    )


def _tell_kinds(components: dict[str, Any], kinds: Mapping[str, Kind]) -> None:
    """What may be submitted here: each kind, with its payload where its type can be told."""
    known = {name: kind.type for name, kind in kinds.items() if _can_be_told(kind.type)}
    schemas, more = msgspec.json.schema_components([*known.values()], ref_template="#/components/schemas/kind.{name}")
    components |= {f"kind.{name}": schema for name, schema in more.items()}
    submit = components["Submit"]["properties"]
    submit["kind"] = {"enum": [*kinds]}
    if len(known) == len(kinds):
        submit["payload"] = {"anyOf": [*schemas]}


def _can_be_told(type_: type) -> bool:
    try:
        msgspec.json.schema(type_)
    except TypeError:
        return False
    return True


def _types(route: Route) -> list[Any]:
    given = [route.body, route.query, route.gives, *route.takes.values(), *route.headers.values(), *route.also.values()]
    flat = [each for type_ in given for each in (type_ if isinstance(type_, tuple) else (type_,))]
    return [type_ for type_ in flat if type_ is not None]


def _schema(type_: Any, schema_of: dict[str, Any]) -> dict[str, Any]:
    if isinstance(type_, tuple):
        return {"anyOf": [_schema(each, schema_of) for each in type_]}
    found: dict[str, Any] = {"type": "string"} if type_ is str else schema_of[repr(type_)]
    return found


def _operation(
    route: Route, schema_of: dict[str, Any], components: dict[str, Any], shown: Sequence[Route]
) -> dict[str, Any]:
    public = route.permission is Permission.PUBLIC
    found: dict[str, Any] = {
        "operationId": route.name,
        "summary": route.summary,
        "tags": [route.path.split("/")[2] if route.path.startswith("/v1/") else "node"],
        "x-permission": route.permission.value,
        "security": [] if public else [{"key": []}],
        "responses": _responses(route, schema_of, shown),
    }
    if parameters := _parameters(route, schema_of, components):
        found["parameters"] = parameters
    bodies = {**({JSON: route.body} if route.body is not None else {}), **route.takes}
    if bodies:
        content = {media: {"schema": _body(media, schema_of[repr(type_)])} for media, type_ in bodies.items()}
        found["requestBody"] = {"required": True, "content": content}
    return found


def _body(media: str, schema: dict[str, Any]) -> dict[str, Any]:
    """Lines of JSON are text to a schema."""
    return {"type": "string", "description": "One JSON document a line"} if media.endswith("ndjson") else schema


def _parameters(route: Route, schema_of: dict[str, Any], components: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
        for name in _NAMED.findall(route.path)
    ]
    for name, type_ in route.headers.items():
        found.append({"name": name, "in": "header", "required": False, "schema": schema_of[repr(type_)]})
    if route.query is not None:
        declared = components[schema_of[repr(route.query)]["$ref"].rpartition("/")[2]]
        required = declared.get("required", [])
        for name, schema in declared["properties"].items():
            found.append({"name": name, "in": "query", "required": name in required, "schema": _given(schema)})
    return found


def _given(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema of a parameter that is given; one that is not has no value, so none is `null`."""
    schema = {name: value for name, value in schema.items() if name != "default" or value is not None}
    some = [each for each in schema.get("anyOf", ()) if each != {"type": "null"}]
    return some[0] if len(some) == 1 else schema


def _responses(route: Route, schema_of: dict[str, Any], shown: Sequence[Route]) -> dict[str, Any]:
    statuses: dict[int, Any] = dict.fromkeys(_ALWAYS)
    if route.permission is not Permission.PUBLIC:
        statuses |= dict.fromkeys((*_CREDENTIAL, 503))
    if route.body is not None or route.takes:
        statuses |= dict.fromkeys(_BODY)
    if "{" in route.path:
        statuses[404] = None
    statuses |= {**route.also, route.status: route.gives}
    said = {**_SAID, **_ALWAYS, **_CREDENTIAL, **_BODY}
    found: dict[str, Any] = {}
    for status, type_ in sorted(statuses.items()):
        content = {}
        if type_ is not None:
            media = route.media.partition(";")[0] if status == route.status else JSON
            content[media] = {"schema": _schema(type_, schema_of)}
            if route.name == "submit" and status == 200:  # noqa: PLR2004 - the answer to a stream of lines
                content["application/x-ndjson"] = {"schema": {"type": "string"}}
        if type_ is None or status >= 422:  # noqa: PLR2004 - also told as a problem
            content[MEDIA.decode()] = {"schema": schema_of[repr(Problem)]}
        found[str(status)] = {"description": said.get(status) or HTTPStatus(status).phrase, "content": content}
        if status in {429, 503}:
            found[str(status)]["headers"] = {"Retry-After": {"schema": {"type": "integer", "minimum": 1}}}
        if links := _links(route, status, shown):
            found[str(status)]["links"] = links
    return found


def _links(route: Route, status: int, shown: Sequence[Route]) -> dict[str, Any]:
    given = _LINKS.get(route.name, {}).get(status, {})
    return {
        other.name: {"operationId": other.name, "parameters": {f"path.{name}": expression}}
        for name, expression in given.items()
        for other in shown
        if _NAMED.findall(other.path) == [name]
    }
