"""A governed function as a tool of Pydantic AI (extra `lictor[pydantic-ai]`).

    agent = Agent(model, tools=[pydantic_ai.tool(pay.on(node, source="clerk"))])
    with Run("order-4711"):
        await agent.run("pay the invoice")

A refusal is a `ToolFailed` that the model reads. A held call is told to the model, or with `defer=True` ends the run
with `DeferredToolRequests`; resuming makes the same call again, which goes on if a person has approved it here.
"""

from __future__ import annotations

import json
from typing import Any

from pydantic_ai import ApprovalRequired, RunContext, Tool
from pydantic_ai.exceptions import ToolFailed

from lictor import Bound
from lictor.desks.agents.telling import RunOf, told


def tool(bound: Bound[..., Any], *, run: RunOf = None, defer: bool = False) -> Tool[Any]:
    """The function as a tool; `run` is what its calls belong to: a `Run`, or a function of the `RunContext`."""

    async def invoke(context: RunContext[Any], **arguments: Any) -> Any:
        found = await told(bound, json.dumps(arguments), run, context)
        if found.answer == "held" and defer:
            raise ApprovalRequired(metadata=None if found.refusal is None else found.refusal.data())
        if found.answer == "not_done":
            raise ToolFailed(found.text)
        return found.text if found.answer == "held" else found.value

    return Tool.from_schema(invoke, bound.__name__, bound.__doc__, bound.schema, takes_ctx=True)
