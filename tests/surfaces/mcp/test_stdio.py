"""MCP over standard input and output, with the official client and real processes."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path

from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters
from tests.surfaces.mcp import conversation as agent


def lictor(*arguments: str) -> StdioServerParameters:
    return StdioServerParameters(
        command=sys.executable, args=["-m", "lictor", *arguments], env=dict(os.environ), cwd=Path.cwd()
    )


async def approve(decision: str) -> None:
    command = [sys.executable, "-m", "lictor", "approve", decision, "--by", "eva", "--journal", "office.db"]
    approving = await asyncio.create_subprocess_exec(*command, stdout=subprocess.DEVNULL)
    assert await approving.wait() == 0


def test_an_agent_uses_a_node_of_its_own(office):
    async def main():
        async with Client(lictor("mcp", "office:app", "--journal", "office.db")) as client:
            await agent.lists_tools(client)
            await agent.calls_once(client, office)
            await agent.is_refused(client)
            await agent.is_held_then_approved(client, office, approve)
            await agent.outlives_a_time_out(client, office)
        async with Client(lictor("mcp", "office:app", "--journal", "office.db")) as client:  # the next session
            again = await client.call_tool("send_mail", {"to": "ann"})
            assert again.structured_content["duplicate"]
            assert office.sent.count("ann hi") == 2

    asyncio.run(main())


def test_an_agent_reaches_the_node_that_has_the_journal(office):
    running = subprocess.Popen(
        [sys.executable, "-m", "lictor", "run", "office:app", "--journal", "office.db", "--json"],
        stdout=subprocess.PIPE,
    )

    async def main():
        async with Client(lictor("mcp", "--journal", "office.db", "--run", "r1"), mode="legacy") as client:
            await agent.lists_tools(client)
            sent = await client.call_tool("send_mail", {"to": "ann"})
            again = await client.call_tool("send_mail", {"to": "ann"})
            assert sent.structured_content["decision"] == again.structured_content["decision"]
            running.kill()
            running.wait()
            away = await client.call_tool("send_mail", {"to": "bob"})
            assert away.is_error
            assert (away.structured_content["status"], away.structured_content["code"]) == (
                "unfinished",
                "NODE_STOPPED",
            )
            assert "nothing is done twice" in agent.texts(away)

    try:
        assert running.stdout.readline()
        asyncio.run(main())
    finally:
        running.kill()
        running.communicate()
    assert office.sent == ["ann hi"]


def test_without_a_node_and_without_an_app_it_says_what_to_do(office):
    done = subprocess.run(
        [sys.executable, "-m", "lictor", "mcp", "--journal", "none.db"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 4
    assert "give MODULE:APP, or start one" in done.stderr
    assert not done.stdout
