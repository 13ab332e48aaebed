"""A node of the guide's App behind a real server on a free port, and a client with a key."""

from __future__ import annotations

import importlib.util
import sys
import tempfile
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
from tests.surfaces.shell import PAYOUTS

from lictor import Node, Settings
from lictor.journal.port import SetGrant
from lictor.records import Grant
from lictor.surfaces.access.secret import hash_of, token_text
from lictor.surfaces.http.server import HttpServer


def payouts():
    """The App of the guide; the tests' own copy."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "served_payouts.py"
        file.write_text(PAYOUTS)
        spec = importlib.util.spec_from_file_location(file.stem, file)
        module = importlib.util.module_from_spec(spec)
        sys.modules[file.stem] = module  # dataclasses look their module up
        spec.loader.exec_module(module)
    return module.app


async def key(node: Node, name: str, *roles: str, sources=None, tenants=None) -> str:
    """A key, made straight in the journal."""
    grant = Grant(
        id=name,
        name=name,
        hash=hash_of(name, "s3cret"),
        roles=roles,
        sources=sources,
        tenants=tenants,
        made_us=node.clock.wall_us(),
        by="test",
    )
    await node._request(SetGrant(grant))
    return token_text(name, "s3cret")


@asynccontextmanager
async def served(app=None, journal: str = "memory:", **settings):
    """A client of a served node; `client.node` and `client.server` are there to be looked at."""
    async with (
        Node(app or payouts(), journal, settings=Settings(tune_collector=False, **settings)) as node,
        HttpServer(node, port=0) as server,
    ):
        token = await key(node, "local", "admin")
        async with client(server, token) as http:
            http.node, http.server = node, server
            yield http


def client(server: HttpServer, token: str | None = None) -> httpx2.AsyncClient:
    """A client with a key, or without."""
    headers = {} if token is None else {"authorization": f"Bearer {token}"}
    return httpx2.AsyncClient(base_url=server.url, headers=headers, timeout=30)
