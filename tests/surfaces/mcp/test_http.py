"""MCP over streamable HTTP, behind the door, with the official client on real sockets."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from types import SimpleNamespace

import httpx2
import pytest
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client
from tests.surfaces.http.served import key, served
from tests.surfaces.mcp import conversation as agent

from lictor.errors import DeniedError
from lictor.surfaces.access.principal import Permission, Principal
from lictor.surfaces.http.mcp import mcp
from lictor.surfaces.loading import load


@asynccontextmanager
async def agent_of(http, token: str, mode: str = "auto"):
    """The official client with a key."""
    async with httpx2.AsyncClient(headers={"authorization": f"Bearer {token}"}, timeout=60) as carrier:
        transport = streamable_http_client(f"{http.server.url}/mcp", http_client=carrier)
        async with Client(transport, mode=mode) as client:
            yield client


@pytest.mark.parametrize("mode", ["auto", "legacy"])
def test_an_agent_with_a_key(office, monkeypatch, mode):
    async def main():
        async with served(load("office:app")) as http:
            token = await key(http.node, "agent-7", "submit")

            async def approve(decision):
                await http.node.approve(decision, by="eva")

            async with agent_of(http, token, mode) as client:
                await agent.lists_tools(client)
                await agent.calls_once(client, office)
                await agent.is_refused(client)
                await agent.is_held_then_approved(client, office, approve)
                await agent.outlives_a_time_out(client, office)
            rows = await http.node.outcomes("agent-7")
            assert rows, "the source is the key's, not what a call says"

    asyncio.run(main())


def test_what_another_has_decided_is_not_there(office):
    async def main():
        async with served(load("office:app")) as http:
            mine, other = await key(http.node, "mine", "submit"), await key(http.node, "other", "submit")
            async with agent_of(http, mine) as client:
                held = await client.call_tool("send_mail", {"to": "cy@far"})
            async with agent_of(http, other) as client:
                asked = {"decision": held.structured_content["decision"]}
                for tool in ("lictor_outcome", "lictor_cancel"):
                    seen = await client.call_tool(tool, asked)
                    assert (seen.is_error, seen.structured_content["code"]) == (True, "NOT_FOUND")
                own = await client.call_tool("send_mail", {"to": "cy@far"})
                assert own.structured_content["decision"] != held.structured_content["decision"]

    asyncio.run(main())


def test_nobody_gets_in_without_a_key_that_may_submit(office):
    async def main():
        async with served(load("office:app")) as http:
            reader = await key(http.node, "reader", "read")
            call = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
            accept = {"accept": "application/json, text/event-stream"}
            nobody = {**accept, "authorization": "Bearer lk_no_no"}
            assert (await http.post("/mcp", json=call, headers=nobody)).status_code == 401
            reads = {**accept, "authorization": f"Bearer {reader}"}
            assert (await http.post("/mcp", json=call, headers=reads)).status_code == 403
            assert (await http.get("/mcp")).status_code == 405

    asyncio.run(main())


def test_a_browser_that_is_logged_in_is_no_client():
    """Its cookie would come with whatever a page of somebody else's sends."""
    browser = Principal(name="eva", permissions=frozenset({Permission.SUBMIT}), session="csrf")
    with pytest.raises(DeniedError, match="does not speak MCP"):
        asyncio.run(mcp(SimpleNamespace(principal=browser)))
