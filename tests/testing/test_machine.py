"""A machine that crashes runs nothing more, not even a `finally`; the rest goes on, and it can boot again."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lictor.testing import Crashed, DeadlockError, run

ROOT = Path(__file__).parents[2]


def test_a_crash_between_steps_runs_no_cleanup_and_leaves_the_rest_alone():
    async def main(loop):
        log = []
        node = loop.boot("node")

        async def work(name):
            try:
                for _ in range(100):
                    await asyncio.sleep(1)
                    log.append((name, loop.time()))
            except BaseException:
                log.append(f"{name} caught")
                raise
            finally:
                log.append(f"{name} cleaned up")

        on_node = node.spawn(work("node"))
        elsewhere = loop.create_task(work("world"))
        loop.call_later(3.5, node.crash)
        with pytest.raises(Crashed, match=r"node\.1 crashed"):
            await node.join(on_node)
        assert loop.time() == 3.5
        await elsewhere
        assert not on_node.done()
        return log

    done = run(1, main)
    log = done.value
    assert [entry for entry in log if entry[0] == "node"] == [("node", 1.0), ("node", 2.0), ("node", 3.0)]
    assert [entry for entry in log if isinstance(entry, str)] == ["world cleaned up"]
    # Nor did it run when the run was over and what was left was freed.
    assert done.time_s == 100.0


def test_everything_a_machine_schedules_is_its_own_through_tasks_timers_futures_and_offloading():
    async def main(loop):
        ran = []
        node = loop.boot("node")
        bell = loop.create_future()

        async def child():
            await bell
            ran.append("child")

        async def parent():
            loop.call_later(5, ran.append, "timer")
            loop.call_soon(loop.call_later, 5, ran.append, "timer of a callback")
            bell.add_done_callback(lambda _bell: ran.append("callback of a foreign future"))
            async with asyncio.TaskGroup() as group:
                group.create_task(child())
                await asyncio.gather(child(), asyncio.wait_for(asyncio.shield(child()), 60))

        node.spawn(parent())
        await asyncio.sleep(4)
        loop.run_in_executor(None, ran.append, "offloaded by the world")
        node.call(loop.run_in_executor, None, ran.append, "offloaded")
        node.crash()
        bell.set_result(None)
        await asyncio.sleep(10)
        return ran

    for seed in range(20):
        assert run(seed, main).value == ["offloaded by the world"]


def test_the_world_keeps_what_it_scheduled_about_a_machine_that_crashed():
    async def main(loop):
        log = []
        node = loop.boot("node")
        answer = loop.create_future()

        async def serve():
            await asyncio.sleep(1)
            answer.set_result("sent before the crash")
            await asyncio.sleep(0)
            log.append("went on")

        async def client():
            log.append(await answer)

        node.spawn(serve())
        waiting = loop.create_task(client())
        answer.add_done_callback(lambda _answer: node.crash())
        await waiting
        await node.crashed()
        return log

    assert {tuple(run(seed, main).value) for seed in range(50)} == {
        ("sent before the crash",),
        ("went on", "sent before the crash"),
        ("sent before the crash", "went on"),
    }


def test_a_crash_in_a_synchronous_call_is_not_caught_as_an_error_and_nobody_hears_the_rest_of_the_step():
    async def main(loop):
        log = []
        node = loop.boot("node")
        answer, failure, cancelled = (loop.create_future() for _ in range(3))
        listeners = [loop.create_task(asyncio.wait([future])) for future in (answer, failure, cancelled)]

        def write():
            node.check()
            node.crash()

        async def background():
            log.append("background")

        async def work():
            try:
                write()
            except Exception:
                log.append("caught as an error")
            finally:
                with pytest.raises(Crashed):
                    write()
                answer.set_result("from the dead")
                failure.set_exception(ValueError("from the dead"))
                cancelled.cancel()
                listeners[0].cancel()
                loop.call_soon(log.append, "callback")
                loop.call_later(1, log.append, "timer")
                loop.create_task(background())
                loop.world.spawn(background())
                loop.run_in_executor(None, log.append, "offloaded")
                await asyncio.sleep(1)
                log.append("resumed")

        await asyncio.sleep(0.1)
        task = node.spawn(work())
        with pytest.raises(Crashed):
            await node.join(task)
        await asyncio.sleep(10)
        assert not any(each.done() for each in (task, answer, failure, cancelled, *listeners))
        return log

    for seed in range(20):
        assert run(seed, main).value == []


def test_the_world_can_call_a_machine_which_may_crash_in_the_call():
    async def main(loop):
        node = loop.boot("node")
        seen = []
        assert node.call(lambda: loop.call_soon(seen.append, "scheduled") is not None)
        await asyncio.sleep(1)
        with pytest.raises(Crashed):
            node.call(node.crash)
        with pytest.raises(Crashed):
            node.call(seen.append, "called after the crash")
        with pytest.raises(Crashed):
            node.check()
        node.crash()  # twice is once
        loop.call_soon(seen.append, "the caller goes on")
        await asyncio.sleep(1)
        return seen

    assert run(1, main).value == ["scheduled", "the caller goes on"]


def test_a_machine_that_is_called_by_another_can_take_the_caller_down():
    async def main(loop):
        a, b = loop.boot("a"), loop.boot("b")
        log = []

        async def work():
            try:
                b.call(lambda: (a.crash(), log.append("b goes on")))
            except Crashed as crash:
                log.append(str(crash))
                loop.call_soon(log.append, "from the dead")

        a.spawn(work())
        await a.crashed()
        assert b.alive
        return log

    assert run(1, main).value == ["b goes on", "a.1 crashed"]


def test_a_machine_boots_again_as_the_next_incarnation():
    async def main(loop):
        disk = []

        async def work(incarnation):
            for _ in range(3):
                await asyncio.sleep(1)
                disk.append(incarnation)

        for _ in range(3):
            node = loop.boot("node")
            with pytest.raises(ValueError, match="node is up"):
                loop.boot("node")
            node.spawn(work(node.label))
            await asyncio.sleep(2.5)
            node.crash()
        await asyncio.sleep(9)
        return disk

    assert run(1, main).value == ["node.1", "node.1", "node.2", "node.2", "node.3", "node.3"]


def test_the_world_cannot_crash():
    async def main(loop):
        with pytest.raises(ValueError, match="the world cannot crash"):
            loop.world.crash()

    run(1, main)


def test_a_paused_machine_takes_no_step_until_it_goes_on_however_late_that_is():
    async def main(loop):
        node = loop.boot("node")
        seen = []

        async def work():
            while True:
                await asyncio.sleep(1)
                seen.append(loop.time())

        node.spawn(work())
        await asyncio.sleep(2.5)
        loop.pause(node)
        await asyncio.sleep(60)
        assert seen == [1.0, 2.0]
        loop.resume(node)
        await asyncio.sleep(1.25)
        assert seen == [1.0, 2.0, 62.5, 63.5]
        loop.pause(node)
        await asyncio.sleep(5)
        node.crash()
        loop.resume(node)
        await asyncio.sleep(5)
        return seen

    assert run(1, main).value == [1.0, 2.0, 62.5, 63.5]


def test_who_waits_for_a_machine_that_crashed_is_in_a_deadlock_unless_by_join():
    async def main(loop):
        node = loop.boot("node")
        task = node.spawn(asyncio.Event().wait())
        loop.call_later(1, node.crash)
        await task

    with pytest.raises(DeadlockError) as caught:
        run(1, main)
    assert [line for line in caught.value.waiting if line.startswith("node")] == []


NOISY = """
import asyncio
from lictor.testing import run

async def main(loop):
    node = loop.boot("node")

    async def stubborn():
        while True:
            try:
                await asyncio.sleep(1)
            except BaseException:
                pass

    async def numbers():
        try:
            while True:
                yield 1
        finally:
            await asyncio.sleep(1)
            print("generator cleaned up")

    async def never():
        pass

    async def work():
        held = never()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(stubborn())
                group.create_task(fail())
                async with asyncio.timeout(100):
                    async for _ in numbers():
                        await asyncio.gather(asyncio.sleep(1), asyncio.sleep(2))
        finally:
            await asyncio.sleep(1)
            print("cleaned up", held)

    async def fail():
        await asyncio.sleep(1)
        raise ValueError

    async def last():
        await asyncio.sleep(1.5)
        node.crash()

    node.spawn(work())
    node.spawn(fail())
    node.spawn(stubborn())
    node.spawn(last())
    await node.crashed()

for seed in range(30):
    try:
        run(seed, main)
    except ExceptionGroup as group:  # `fail` fails before the crash, unseen
        assert [type(error) for error in group.exceptions] == [ValueError]
"""


def test_a_crash_makes_no_noise():
    """No print of a task that was destroyed, a coroutine that was never awaited, or an exception that was ignored."""
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "always", "-c", NOISY],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        env=os.environ,
    )
    assert (done.stdout, done.stderr) == ("", "")
