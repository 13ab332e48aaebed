"""Threads of sync effectors are as many as their slots, and are gone when the node has stopped."""

import asyncio
import threading

from tests.rig import Payout

from lictor import App, Node, Settings, allow


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("lictor-blocks")]


def test_they_are_bounded_and_closed():
    app = App("sync")
    app.decision()(Payout)
    app.gate(Payout)(lambda payout, state: allow())
    entered, leave = threading.Semaphore(0), threading.Event()
    most = []

    def perform(call, account):
        most.append(len(threads()))
        entered.release()
        assert leave.wait(30)

    blocks = app.effector(idempotent=True, timeout_s=60, slots=3, name="blocks")(perform)
    app.plan(Payout)(lambda payout: blocks.action(payout.account))

    async def main():
        async with Node(app, settings=Settings(durability="memory")) as node:
            handles = await node.submit_many([Payout(f"a{n}") for n in range(12)])
            await asyncio.to_thread(lambda: [entered.acquire(timeout=30) for _ in range(3)])
            assert len(threads()) == 3
            leave.set()
            for handle in handles:
                assert (await handle.outcome()).result == "succeeded"
        return threads()

    left = asyncio.run(main())
    for thread in left:  # told to end, which a thread does when it looks up next
        thread.join(10)
    assert threads() == []
    assert max(most) <= 3
