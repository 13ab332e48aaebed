"""The OpenAI Agents SDK, with a scripted model of its own interface: no network, no key."""

from __future__ import annotations

import json
from itertools import count

import pytest
from agents import Agent, Model, ModelResponse, RunConfig, Runner, Usage, UserError
from openai.types.responses import ResponseFunctionToolCall, ResponseOutputMessage, ResponseOutputText
from tests.desks.agents.office import approve_what_is_held, office, run

from lictor import Run
from lictor.desks.agents import openai_agents

QUIET = RunConfig(tracing_disabled=True)
_IDS = count()


class Scripted(Model):
    """Says what the script says: arguments of a call, or words that end the run. Each call has an id never seen."""

    def __init__(self, *script) -> None:
        self.script = list(script)
        self.heard: list[str] = []

    async def get_response(self, system_instructions, input, *args, **kwargs):  # noqa: A002
        outputs = [item["output"] for item in input if isinstance(item, dict) and "output" in item]
        self.heard += outputs[-1:]
        said = self.script.pop(0)
        return ModelResponse(output=[_item(said)], usage=Usage(), response_id=None)

    def stream_response(self, *args, **kwargs):
        raise NotImplementedError


def _item(said):
    if isinstance(said, str):
        text = ResponseOutputText(annotations=[], text=said, type="output_text")
        return ResponseOutputMessage(id="m", content=[text], role="assistant", status="completed", type="message")
    number = next(_IDS)
    return ResponseFunctionToolCall(
        id=f"i{number}", call_id=f"call_{number}", arguments=json.dumps(said), name="pay", type="function_call"
    )


async def talk(pay, *script) -> Scripted:
    model = Scripted(*script)
    agent = Agent("clerk", model=model, tools=[openai_agents.tool(pay)])
    await Runner.run(agent, "pay", run_config=QUIET)
    return model


def test_what_is_repeated_with_a_new_call_id_is_done_once():
    async def main():
        async with office() as (till, _, pay):
            with Run("r"):
                model = await talk(pay, {"to": "ann"}, {"to": "ann", "amount": 1}, {"to": "bob"}, "done")
                await talk(pay, {"to": "ann"}, "the whole run again")
            assert till.paid == [("ann", 1), ("bob", 1)]
            assert model.heard == ["paid 1 to ann", "paid 1 to ann", "paid 1 to bob"]

    run(main())


def test_a_refused_call_tells_the_model_why_and_it_asks_for_less():
    async def main():
        async with office() as (till, node, pay):
            with Run("r"):
                await node.set_limit("cash", 20, by="eva")
                model = await talk(pay, {"to": "ann", "amount": 30}, {"to": "ann", "amount": 20}, {"too": "x"}, "done")
            assert "Allowed would be: cash 20" in model.heard[0]
            assert model.heard[1] == "paid 20 to ann"
            assert "MALFORMED" in model.heard[2]
            assert till.paid == [("ann", 20)]

    run(main())


def test_a_held_call_goes_on_once_it_is_approved():
    async def main():
        async with office() as (till, node, pay):
            with Run("r"):
                model = await talk(pay, {"to": "ann", "amount": 60}, "I wait")
                assert model.heard[0].startswith("held (APPROVAL_NEEDED)")
                await approve_what_is_held(node)
                model = await talk(pay, {"to": "ann", "amount": 60}, "done")
            assert model.heard == ["paid 60 to ann"]
            assert till.paid == [("ann", 60)]

    run(main())


def test_a_call_of_no_run_is_not_made():
    async def main():
        async with office() as (till, _, pay):
            with pytest.raises(UserError, match="belongs to no run"):
                await talk(pay, {"to": "ann"}, "done")
            assert till.paid == []

    run(main())
