"""For agents: governed functions as tools of the OpenAI Agents SDK, Pydantic AI and LangGraph.

Each adapter is a module that needs its extra: `lictor.desks.agents.openai_agents`, `.pydantic_ai`, `.langgraph`.
"""
