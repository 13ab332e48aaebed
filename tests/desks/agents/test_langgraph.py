"""LangGraph: a real graph with a ToolNode and a checkpointer, and LangChain's fake chat model as the model."""

from __future__ import annotations

import pytest
from langchain_core.language_models.fake_chat_models import FakeMessagesListChatModel
from langchain_core.messages import AIMessage, ToolMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, tools_condition
from langgraph.types import Command
from tests.desks.agents.office import approve_what_is_held, office, run

from lictor.desks.agents import langgraph


def call(number: int, **arguments) -> AIMessage:
    """The model asks for a payment, under an id of its own."""
    return AIMessage("", tool_calls=[{"name": "pay", "args": arguments, "id": f"call_{number}"}])


def graph(pay, *said, **options):
    model = FakeMessagesListChatModel(responses=list(said))

    async def think(state: MessagesState):
        return {"messages": [await model.ainvoke(state["messages"])]}

    made = StateGraph(MessagesState)
    made.add_node("think", think)
    made.add_node("tools", ToolNode([langgraph.tool(pay, run=langgraph.thread, **options)]))
    made.add_edge(START, "think")
    made.add_conditional_edges("think", tools_condition)
    made.add_edge("tools", "think")
    return made.compile(checkpointer=InMemorySaver())


def on(thread: str) -> dict:
    return {"configurable": {"thread_id": thread}}


def heard(state) -> list[tuple[str, str]]:
    return [(m.status, m.content) for m in state["messages"] if isinstance(m, ToolMessage)]


def test_what_is_repeated_is_done_once_and_what_is_refused_is_told():
    async def main():
        async with office() as (till, node, pay):
            await node.set_limit("cash", 20, by="eva")
            said = [call(1, to="ann"), call(2, to="ann"), call(3, to="ann", amount=30), AIMessage("done")]
            state = await graph(pay, *said).ainvoke({"messages": ["pay"]}, on("t"))
            told = heard(state)
            assert told[:2] == [("success", "paid 1 to ann")] * 2
            assert told[2][0] == "error"
            assert "Allowed would be: cash 19" in told[2][1]
            await graph(pay, call(4, to="ann"), AIMessage("again")).ainvoke({"messages": ["pay"]}, on("t"))
            assert till.paid == [("ann", 1)]
            await graph(pay, call(5, to="ann"), AIMessage("another")).ainvoke({"messages": ["pay"]}, on("u"))
            assert till.paid == [("ann", 1)] * 2

    run(main())


@pytest.mark.parametrize("approved", [True, False])
def test_a_held_call_interrupts_the_graph_which_runs_its_node_again(approved):
    async def main():
        async with office() as (till, node, pay):
            both = AIMessage("", tool_calls=[*call(1, to="bob").tool_calls, *call(2, to="ann", amount=60).tool_calls])
            made = graph(pay, both, AIMessage("done"), interrupts=True)
            state = await made.ainvoke({"messages": ["pay"]}, on("t"))
            (waits,) = state["__interrupt__"]
            assert waits.value["code"] == "APPROVAL_NEEDED"
            assert till.paid == [("bob", 1)]
            if not approved:  # whoever resumes the graph has approved nothing by it
                state = await made.ainvoke(Command(resume="yes"), on("t"))
                assert state["__interrupt__"]
                assert till.paid == [("bob", 1)]
            await approve_what_is_held(node)
            state = await made.ainvoke(Command(resume="yes"), on("t"))
            assert ("success", "paid 60 to ann") in heard(state)
            assert till.paid == [("bob", 1), ("ann", 60)]

    run(main())
