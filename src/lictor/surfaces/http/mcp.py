"""MCP over streamable HTTP: POST /mcp, behind the door. Stateless: what a call needs is in it and in the journal.

Each request is served by a server of its own, made for the principal that asks; nothing is kept between requests, so
that a client may come back to another process, and the end of a connection ends nothing but the connection.
"""

from __future__ import annotations

from lictor.errors import DeniedError
from lictor.surfaces.access.principal import Permission, Principal
from lictor.surfaces.mcp.calls import Caller, Calls
from lictor.surfaces.mcp.server import server_of

from .answers import Receive, Response, Scope, Send
from .route import BODY_BYTES_MAX, Asked, Route


async def mcp(asked: Asked) -> Response:
    """One message of a client."""
    principal = asked.principal
    if principal.session is not None:
        raise DeniedError("a browser's session does not speak MCP", hint="send a key: Authorization: Bearer lk_...")
    server = server_of(Calls(asked.requests.seen_by(principal).ask, _caller(principal)))
    from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

    manager = StreamableHTTPSessionManager(
        server, json_response=True, stateless=True, max_request_body_size=asked.route.body_bytes_max
    )

    async def respond(scope: Scope, receive: Receive, send: Send) -> None:
        async with manager.run():
            await manager.handle_request(scope, receive, send)

    return respond


def _caller(principal: Principal) -> Caller:
    """A key of one source decides as that; a key of none as itself. One of several must say which, which MCP cannot."""
    return Caller(source=principal.source_for(None), tenant=principal.tenant_for(None))


ROUTES: tuple[Route, ...] = (
    Route(
        "POST",
        "/mcp",
        Permission.SUBMIT,
        mcp,
        "Tools over the Model Context Protocol",
        body_bytes_max=BODY_BYTES_MAX,
        hidden=True,
    ),
)
