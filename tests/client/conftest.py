"""A node behind a real server, in a thread of its own where the client is sync."""

from __future__ import annotations

import asyncio
import threading
from contextlib import ExitStack, asynccontextmanager, contextmanager

import pytest
from tests.surfaces.http.served import key, payouts

from lictor import Node, Settings
from lictor.client import AsyncClient, Client, Patience
from lictor.surfaces.http.server import HttpServer

QUICK = Patience(tries_max=4, base_s=0.001)


@asynccontextmanager
async def node_served(journal: str = "memory:", port: int = 0):
    """A node, its server, and a key that may do everything."""
    async with (
        Node(payouts(), journal, settings=Settings(tune_collector=False)) as node,
        HttpServer(node, port=port) as server,
    ):
        yield node, server, await key(node, "local", "admin")


@contextmanager
def beside():
    """A node in a loop and a thread of its own; gives its URL and key, and a way to run something in its loop."""
    ready: dict = {}
    up, end = threading.Event(), asyncio.Event()

    async def main() -> None:
        ready["loop"] = asyncio.get_running_loop()
        async with node_served() as (node, server, token):
            ready.update(node=node, server=server, token=token)
            up.set()
            await end.wait()

    thread = threading.Thread(target=asyncio.run, args=(main(),))
    thread.start()
    try:
        assert up.wait(30)
        yield ready
    finally:
        ready["loop"].call_soon_threadsafe(end.set)
        thread.join(30)


@pytest.fixture(scope="module")
def served():
    with beside() as ready:
        yield ready


@pytest.fixture
def made(served):
    """Makes a client with a key of its own: a name, roles, scopes."""
    with ExitStack() as closing:

        def make(name: str, *roles: str, **scopes) -> Client:
            made = key(served["node"], name, *roles, **scopes)
            token = asyncio.run_coroutine_threadsafe(made, served["loop"]).result(10)
            return closing.enter_context(Client(served["server"].url, key=token, patience=QUICK))

        yield make


@pytest.fixture
def client(served):
    with Client(served["server"].url, key=served["token"], patience=QUICK) as made:
        made.set_limit("cash", 1_000_000, scope="default")
        yield made


@asynccontextmanager
async def calling(server: HttpServer, token: str, **options):
    async with AsyncClient(server.url, key=token, **{"patience": QUICK} | options) as made:
        yield made
