"""Pydantic AI, with its own test models: a FunctionModel that is scripted, and the TestModel."""

from __future__ import annotations

from pydantic_ai import Agent, DeferredToolRequests, DeferredToolResults
from pydantic_ai.messages import ModelResponse, TextPart, ToolCallPart, ToolReturnPart
from pydantic_ai.models.function import FunctionModel
from pydantic_ai.models.test import TestModel
from tests.desks.agents.office import approve_what_is_held, office, run

from lictor import Run
from lictor.desks.agents import pydantic_ai


def clerk(pay, *script, **options):
    """An agent that says what the script says, and what it heard of its calls."""
    said, heard = list(script), []

    def model(messages, _info) -> ModelResponse:
        heard.extend(str(part.content) for part in messages[-1].parts if isinstance(part, ToolReturnPart))
        now = said.pop(0)
        return ModelResponse(parts=[TextPart(now) if isinstance(now, str) else ToolCallPart("pay", now)])

    output = [str, DeferredToolRequests] if options else str
    return Agent(FunctionModel(model), tools=[pydantic_ai.tool(pay, **options)], output_type=output), heard


def test_the_test_model_calls_it_by_its_schema():
    async def main():
        async with office() as (till, _, pay):
            with Run("r"):
                result = await Agent(TestModel(), tools=[pydantic_ai.tool(pay)]).run("pay")
            assert "paid" in result.output
            assert len(till.paid) == 1

    run(main())


def test_what_is_repeated_is_done_once_and_what_is_refused_is_told():
    async def main():
        async with office() as (till, node, pay):
            await node.set_limit("cash", 20, by="eva")
            with Run("r"):
                agent, heard = clerk(
                    pay, {"to": "ann"}, {"to": "ann"}, {"to": "ann", "amount": 30}, {"to": "bob", "amount": 19}, "done"
                )
                await agent.run("pay")
                agent, _ = clerk(pay, {"to": "ann"}, "the whole run again")
                await agent.run("pay")
            assert heard[:2] == ["paid 1 to ann", "paid 1 to ann"]
            assert "Allowed would be: cash 19" in heard[2]
            assert till.paid == [("ann", 1), ("bob", 19)]

    run(main())


def test_a_held_call_ends_the_run_and_goes_on_when_a_person_has_approved():
    async def main():
        async with office() as (till, node, pay):
            with Run("r"):
                agent, heard = clerk(pay, {"to": "ann", "amount": 60}, "done", defer=True)
                first = await agent.run("pay")
                assert isinstance(first.output, DeferredToolRequests)
                (asked,) = first.output.approvals
                assert first.output.metadata[asked.tool_call_id]["code"] == "APPROVAL_NEEDED"
                assert till.paid == []
                await approve_what_is_held(node)
                results = DeferredToolResults(approvals={asked.tool_call_id: True})
                second = await agent.run(message_history=first.all_messages(), deferred_tool_results=results)
            assert (second.output, heard) == ("done", ["paid 60 to ann"])
            assert till.paid == [("ann", 60)]

    run(main())


def test_an_approval_in_the_framework_alone_approves_nothing():
    async def main():
        async with office() as (till, _, pay):
            with Run("r"):
                agent, _ = clerk(pay, {"to": "ann", "amount": 60}, "done", defer=True)
                first = await agent.run("pay")
                (asked,) = first.output.approvals
                results = DeferredToolResults(approvals={asked.tool_call_id: True})
                second = await agent.run(message_history=first.all_messages(), deferred_tool_results=results)
            assert isinstance(second.output, DeferredToolRequests)
            assert till.paid == []

    run(main())
