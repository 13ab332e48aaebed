"""The process that is measured: a node behind HTTP, or a bare Starlette route that does nothing, on the same server.

python -m benchmarks.surfaces.server lictor journal.db      prints {"port": ..., "token": ...}, serves until stdin ends
python -m benchmarks.surfaces.server bare
"""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import uvloop

from benchmarks.scale.fill import GATES
from benchmarks.speed.lictor_arm import build
from lictor import Node, Settings
from lictor.surfaces.http.server import HttpServer, listen
from lictor.surfaces.requests import Requests

SOURCE, TENANT = "load", "acme"


async def token(node: Node, roles: list[str]) -> str:
    """A key as `lictor keys make` makes one."""
    asked = {"name": "-".join(roles), "roles": roles, "by": "benchmark"}
    if roles == ["submit"]:
        asked |= {"sources": [SOURCE], "tenants": [TENANT]}
    made = await Requests(node).answer("keys_make", asked)
    return str(made["token"])


@asynccontextmanager
async def governed(path: Path):
    """A node at its defaults, durability `sync`, with the App of the speed benchmark; its port and keys."""
    async with (
        Node(build(GATES), str(path), settings=Settings(durability="sync")) as node,
        HttpServer(node, port=0) as server,
    ):
        tokens = {"submit": await token(node, ["submit"]), "read": await token(node, ["read"])}
        yield {"port": server.port, **tokens}


@asynccontextmanager
async def bare(_path: Path):
    """A route that reads its body and answers."""
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import JSONResponse
    from starlette.routing import Route
    from uvicorn import Config, Server

    async def nothing(request: Request) -> JSONResponse:
        await request.body()
        return JSONResponse({"ok": True}, 202)

    app = Starlette(routes=[Route("/v1/decisions", nothing, methods=["POST"])])
    listening = listen("127.0.0.1", 0)
    config = Config(app, ws="none", lifespan="off", log_config=None, access_log=False, http="httptools")
    server = Server(config)
    config.load()
    server.lifespan = config.lifespan_class(config)
    await server.startup(sockets=[listening])
    ticking = asyncio.create_task(server.main_loop())
    try:
        yield {"port": listening.getsockname()[1], "submit": "none", "read": "none"}
    finally:
        server.should_exit = True
        ticking.cancel()
        await asyncio.gather(ticking, return_exceptions=True)
        await server.shutdown()


async def serve(what: str, path: Path) -> None:
    """Until whoever started this closes its standard input."""
    arms: dict[str, Any] = {"lictor": governed, "bare": bare}
    async with arms[what](path) as told:
        print(json.dumps(told), flush=True)
        reader = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
        await reader.read()


if __name__ == "__main__":
    uvloop.run(serve(sys.argv[1], Path(sys.argv[2] if len(sys.argv) > 2 else "")))
