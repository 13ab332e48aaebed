"""A route: a method and a path, what it takes and gives, and the permission without which nobody gets there."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from lictor.errors import DeclarationError
from lictor.node import Node
from lictor.surfaces.access.principal import Permission, Principal
from lictor.surfaces.requests import Requests

from .answers import Receive, Response, Scope
from .headers import Headers

#: A longer body is refused; a payload has at most a MiB (inputs/limits.py), the rest is for what is around it.
BODY_BYTES_MAX = (1 << 20) + (64 << 10)
JSON = "application/json"


@dataclass(slots=True, eq=False)
class Asked:
    """One request, read as far as its route declares it."""

    node: Node
    requests: Requests
    principal: Principal
    #: The parts of the path that its route names.
    path: dict[str, str]
    #: The route's `query` type; None where it declares none.
    query: Any
    #: The route's `body` type; None where it declares none, or another type of content came.
    body: Any
    headers: Headers
    route: Route
    site: Any
    scope: Scope
    receive: Receive

    async def content(self) -> bytes:
        """The whole body, for routes that read it themselves.

        Raises:
            HttpError: it is larger than the route takes, or too slow.
        """
        from .reading import read_body

        return await read_body(self.headers, self.receive, self.route.body_bytes_max)


@dataclass(frozen=True, slots=True)
class Route:
    """One entry of the table."""

    method: str
    #: `{name}` is one segment, `{name:path}` all that is left.
    path: str
    permission: Permission
    answer: Callable[[Asked], Awaitable[Response]]
    summary: str
    #: Read as JSON before `answer` is called.
    body: type | None = None
    query: type | None = None
    #: What a good answer holds.
    gives: Any = None
    status: int = 200
    #: The type of content of a good answer.
    media: str = JSON
    #: Types of content of bodies that `answer` reads itself, with what each holds.
    takes: dict[str, Any] = field(default_factory=dict)
    #: It also reads bodies of types that it does not name here.
    others: bool = False
    #: Other statuses that it answers with, with what each holds: a type, several, or None for a problem.
    also: dict[int, Any] = field(default_factory=dict)
    #: Headers that it reads, with what each holds.
    headers: dict[str, Any] = field(default_factory=dict)
    body_bytes_max: int = BODY_BYTES_MAX
    #: Left out of OpenAPI: pages, static files, and what is described by a protocol of its own.
    hidden: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.permission, Permission):
            raise DeclarationError(f"{self.method} {self.path} declares no permission", hint="Permission.READ, ...")

    @property
    def name(self) -> str:
        """Unique in the table."""
        return self.answer.__name__
