"""For agents: governed functions as tools of the OpenAI Agents SDK, Pydantic AI and LangGraph; and a demo.

Each adapter is a module that needs its extra: `lictor.desks.agents.openai_agents`, `.pydantic_ai`, `.langgraph`. `desk`
is the entry point of `lictor.desks`; what is imported here needs no extra.
"""

from lictor.desks.agents.desk import Desk, desk

__all__ = ["Desk", "desk"]
