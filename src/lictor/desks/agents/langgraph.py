"""A governed function as a tool for LangGraph's `ToolNode` (extra `lictor[langgraph]`).

    tools = ToolNode([langgraph.tool(pay.on(node, source="clerk"), run=langgraph.thread)])

A refusal is a tool message of status `error` that the model reads. A held call is told to the model, or with
`interrupts=True` interrupts the graph; LangGraph then runs the whole node again, and each call of it is found again.
"""

from __future__ import annotations

import json
from typing import Any

from langchain_core.runnables import RunnableConfig
from langchain_core.tools import BaseTool, StructuredTool, ToolException
from langgraph.types import interrupt

from lictor import Bound, Run
from lictor.desks.agents.telling import RunOf, told


def thread(config: RunnableConfig) -> Run:
    """A run for each thread of the graph: the same call is done once in it."""
    return Run(f"thread {config['configurable']['thread_id']}")


def tool(bound: Bound[..., Any], *, run: RunOf = None, interrupts: bool = False) -> BaseTool:
    """The function as a tool; `run` is what its calls belong to: a `Run`, or a function of the `RunnableConfig`."""

    async def invoke(config: RunnableConfig, **arguments: Any) -> Any:
        found = await told(bound, json.dumps(arguments), run, config)
        while found.answer == "held" and interrupts:
            interrupt(None if found.refusal is None else found.refusal.data())
            found = await told(bound, json.dumps(arguments), run, config)
        if found.answer == "not_done":
            raise ToolException(found.text)
        return found.text

    return StructuredTool.from_function(
        coroutine=invoke,
        name=bound.__name__,
        description=bound.__doc__ or bound.__name__,
        args_schema=bound.schema,
        handle_tool_error=True,
    )
