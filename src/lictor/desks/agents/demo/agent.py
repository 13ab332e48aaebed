"""The agent of the demo: no model, a script; but it speaks MCP to `lictor mcp`, as any agent does."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from mcp.client.client import Client
from mcp.client.stdio import StdioServerParameters

from lictor.desks.agents.demo.processes import Office

NAME, RUN = "clerk", "invoices of november"
Say = Callable[[str, str], None]


class Agent:
    """Calls tools, and reads what it is told."""

    def __init__(self, client: Client, say: Say) -> None:
        self._client = client
        self._say = say
        self.heard: list[dict[str, Any]] = []

    async def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """Call a tool; what it was told, as data."""
        self._say(NAME, f"{tool}({', '.join(f'{name}={value!r}' for name, value in arguments.items())})")
        result = await self._client.call_tool(tool, arguments)
        told: dict[str, Any] = result.structured_content
        for block in result.content:
            self._say("", f"-> {getattr(block, 'text', '')}")
        self.heard.append({"tool": tool, "arguments": arguments, "told": told})
        return told

    async def tools(self) -> list[str]:
        """Names of the tools that it is offered."""
        return [tool.name for tool in (await self._client.list_tools()).tools]


@asynccontextmanager
async def agent(office: Office, say: Say) -> AsyncIterator[Agent]:
    """An agent on a connection of its own, in the same run as every other one."""
    arguments = ["-m", "lictor", "mcp", "--journal", str(office.journal), "--source", NAME, "--run", RUN]
    server = StdioServerParameters(command=sys.executable, args=arguments, env=dict(office.environment))
    async with Client(server) as client:
        yield Agent(client, say)
