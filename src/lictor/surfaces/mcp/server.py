"""The low-level MCP server over `Calls`: lists tools and calls them, in whichever revision the client speaks."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from lictor.errors import LictorError, NotFoundError

from .calls import ANSWER_SCHEMA, Calls

if TYPE_CHECKING:
    from mcp.server.lowlevel import Server

INSTRUCTIONS = """\
Every call is checked before it happens, recorded, and done at most once: the same call again in the same run is
answered with what became of it. A refusal says why and what would be allowed: act on that instead of repeating it.
A call that is held waits for a person; go on with other work and ask lictor_outcome, or make the same call again."""


def server_of(calls: Calls) -> Server[Any]:
    """The server of one caller.

    Raises:
        LictorError: the extra `mcp` is not installed.
    """
    try:
        import mcp_types as types
        from mcp.server.lowlevel import Server
        from mcp.shared.exceptions import MCPError
    except ImportError as error:
        raise LictorError("speaking MCP needs the extra mcp", hint="pip install 'lictor[mcp]'") from error

    async def list_tools(_ctx: Any, _params: Any) -> types.ListToolsResult:
        return types.ListToolsResult(tools=[types.Tool(**_tool(types, tool)) for tool in await calls.tools()])

    async def call_tool(ctx: Any, params: types.CallToolRequestParams) -> types.CallToolResult:
        meta: dict[str, Any] = dict(params.meta or ctx.meta or {})
        try:
            answered = await calls.call(params.name, params.arguments or {}, meta)
        except NotFoundError as error:
            raise MCPError(types.INVALID_PARAMS, str(error)) from error
        return types.CallToolResult(
            content=[types.TextContent(type="text", text=text) for text in answered.texts],
            structured_content=answered.data,
            is_error=answered.is_error,
        )

    return Server(
        "lictor",
        version=version("lictor"),
        title="Lictor",
        instructions=INSTRUCTIONS,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
    )


def _tool(types: Any, tool: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": tool["name"],
        "description": tool["description"] or None,
        "input_schema": {"properties": {}, **tool["schema"]},
        "output_schema": ANSWER_SCHEMA,
        "annotations": types.ToolAnnotations(
            read_only_hint=tool["reads_only"],
            destructive_hint=not tool["reads_only"],
            idempotent_hint=tool["idempotent"],
            open_world_hint=True,
        ),
    }
