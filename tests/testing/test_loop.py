"""The loop is asyncio to the code on it, one seed is one run, and whatever can go wrong with a schedule is an error."""

import asyncio
import contextvars
import functools
import gc
import itertools
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.testing.medley import medley

from lictor.testing import DeadlockError, FenceError, LivelockError, SimLoop, run

ROOT = Path(__file__).parents[2]
POLICIES = ("uniform", "fifo")


# One seed, one run


def test_the_same_seed_gives_the_same_trace_in_this_process():
    assert run(5, medley).digest == run(5, medley).digest


def test_another_seed_gives_another_schedule():
    assert len({run(seed, medley).digest for seed in range(20)}) == 20


def test_the_same_seed_gives_the_same_trace_in_fresh_processes_with_any_hash_seed():
    code = (
        "from tests.testing.medley import medley; from lictor.testing import run; "
        f"print(*(run(11, medley, policy=policy).digest for policy in {POLICIES}))"
    )
    printed = {
        subprocess.run(
            [sys.executable, *options, "-c", code],
            env=os.environ | {"PYTHONHASHSEED": hash_seed},
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for hash_seed, options in (("0", []), ("1", []), ("random", ["-X", "dev"]))  # dev: another allocator
    }
    assert printed == {" ".join(run(11, medley, policy=policy).digest for policy in POLICIES) + "\n"}


def test_tasks_and_futures_hash_alike_in_every_run_where_those_of_asyncio_hash_by_address():
    """Sets of them, which asyncio keeps in task groups and in `wait`, are iterated in the order of the hashes."""

    async def main(loop):
        async def nothing():
            pass

        ours = [*(loop.create_task(nothing()) for _ in range(20)), *(loop.create_future() for _ in range(20))]
        theirs = [*(asyncio.Task(nothing(), loop=loop) for _ in range(20)), asyncio.Future(loop=loop)]
        await asyncio.gather(*ours[:20], *theirs[:20])
        return ours, theirs

    (ours, theirs), (ours_again, theirs_again) = (run(1, main).value for _ in range(2))  # all alive at once
    assert list(map(hash, ours)) == list(map(hash, ours_again))
    assert set(map(hash, theirs)).isdisjoint(map(hash, theirs_again))


def test_a_draw_for_one_purpose_does_not_reshuffle_another():
    async def main(loop, *, workload):
        for _ in range(workload):
            loop.streams.of("workload").random()
        return await medley(loop)

    assert run(3, functools.partial(main, workload=0)).digest == run(3, functools.partial(main, workload=9)).digest


def test_the_digest_does_not_depend_on_when_it_is_asked_for():
    async def main(loop, *, ask):
        async def spin():
            for number in range(3000):
                await asyncio.sleep(0)
                if ask and number % 100 == 0:
                    loop.trace.digest()

        await asyncio.gather(spin(), spin())

    assert run(1, functools.partial(main, ask=False)).digest == run(1, functools.partial(main, ask=True)).digest


def test_the_trace_names_each_step_and_holds_no_address():
    trace = run(2, medley, keep_trace=True).trace
    steps = [record for record in trace.kept if record[0] == "step"]
    assert [record[1] for record in steps] == sorted(record[1] for record in steps)
    assert "medley.<locals>.queue.<locals>.produce" in {record[4] for record in steps}
    assert not any("0x" in record[4] for record in trace.kept)


# It is asyncio


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


# What goes wrong is an error


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
    assert "test_loop.py" in first
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


FENCED = {
    "a thread": lambda: threading.Thread(target=print).start(),
    "a process": lambda: subprocess.run(["true"], check=True),
    "a fork": os.fork,
    "a shell": lambda: os.system("true"),
    "a socket": socket.socket,
    "a name": lambda: socket.getaddrinfo("localhost", 80),
    "a signal handler": lambda: signal.signal(signal.SIGUSR1, signal.SIG_IGN),
    "a real sleep": lambda: time.sleep(0),
    "a reader on the loop": lambda: asyncio.get_running_loop().add_reader(0, print),
    "a signal handler on the loop": lambda: asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, print),
}


@pytest.mark.parametrize("reach", FENCED.values(), ids=FENCED)
def test_the_real_world_is_fenced_off(reach):
    async def main(_loop):
        with pytest.raises(FenceError):
            reach()

    run(1, main)


@pytest.mark.parametrize(
    "reach",
    [
        lambda: asyncio.open_connection("localhost", 80),
        lambda: asyncio.start_server(print, "localhost", 0),
        lambda: asyncio.create_subprocess_exec("true"),
        lambda: asyncio.create_subprocess_shell("true"),
        lambda: asyncio.open_unix_connection("/nowhere"),
    ],
)
def test_streams_and_subprocesses_of_asyncio_are_fenced_off(reach):
    async def main(_loop):
        with pytest.raises(FenceError):
            await reach()

    run(1, main)


def test_outside_a_run_there_is_no_fence():
    run(1, medley)
    thread = threading.Thread(target=print, args=("",))
    thread.start()
    thread.join()
    socket.socket().close()
    time.sleep(0)
    assert signal.signal.__module__ == "signal"


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
