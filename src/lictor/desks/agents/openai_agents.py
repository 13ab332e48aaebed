"""A governed function as a tool of the OpenAI Agents SDK (extra `lictor[openai-agents]`).

    agent = Agent("clerk", tools=[openai_agents.tool(pay.on(node, source="clerk"))])
    with Run("order-4711"):
        await Runner.run(agent, "pay the invoice")

Refusals come back to the model as the tool's output; a held call too, and the same call later goes on.
"""

from __future__ import annotations

from typing import Any

from agents import FunctionTool
from agents.tool_context import ToolContext

from lictor import Bound
from lictor.desks.agents.telling import RunOf, told


def tool(bound: Bound[..., Any], *, run: RunOf = None) -> FunctionTool:
    """The function as a tool; `run` is what its calls belong to: a `Run`, or a function of the `ToolContext`."""

    async def invoke(context: ToolContext[Any], arguments: str) -> str:
        return (await told(bound, arguments or "{}", run, context)).text

    return FunctionTool(
        name=bound.__name__,
        description=bound.__doc__ or "",
        params_json_schema=bound.schema,
        on_invoke_tool=invoke,
        strict_json_schema=False,  # what has a default may be left out
    )
