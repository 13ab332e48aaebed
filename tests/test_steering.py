"""Slips of the pen in steering are answered with what to do, never with silence."""

import asyncio
from dataclasses import dataclass

import pytest

from lictor import App, DeclarationError, Node, NotFoundError, hold


def held() -> App:
    """One kind that a person must approve."""
    app = App("held")

    @app.decision()
    @dataclass(frozen=True)
    class Job:
        name: str

    @app.gate(Job)
    def asks(_job, _state):
        return hold("NEEDS_APPROVAL")

    @app.effector(idempotent=True, timeout_s=5)
    async def work(_call, name: str) -> str:
        return name

    @app.plan(Job)
    def plan(job):
        return work.action(job.name)

    app.job = Job
    return app


def test_a_decision_is_named_by_its_number_or_its_letters_and_by_nothing_else() -> None:
    async def main() -> None:
        app = held()
        async with Node(app) as node:
            handle = await node.submit(app.job("a"), source="agent")
            for wrong in (handle.decision, "nonsense", None):
                with pytest.raises(NotFoundError, match=r"handle\.id"):
                    await node.approve(wrong, by="ana")
            text = (await node.timeline(handle.id)).data()["decision"]
            await node.approve(text if isinstance(text, str) else handle.id, by="ana")
            assert (await handle.outcome()).value == "a"

    asyncio.run(main())


def test_halting_what_is_not_declared_is_refused_with_the_names_that_are() -> None:
    async def main() -> None:
        async with Node(held()) as node:
            for scope, name in (("kind:Jobb", "Job"), ("effector:worc", "work")):
                with pytest.raises(DeclarationError, match=name):
                    await node.halt(scope, by="ana")
            assert not node.journal.state.halts
            await node.halt("tenant:anyone", by="ana")
            assert "tenant:anyone" in node.journal.state.halts

    asyncio.run(main())
