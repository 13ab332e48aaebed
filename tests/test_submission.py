"""Time runs for a signal from when it is offered, not from when its turn comes."""

import asyncio
from dataclasses import dataclass

import pytest

from lictor import App, Call, Node, WrongLoopError, allow
from lictor.runtime.clock import SystemClock


@dataclass(frozen=True)
class Ask:
    what: str


def made() -> App:
    app = App("waiting")
    app.decision(expires_in_s=3)(Ask)

    @app.gate(Ask)
    def fine(_ask, _state):
        return allow()

    @app.effector(idempotent=True, timeout_s=5)
    async def act(_call: Call, what: str) -> str:
        return what

    @app.plan(Ask)
    def plan(ask):
        return act.action(ask.what)

    return app


class MovedClock(SystemClock):
    """The machine's clock, which the test moves on."""

    moved_s = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.moved_s


def verdict_after(waits_s):
    """The verdict on a signal whose turn comes so many seconds after it was offered, and its decision."""

    async def main():
        clock = MovedClock()
        async with Node(made(), clock=clock) as node:
            submitted = asyncio.ensure_future(node.submit(Ask("a"), source="s"))
            await asyncio.sleep(0)  # it is offered now, and no turn has begun
            assert len(node.pipeline.inputs) == 1
            clock.moved_s += waits_s
            handle = await submitted
            return handle.verdict, handle.decision

    return asyncio.run(main())


def test_what_a_signal_waits_in_the_intake_counts_for_its_latency():
    verdict, decision = verdict_after(2.0)
    assert verdict.result == "admitted"
    assert verdict.at_us - decision.received_us >= 2_000_000
    assert decision.deadline_us == decision.received_us + 3_000_000


def test_what_a_signal_waits_in_the_intake_counts_for_its_deadline():
    verdict, _ = verdict_after(4.0)
    assert (verdict.result, verdict.code) == ("refused", "EXPIRED")


def test_another_threads_loop_is_told_instead_of_waiting_for_ever():
    async def main():
        async with Node(made()) as node:

            async def elsewhere():
                with pytest.raises(WrongLoopError, match="BlockingNode"):
                    await node.submit(Ask("here"))
                with pytest.raises(WrongLoopError):
                    await node.halt("all", by="ann", reason="a test")

            await asyncio.to_thread(asyncio.run, elsewhere())
            assert (await node.submit(Ask("here"))).admitted

    asyncio.run(main())
