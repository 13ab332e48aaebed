"""The ASGI application: finds the route, asks the door who it is, reads what the route declares, and lets it answer.

In this order, and each with its own status: 421 not under this name, 404 no such path, 405 not with this method, 401
nobody, 403 not with this credential, 406 not in this form, 415 and 413 not with this body, 400 not understood. Of one
who shows nothing and wants a page, 401 is a way to the log-in.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from typing import Any
from urllib.parse import parse_qsl

import msgspec
import msgspec.inspect

from lictor.declarations.plain import told
from lictor.errors import LictorError
from lictor.node import Node
from lictor.surfaces.access.csrf import SAFE
from lictor.surfaces.access.door import Door
from lictor.surfaces.access.principal import Permission, Principal
from lictor.surfaces.requests import Requests

from .answers import JSON as JSON_MEDIA
from .answers import WHOLE, Answer, Receive, Response, Scope, Send
from .crossing import crossed
from .decoding import decode
from .events import Hub
from .headers import Headers, doubled, media_of
from .login import asks_for_page, not_served, to_login
from .openapi import described
from .paths import Paths
from .problem import HttpError, defect, problem
from .reading import read_body
from .route import JSON, Asked, Route

#: Who comes without a credential to what is public.
NOBODY = Principal(name="", permissions=frozenset())


class Site:
    """Serves one node."""

    def __init__(self, node: Node, door: Door, routes: Iterable[Route]) -> None:
        self.node = node
        self.door = door
        self.routes = tuple(routes)
        self.requests = Requests(node)
        self.events = Hub(node)
        self._described: dict[bool, bytes] = {}
        self._paths = Paths(self.routes)
        self._decoders: dict[type, msgspec.json.Decoder[Any]] = {
            route.body: msgspec.json.Decoder(route.body) for route in self.routes if route.body is not None
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            raise RuntimeError(f"{scope['type']} is not served")
        response: Response
        try:
            response = await self._answer(scope, receive)
        except LictorError as error:
            response = problem(error)
        except Exception as error:  # noqa: BLE001 - whatever it is, the one who asked is told, and the node goes on
            self.defect(scope, error)
            response = problem(defect())
        if type(response) is Answer and response.media is JSON_MEDIA:  # by far the most frequent, and sets none itself
            response.headers += self.door.guard.pairs
            whole = scope.get("extensions", {}).get(WHOLE)
            if whole is None or not whole(response):
                await response(scope, receive, send)
        else:
            await response(scope, receive, self.door.guard.around(send))

    def defect(self, scope: Scope, error: Exception) -> None:
        """Log what should not have happened."""
        self.node.pipeline.monitoring.note("http_defect", path=scope["path"], error=told(error))

    def described(self, principal: Principal) -> bytes:
        """The OpenAPI document; who shows no credential is not told of the App's kinds."""
        known = bool(principal.permissions)
        found = self._described.get(known)
        if found is None:
            found = self._described[known] = described(self.routes, self.node.app.kinds if known else {})
        return found

    async def _answer(self, scope: Scope, receive: Receive) -> Response:
        pairs = scope["headers"]
        headers = Headers(pairs)
        if not self.door.guard.serves(headers.raw.get(b"host")):
            raise not_served(headers.raw.get(b"host"))
        methods, path = self._paths.find(scope["path"], scope["raw_path"])
        method: str = scope["method"]
        route = methods.get("GET" if method == "HEAD" else method)
        if route is None:
            raise _nowhere(scope["path"], method, methods)
        if len(headers.raw) != len(pairs) and (twice := doubled(pairs)) is not None:
            raise HttpError(400, "MALFORMED", f"the header {twice.decode('latin-1')} came twice")
        principal = self._principal(route, headers)
        if principal is None:
            if asks_for_page(method, headers):
                return to_login(scope["path"], scope["query_string"])
            raise _unauthenticated()
        if principal.session is not None and method not in SAFE:
            receive = await crossed(principal, headers, receive)
        if b"accept" in headers.raw and not route.hidden:
            _acceptable(headers.raw[b"accept"], route)
        query = None
        if route.query is not None:
            query = _query(scope["query_string"], route.query) if scope["query_string"] else _unasked(route.query)
        body = None
        if route.body is not None or route.takes:
            body = await self._body(route, headers, receive)
        requests = self.requests.seen_by(principal)
        asked = Asked(self.node, requests, principal, path, query, body, headers, route, self, scope, receive)
        return await route.answer(asked)

    def _principal(self, route: Route, headers: Headers) -> Principal | None:
        """Who asks, and may; None for nobody where somebody is needed."""
        raw = headers.raw
        cookies = headers.cookies() if b"cookie" in raw else {}
        shown = b"authorization" in raw or bool(cookies)
        principal = self.door.principal(headers, cookies) if shown else None
        if principal is None:
            return NOBODY if route.permission is Permission.PUBLIC else None
        if not principal.may(route.permission):
            raise HttpError(
                403,
                "FORBIDDEN",
                f"{principal.name} may not {route.permission.value}",
                hint=f"use a key that has the role {route.permission.value}",
            )
        return principal

    async def _body(self, route: Route, headers: Headers, receive: Receive) -> Any:
        """The body where it is declared as JSON; None where the route reads it itself."""
        media = media_of(headers.raw.get(b"content-type"))
        if route.body is None or (media in route.takes and media != JSON):
            if media in route.takes or route.others:
                return None
        elif media == JSON or media is None:
            body = await read_body(headers, receive, route.body_bytes_max)
            return decode(self._decoders[route.body], body, "the body is not what this takes")
        wanted = [*([JSON] if route.body is not None else []), *route.takes]
        raise HttpError(
            415,
            "MEDIA_TYPE",
            f"{media or 'no type of content'} is not read here",
            hint=f"send {' or '.join(dict.fromkeys(wanted))}",
            headers=((b"accept", ", ".join(dict.fromkeys(wanted)).encode()),),
        )


def _acceptable(given: bytes, route: Route) -> None:
    """Refuse who takes nothing that the route gives.

    Raises:
        HttpError: 406.
    """
    if b"*/*" in given:
        return
    gives = {route.media.partition(";")[0], *(media for media in route.takes if media.endswith("ndjson"))}
    gives |= {f"{media.partition('/')[0]}/*" for media in gives}
    wanted = {part.partition(";")[0].strip().lower() for part in given.decode("latin-1").split(",")}
    if not gives & wanted and "application/problem+json" not in wanted:
        raise HttpError(406, "NOT_ACCEPTABLE", f"this gives {route.media}", hint="ask for that, or for */*")


def _query(text: bytes, type_: type) -> Any:
    """The query as the route declares it; what it does not know is refused."""
    given: dict[str, str] = {}
    texts = _texts(type_)
    try:
        for name, value in parse_qsl(text.decode("ascii"), keep_blank_values=True, errors="strict"):
            if name in given:
                raise HttpError(400, "MALFORMED", f"the parameter {name!r:.80} came twice")
            if name not in texts and _PLAIN.fullmatch(value) is None:
                raise HttpError(400, "MALFORMED", f"the parameter {name!r:.80} is no number, true or false")
            given[name] = value
        return msgspec.convert(given, type_, strict=False)
    except (msgspec.ValidationError, UnicodeError, ValueError) as error:
        raise HttpError(400, "MALFORMED", f"the query is not what this takes: {error}") from None


@cache
def _unasked(type_: type) -> Any:
    """The query where none was sent: the same for all."""
    return _query(b"", type_)


#: What is no text, as JSON writes it.
_PLAIN = re.compile(r"-?[0-9]{1,40}([.][0-9]{1,40})?([eE][+-]?[0-9]{1,3})?|true|false")


@cache
def _texts(type_: type) -> frozenset[str]:
    """The parameters that are text."""
    info = msgspec.inspect.type_info(type_)
    fields = info.fields if isinstance(info, msgspec.inspect.StructType) else ()
    found = set()
    for each in fields:
        some = each.type.types if isinstance(each.type, msgspec.inspect.UnionType) else (each.type,)
        if any(isinstance(one, msgspec.inspect.StrType | msgspec.inspect.LiteralType) for one in some):
            found.add(each.encode_name)
    return frozenset(found)


def _unauthenticated() -> HttpError:
    return HttpError(
        401,
        "UNAUTHENTICATED",
        "no good credential was shown",
        hint="send the header Authorization: Bearer lk_..., with a key from `lictor keys make`",
        headers=((b"www-authenticate", b'Bearer realm="lictor"'),),
    )


def _nowhere(path: str, method: str, methods: dict[str, Route]) -> HttpError:
    if not methods:
        return HttpError(404, "NOT_FOUND", f"there is nothing at {path:.200}", hint="/openapi.json says what there is")
    allowed = sorted({*methods, *(["HEAD"] if "GET" in methods else [])})
    return HttpError(
        405,
        "METHOD",
        f"{path:.200} does not take {method}",
        hint=f"it takes {', '.join(allowed)}",
        headers=((b"allow", ", ".join(allowed).encode()),),
    )


def site(node: Node, door: Door, routes: Iterable[Route] | None = None) -> Site:
    """The application of a node; with all routes of the table where no others are given."""
    if routes is None:
        from .table import ROUTES

        routes = ROUTES
    return Site(node, door, routes)
