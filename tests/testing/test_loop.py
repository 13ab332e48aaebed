"""To the code on it, the loop is asyncio's, with time that jumps."""

import asyncio
import contextvars
import functools
import gc
import itertools
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.testing.medley import medley

from lictor.testing import SimLoop, run

POLICIES = ("uniform", "fifo")


def test_fifo_runs_what_needs_no_timer_in_the_order_of_asyncio():
    async def main(_loop=None):
        log = []

        async def work(name):
            for number in range(4):
                log.append(f"{name}{number}")
                await asyncio.sleep(0)
            return name

        async def relay(source, target):
            target.put_nowait(await source.get() + 1)

        queues = [asyncio.Queue() for _ in range(6)]
        relays = [asyncio.ensure_future(relay(a, b)) for a, b in itertools.pairwise(queues)]
        queues[0].put_nowait(0)
        log.extend(await asyncio.gather(*(work(name) for name in "abc")))
        log.append(await queues[-1].get())
        await asyncio.gather(*relays)
        return log

    assert run(1, main, policy="fifo").value == asyncio.run(main())


@pytest.mark.parametrize("policy", POLICIES)
def test_all_of_asyncio_gives_what_it_gives_on_a_real_loop(policy):
    for seed in range(10):
        log = run(seed, medley, policy=policy).value
        assert log[-6:] == ["ExceptionGroup"] + ["NoneType"] * 5
        assert sorted(line for line in log if line.startswith("won")) == [f"won racer{number}" for number in range(9)]
        assert sum("cancelled" in line for line in log) == 13
        assert {"timed out", "offloaded", "generated 0", "generated 1"} <= set(log)


def test_uniform_reaches_every_order_of_what_is_ready():
    async def main(_loop):
        order = []

        async def work(name):
            order.append(name)

        await asyncio.gather(*(work(name) for name in "abcd"))
        return "".join(order)

    assert len({run(seed, main).value for seed in range(400)}) == 24


def test_time_stands_still_while_anything_can_run_and_jumps_to_the_next_timer():
    async def main(loop):
        seen = []

        async def busy():
            for _ in range(1000):
                await asyncio.sleep(0)
            seen.append(loop.time())

        async def patient():
            await asyncio.sleep(86_400.0 * 365)
            seen.append(loop.time())

        await asyncio.gather(busy(), patient())
        return seen

    assert run(1, main).value == [0.0, 86_400.0 * 365]


def test_timers_of_the_same_moment_may_fire_in_any_order_and_others_only_in_theirs():
    async def main(loop):
        fired = []
        for name, moment in (("a", 1.0), ("b", 1.0), ("c", 2.0), ("now", 0.0)):
            loop.call_later(moment, fired.append, name)
        await asyncio.sleep(3)
        return "".join(fired)

    assert {run(seed, main).value for seed in range(50)} == {"nowabc", "nowbac"}


def test_a_cancelled_timer_neither_fires_nor_moves_time():
    async def main(loop):
        timers = [loop.call_later(100 + number, pytest.fail) for number in range(500)]
        for timer in timers:
            timer.cancel()
        assert len(loop._timers) < 250  # they do not pile up either
        await asyncio.sleep(5)
        return loop.time()

    assert run(1, main).value == 5.0


def test_time_may_pass_within_a_step():
    async def main(loop):
        woken = []
        loop.call_later(2.0, lambda: woken.append(loop.time()))
        loop.advance(3.0)
        await asyncio.sleep(0.5)
        return [*woken, loop.time()]

    assert run(1, main, policy="fifo").value == [3.0, 3.5]


def test_context_variables_travel_as_they_do_on_a_real_loop():
    variable = contextvars.ContextVar("variable", default="outer")

    async def main(loop=None):
        loop = loop or asyncio.get_running_loop()
        seen = []

        async def child():
            seen.append(variable.get())
            variable.set("child")
            await asyncio.sleep(0)
            seen.append(variable.get())

        variable.set("main")
        await asyncio.create_task(child())
        mine = contextvars.copy_context()
        mine.run(variable.set, "given")
        await asyncio.create_task(child(), context=mine)
        loop.call_soon(lambda: seen.append(variable.get()), context=mine)
        loop.call_soon(lambda: seen.append(variable.get()), context=contextvars.Context())
        await asyncio.sleep(0.01)
        return [*seen, variable.get(), mine[variable]]

    expected = asyncio.run(main())
    assert run(1, main, policy="fifo").value == expected
    assert expected == ["main", "child", "given", "child", "child", "outer", "main", "child"]


def test_offloaded_work_runs_inline_at_a_step_of_its_own_and_hands_its_error_back():
    async def main(loop):
        here = threading.get_ident()
        assert await asyncio.to_thread(threading.get_ident) == here
        future = loop.run_in_executor(None, int, "x")
        assert not future.done()
        with pytest.raises(ValueError, match="invalid literal"):
            await future
        dropped = loop.run_in_executor(None, pytest.fail)
        dropped.cancel()
        await asyncio.sleep(1)

    run(1, main)


def test_it_works_under_asyncios_own_runner():
    async def main():
        await asyncio.sleep(3600)
        return asyncio.get_running_loop().time()

    with asyncio.Runner(loop_factory=functools.partial(SimLoop, 1)) as runner:
        assert runner.run(main()) == 3600.0
        assert runner.run(main()) == 7200.0


def test_what_main_leaves_behind_is_cancelled_and_may_clean_up():
    cleaned = []

    async def main(loop):
        async def forever(name):
            try:
                await asyncio.Event().wait()
            finally:
                await asyncio.sleep(1)
                cleaned.append(name)

        async def numbers():
            try:
                yield 1
            finally:
                cleaned.append("generator")

        tasks = [loop.create_task(forever(name)) for name in "ab"]
        generator = numbers()
        await anext(generator)
        await asyncio.sleep(0.1)
        loop.kept = [tasks, generator]

    run(1, main)
    assert sorted(cleaned) == ["a", "b", "generator"]


def test_a_loop_refuses_what_asyncio_refuses():
    async def inner():
        pass

    async def main(_loop):
        coro = inner()
        other = SimLoop(2)
        with pytest.raises(RuntimeError, match="another loop is running"):
            other.run_until_complete(coro)
        coro.close()
        other.close()

    run(1, main)
    loop = SimLoop(1)
    loop.close()
    with pytest.raises(RuntimeError, match="Event loop is closed"):
        loop.call_soon(print)


def test_garbage_is_not_collected_within_a_run_and_is_again_after_it():
    async def main(_loop):
        return gc.isenabled()

    assert gc.isenabled()
    assert run(1, main).value is False
    assert gc.isenabled()


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32), st.lists(st.integers(0, 3), min_size=1, max_size=12), st.sampled_from(POLICIES))
def test_any_set_of_sleeps_ends_at_the_longest_and_in_order_of_time(seed, sleeps, policy):
    async def main(loop):
        ends = []

        async def sleep(seconds):
            await asyncio.sleep(seconds)
            ends.append(seconds)
            assert loop.time() == seconds

        await asyncio.gather(*map(sleep, sleeps))
        return ends

    done = run(seed, main, policy=policy)
    assert done.value == sorted(sleeps)
    assert done.time_s == max(sleeps)
