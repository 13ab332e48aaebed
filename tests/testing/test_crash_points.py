"""A small durable server, crashed at every step and in every verb, keeps what it acknowledged; a wrong one is found."""

import asyncio

from lictor.testing import SimLoop, each_strike, run, scripted_faults


class Disk:
    """The world's part: what was written survives; who is dead cannot write."""

    def __init__(self, loop: SimLoop, faults) -> None:
        self.written = []
        self.faults = faults

    def write(self, machine, item) -> None:
        machine.check()
        if self.faults.strikes("crash", "write:before"):
            machine.crash()
        self.written.append(item)
        if self.faults.strikes("crash", "write:after"):
            machine.crash()


async def serve_through_crashes(loop, disk, *, acknowledge_first=False):
    """A client sends ten items to a server that writes and acknowledges each, and reboots it when it is down."""
    acknowledged = []
    inbox = asyncio.Queue()

    async def server(machine):
        while True:
            item, answer = await inbox.get()
            if acknowledge_first:
                answer.set_result(item)
                await asyncio.sleep(0)
            disk.write(machine, item)
            if not answer.done():
                answer.set_result(item)

    async def client():
        for item in range(10):
            answer = loop.create_future()
            inbox.put_nowait((item, answer))
            await asyncio.wait((answer,), timeout=1)
            if answer.done():
                acknowledged.append(item)

    async def operator():
        while True:
            machine = loop.boot("server")
            machine.spawn(server(machine))
            await machine.crashed()

    keeper = loop.create_task(operator())
    await client()
    keeper.cancel()
    return acknowledged


def crash_at_step(step, **options):
    async def main(loop):
        def crash():
            for machine in loop.machines:
                if machine.alive:
                    machine.crash()

        disk = Disk(loop, scripted_faults(loop, ()))
        loop.at_step(step, crash)
        return await serve_through_crashes(loop, disk, **options), disk.written

    done = run(1, main)
    return *done.value, done.steps


def test_no_acknowledged_item_is_lost_whichever_step_the_crash_comes_before():
    *_, steps = crash_at_step(10**6)
    assert steps > 30
    lost_answers = 0
    for step in range(1, steps + 1):
        acknowledged, written, _ = crash_at_step(step)
        assert set(acknowledged) <= set(written)
        assert len(written) == len(set(written))
        lost_answers += len(acknowledged) < 10
    assert lost_answers >= 5


def test_the_same_search_finds_a_server_that_acknowledges_first():
    *_, steps = crash_at_step(10**6, acknowledge_first=True)
    found = [step for step in range(1, steps + 1) if crash_violates(step)]
    assert len(found) >= 10


def crash_violates(step):
    acknowledged, written, _ = crash_at_step(step, acknowledge_first=True)
    return not set(acknowledged) <= set(written)


def crash_at(script):
    async def main(loop):
        faults = scripted_faults(loop, script)
        disk = Disk(loop, faults)
        return await serve_through_crashes(loop, disk), disk.written, faults

    return run(1, main).value


def test_every_crash_point_of_every_verb_is_tried_once():
    *_, faults = crash_at(())
    strikes = list(each_strike(faults.asked))
    assert len(strikes) == 20
    outcomes = set()
    for strike in strikes:
        acknowledged, written, faults = crash_at({strike})
        assert faults.struck == {strike[:2]: 1}
        assert set(acknowledged) <= set(written)
        outcomes.add((strike[1], len(written), len(acknowledged)))
    # Before the write both are lost; after it, the acknowledgement alone.
    assert outcomes == {("write:before", 9, 9), ("write:after", 10, 9)}
