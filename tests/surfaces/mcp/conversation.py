"""What an agent does over MCP, whatever the transport: calls, is refused, held and approved, gives up, asks again."""

from __future__ import annotations

import asyncio
import json

import pytest
from mcp.shared.exceptions import MCPError


def texts(result) -> str:
    return "\n".join(block.text for block in result.content)


async def lists_tools(client) -> None:
    tools = {tool.name: tool for tool in (await client.list_tools()).tools}
    assert list(tools) == ["send_mail", "wait_for_post", "Note", "lictor_outcome", "lictor_cancel"]
    mail = tools["send_mail"]
    assert mail.description.startswith("Send a mail.")
    assert mail.input_schema["required"] == ["to"]
    assert mail.input_schema["properties"]["text"] == {"type": "string", "default": "hi"}
    assert (mail.annotations.read_only_hint, mail.annotations.idempotent_hint) == (False, False)
    assert tools["wait_for_post"].annotations.read_only_hint
    assert tools["Note"].input_schema["properties"] == {"words": {"type": "string"}}


async def calls_once(client, office) -> None:
    first = await client.call_tool("send_mail", {"to": "ann"})
    assert not first.is_error
    assert texts(first) == "sent to ann"
    data = first.structured_content
    assert (data["status"], data["result"], data["verdict"]["result"]) == ("succeeded", "sent to ann", "admitted")
    again = await client.call_tool("send_mail", {"text": "hi", "to": "ann"})
    assert again.structured_content["duplicate"]
    assert again.structured_content["decision"] == data["decision"]
    assert "was not done again" in texts(again)
    assert office.sent == ["ann hi"]
    step = await client.call_tool("send_mail", {"to": "ann"}, meta={"lictor/run": "r", "lictor/step": "2"})
    assert not step.structured_content["duplicate"]
    repeated = await client.call_tool("send_mail", {"to": "ann"}, meta={"lictor/run": "r", "lictor/step": "2"})
    assert repeated.structured_content["decision"] == step.structured_content["decision"]
    keyed = [await client.call_tool("Note", {"words": "x"}, meta={"lictor/key": "k-1"}) for _ in range(2)]
    assert keyed[0].structured_content["decision"] == keyed[1].structured_content["decision"]
    assert office.sent == ["ann hi", "ann hi"]


async def is_refused(client) -> None:
    dear = await client.call_tool("send_mail", {"to": "bob", "text": "far too dear"})
    assert dear.is_error
    assert "BUDGET_EXCEEDED" in texts(dear)
    assert "needs 12 of the budget stamps, and 6 are left of 10" in texts(dear)
    assert dear.structured_content["allowed"] == {"stamps": 6}
    unknown = await client.call_tool("send_mail", {"to": "eve"})
    assert unknown.structured_content["allowed"] == {"to": "ann, bob or cy@far"}
    wrong = await client.call_tool("send_mail", {"too": "ann"})
    assert wrong.is_error
    assert wrong.structured_content["code"] in {"MALFORMED", "QUARANTINED"}
    assert "too" in texts(wrong) or "to" in texts(wrong)
    with pytest.raises(MCPError, match="there is no tool 'send_male'"):
        await client.call_tool("send_male", {})
    other = await client.call_tool("lictor_outcome", {"decision": "0000000000000"})
    assert (other.is_error, other.structured_content["code"]) == (True, "NOT_FOUND")


async def is_held_then_approved(client, office, approve) -> None:
    held = await client.call_tool("send_mail", {"to": "cy@far", "text": "!"})
    assert not held.is_error
    decision = held.structured_content["decision"]
    assert held.structured_content["status"] == "held"
    assert f"lictor_outcome with decision {decision}" in texts(held)
    waiting = await client.call_tool("lictor_outcome", {"decision": decision})
    assert waiting.structured_content["status"] == "held"
    again = await client.call_tool("send_mail", {"to": "cy@far", "text": "!"})
    assert again.structured_content["decision"] == decision
    assert "cy@far !" not in office.sent
    following = asyncio.create_task(client.call_tool("lictor_outcome", {"decision": decision, "wait_s": 30}))
    await approve(decision)
    done = await following
    assert done.structured_content["status"] == "succeeded"
    assert done.structured_content["result"] == "sent to cy@far"
    again = await client.call_tool("send_mail", {"to": "cy@far", "text": "!"})
    assert (again.structured_content["duplicate"], again.structured_content["result"]) == (True, "sent to cy@far")
    assert office.sent.count("cy@far !") == 1
    withdrawn = await client.call_tool("send_mail", {"to": "cy@far", "text": "?"})
    ended = await client.call_tool("lictor_cancel", {"decision": withdrawn.structured_content["decision"]})
    assert ended.structured_content["status"] == "cancelled", json.dumps(ended.structured_content)


async def outlives_a_time_out(client, office) -> None:
    """A client that gives up has lost nothing: what it called goes on, and the same call finds it."""
    early = await client.call_tool("wait_for_post", {"hours": 1}, meta={"lictor/wait_s": 0})
    assert early.structured_content["status"] == "unfinished"
    with pytest.raises((MCPError, TimeoutError)):
        await client.call_tool("wait_for_post", {"hours": 1}, read_timeout_seconds=0.3)
    office.letter("a letter")
    late = await client.call_tool("wait_for_post", {"hours": 1})
    assert late.structured_content["decision"] == early.structured_content["decision"]
    assert late.structured_content["result"] == "a letter"
