"""Whatever can go wrong with a schedule is an error that says who waits where and how to replay it."""

import asyncio

import pytest

from lictor.testing import DeadlockError, LivelockError, run


class LossyEvent:
    """An event with the classic mistake: who waits looks, then lets others run, then waits."""

    def __init__(self, *, lossy):
        self.lossy = lossy
        self.is_set = False
        self.waiter = None

    def set(self):
        self.is_set = True
        if self.waiter is not None and not self.waiter.done():
            self.waiter.set_result(None)

    async def wait(self):
        if self.is_set:
            return
        if self.lossy:
            await asyncio.sleep(0)
        self.waiter = asyncio.get_running_loop().create_future()
        await self.waiter


def seeds_that_deadlock(seeds, *, lossy):
    async def main(_loop):
        event = LossyEvent(lossy=lossy)

        async def setter():
            event.set()

        await asyncio.gather(event.wait(), setter())

    found = []
    for seed in seeds:
        try:
            run(seed, main)
        except DeadlockError:
            found.append(seed)
    return found


def test_a_lost_wake_up_is_found_as_a_deadlock():
    assert seeds_that_deadlock(range(200), lossy=False) == []
    assert len(seeds_that_deadlock(range(200), lossy=True)) > 20


def test_a_deadlock_names_who_waits_where_and_how_to_replay():
    async def main(loop):
        async def stuck():
            await asyncio.Event().wait()

        loop.create_task(stuck())
        await asyncio.Lock().acquire()
        await loop.create_future()

    with pytest.raises(DeadlockError) as caught:
        run(7, main, policy="fifo")
    first, second = caught.value.waiting
    assert first.startswith("world: ")
    assert "main" in first
    assert "test_stuck.py" in first
    assert "stuck" in second
    assert "in Event.wait" in second
    assert any("run(7, main, policy='fifo')" in note for note in caught.value.__notes__)


def test_spinning_for_ever_passes_the_bound_of_steps():
    async def main(_loop):
        async def spin():
            while True:
                await asyncio.sleep(0)

        await asyncio.gather(spin(), asyncio.Event().wait())

    with pytest.raises(LivelockError) as caught:
        run(1, main, steps_max=10_000)
    assert "passed 10000 steps" in str(caught.value)
    assert "spin" in caught.value.busiest[0][0]


def test_a_wake_up_that_is_lost_beside_a_heartbeat_passes_the_bound_of_time():
    async def main(loop):
        async def heartbeat():
            while True:
                await asyncio.sleep(1)

        loop.create_task(heartbeat())
        await asyncio.Event().wait()

    with pytest.raises(LivelockError, match="passed 3600 s of virtual time"):
        run(1, main, time_s_max=3600)


def test_an_error_that_nobody_looks_at_fails_the_run():
    async def main(loop):
        async def fail():
            raise ValueError("unseen")

        loop.call_soon(lambda: 1 / 0)
        loop.create_task(fail())
        await asyncio.sleep(1)

    with pytest.raises(ExceptionGroup) as caught:
        run(1, main)
    assert {type(error) for error in caught.value.exceptions} == {ZeroDivisionError, ValueError}


def test_what_the_check_after_a_step_raises_ends_the_run_there():
    async def main(loop):
        balance = [3]

        def check():
            assert balance[0] >= 0, "overdrawn"

        async def spend():
            while True:
                balance[0] -= 1
                await asyncio.sleep(0)

        loop.after_step = check
        await asyncio.gather(spend(), return_exceptions=True)

    with pytest.raises(AssertionError, match="overdrawn") as caught:
        run(1, main)
    assert any("step 5," in note for note in caught.value.__notes__)
