"""MCP over standard input and output: a node of its own, or a bridge to the one that has the journal already."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec

from lictor.app import App
from lictor.errors import LictorError, NodeStoppedError
from lictor.node import Node
from lictor.surfaces.channel import AskError
from lictor.surfaces.control import PROTOCOL, REQUEST_S, Control, address, socket_of
from lictor.surfaces.requests import Requests

from .calls import Ask, Caller, Calls
from .server import server_of

_ANSWER_BYTES_MAX = 64 << 20


class Bridge:
    """Asks a running node over its control socket; a connection for each request, so that none waits for another."""

    def __init__(self, path: Path) -> None:
        self.path = path

    async def __call__(self, do: str, **asked: Any) -> Any:
        """The node's answer.

        Raises:
            NodeStoppedError: no node answers.
            AskError: it says that it cannot be done; with its code.
        """
        try:
            with address(self.path) as where:
                reader, writer = await asyncio.open_unix_connection(where, limit=_ANSWER_BYTES_MAX)
            try:
                writer.write(msgspec.json.encode({"v": PROTOCOL, "do": do, "with": asked}) + b"\n")
                await writer.drain()
                async with asyncio.timeout(REQUEST_S * 2 + float(asked.get("wait_s") or 0.0)):
                    line = await reader.readline()
            finally:
                writer.close()
            answer = msgspec.json.decode(line)
        except (OSError, TimeoutError, ValueError) as error:
            raise NodeStoppedError(
                f"no node answers at {self.path}", hint="make the same call again when it runs; nothing is done twice"
            ) from error
        if not answer["ok"]:
            told = answer["error"]
            raise AskError(str(told["code"]), str(told["message"]), told.get("hint"))
        return answer["result"]


async def serve(app: App | None, journal: Path, caller: Caller) -> None:
    """Speak MCP until standard input ends.

    Raises:
        LictorError: no node has the journal, and no App was given to run one.
    """
    bridge = Bridge(socket_of(journal))
    if await _answers(bridge):
        await _speak(bridge, caller)
        return
    if app is None:
        raise NodeStoppedError(
            f"no node runs on {journal}", hint="give MODULE:APP, or start one: lictor run MODULE:APP"
        )
    async with Node(app, str(journal)) as node, Control(node, bridge.path):
        await _speak(Requests(node).ask, caller)


async def _answers(bridge: Bridge) -> bool:
    try:
        await bridge("hello")
    except LictorError:
        return False
    return True


async def _speak(ask: Ask, caller: Caller) -> None:
    server = server_of(Calls(ask, caller))
    from mcp.server.stdio import stdio_server

    async with stdio_server() as (incoming, outgoing):
        await server.run(incoming, outgoing, server.create_initialization_options())
