"""`mcp`: the tools of an App for an agent that starts this command and speaks MCP over standard input and output."""

from __future__ import annotations

import asyncio
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from .output import Exit
from .reach import Where


def mcp(
    app: Annotated[str | None, Parameter(help="MODULE:APP; may be left out where a node has the journal.")] = None,
    /,
    *,
    source: Annotated[str, Parameter(help="Who decides: the agent's name.")] = "mcp",
    tenant: Annotated[str, Parameter(help="For whom.")] = "default",
    run: Annotated[str | None, Parameter(help="The run that all calls belong to; the same again repeats it.")] = None,
    answer_within: Annotated[
        float, Parameter(help="Seconds that a call waits for its outcome.", validator=Number(gte=0, lte=300))
    ] = 20.0,
    where: Where = Where(),  # noqa: B008 - frozen
) -> int:
    """Offer each kind as a tool over MCP: a node of its own, or through the node that has the journal.

    An agent's settings name this command: lictor mcp payouts:app --journal payouts.db --source agent-7
    """
    from lictor.surfaces.loading import load
    from lictor.surfaces.mcp.calls import Caller
    from lictor.surfaces.mcp.stdio import serve

    caller = Caller(source, tenant, run, answer_within)
    asyncio.run(serve(None if app is None else load(app), where.journal, caller))
    return Exit.DONE
