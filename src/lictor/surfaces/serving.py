"""Serves a node that is part of a program: HTTP API, dashboard and MCP, on the node's own event loop.

What it takes is loaded when it is used, so that `import lictor` stays free of it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from lictor.node import Node


@dataclass(frozen=True, slots=True)
class Served:
    """A node that is served."""

    node: Node
    #: Where its dashboard and API are.
    url: str

    async def make_key(self, name: str, *roles: str) -> str:
        """A new API key of that name; its text is given here and never again.

        Raises:
            LictorError: the name or a role cannot be had.
        """
        from .requests import Requests

        made = await Requests(self.node).answer("keys_make", {"name": name, "roles": list(roles), "by": "program"})
        return str(made["token"])


@asynccontextmanager
async def serve(
    node: Node, host: str = "127.0.0.1", port: int = 8700, *, cert: Path | None = None, key: Path | None = None
) -> AsyncIterator[Served]:
    """Serve a started node over HTTP while the block runs; port 0 takes a free one.

    Beyond loopback only with a certificate (`cert`, `key`: PEM files).

    Raises:
        DeclarationError: it would be reached from elsewhere in the clear.
        LictorError: the address cannot be had, or the extra `server` is not installed.
    """
    from .http.server import HttpServer

    async with HttpServer(node, host, port, cert=cert, key=key) as server:
        yield Served(node, server.url)
