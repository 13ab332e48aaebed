"""However user code ends, whoever waits is answered, and the node goes on."""

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest

from lictor import App, Call, Node, allow, report
from lictor.lifecycle import ActionState


@dataclass(frozen=True)
class Do:
    what: int = 1


def built(perform: Any, gate: Any = None) -> tuple[App, Any]:
    app = App("ways", version="1")
    app.decision(expires_in_s=30)(Do)
    app.gate(Do)(gate or (lambda do, state: allow()))
    effector = app.effector(idempotent=False, timeout_s=5, slots=1)(perform)
    app.plan(Do)(lambda do: effector.action(do.what))
    return app, effector


def ends_early(call: Call, what: int) -> int:
    return next(iter(()))


async def waits_for_what_was_cancelled(call: Call, what: int) -> None:
    inner = asyncio.get_running_loop().create_future()
    inner.cancel()
    await inner


@pytest.mark.parametrize("perform", [ends_early, waits_for_what_was_cancelled])
def test_what_ends_in_an_odd_way_is_in_doubt_and_gives_its_slot_back(perform):
    app, effector = built(perform)
    asked = []

    @effector.reconcile
    async def found(call: Call, what: int):
        asked.append(call.key)
        if len(asked) == 1:
            await waits_for_what_was_cancelled(call, what)  # as if it had not been answered
        return report("there", final=True, result="succeeded")

    async def main():
        effector.poll_after_s = 0.01
        async with Node(app) as node:
            handles = await node.submit_many([Do(), Do()])
            outcomes = [await asyncio.wait_for(handle.outcome(), 10) for handle in handles]
            return [outcome.result for outcome in outcomes], node.pipeline.execution.lanes[effector.name].free

    results, free = asyncio.run(main())
    assert results == ["succeeded", "succeeded"]
    assert free == 1
    assert len(asked) == 3


async def done(call: Call, what: int) -> None:
    """Nothing."""


def test_a_stop_does_not_take_what_it_cancels_itself_for_news():
    started = asyncio.Event()

    async def hangs(call: Call, what: int) -> None:
        started.set()
        await asyncio.Event().wait()

    app, _ = built(hangs)

    async def main():
        async with Node(app) as node:
            node.settings = type(node.settings)(drain_s=0.0)
            handle = await node.submit(Do())
            await started.wait()
        return node.journal.state.open[handle.id].actions[0].state

    assert asyncio.run(main()) == ActionState.STARTED


def test_a_lookup_that_waits_for_what_was_cancelled_is_a_refusal():
    app, _ = built(done)

    @app.lookup(Do, timeout_s=5)
    async def asked(do: Do) -> bool:
        await waits_for_what_was_cancelled(None, 1)
        return True

    app.gate(Do, name="read")(lambda do, state: allow() if state[asked] else None)

    async def main():
        async with Node(app) as node:
            return (await asyncio.wait_for(node.submit(Do()), 10)).verdict.code

    assert asyncio.run(main()) == "LOOKUP_FAILED"


def test_a_gate_that_lets_a_cancellation_out_stops_the_node_aloud_and_not_in_silence():
    def cancelled(do: Do, state: Any) -> Any:
        raise asyncio.CancelledError

    app, _ = built(done, cancelled)

    async def main():
        async with Node(app) as node:
            with pytest.raises(Exception, match="the node has stopped"):
                await asyncio.wait_for(node.submit(Do()), 10)
            return node.failure

    assert isinstance(asyncio.run(main()), asyncio.CancelledError)


@pytest.mark.parametrize("priority", ["high", 2.5, 99])
def test_a_class_that_is_none_fails_closed(priority):
    app, _ = built(done, lambda do, state: allow(priority=priority))

    async def main():
        async with Node(app) as node:
            return (await node.submit(Do())).verdict.code, node.failure

    assert asyncio.run(main()) == ("GATE_FAILED", None)
