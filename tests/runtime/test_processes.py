import asyncio
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from lictor.runtime.processes import Processes, WorkerDied, WorkerNotStarted

ROOT = Path(__file__).parents[2]


def driven(slots, drive, serves="tests.runtime.echo:maker"):
    """What `drive(processes, ask)` returns."""

    async def main():
        processes = Processes(slots, serves, "said ")

        async def ask(request: bytes) -> bytes:
            return await processes.run(lambda: request)

        try:
            return await asyncio.wait_for(drive(processes, ask), 60)
        finally:
            await processes.stop()
            assert processes.pids == []

    return asyncio.run(main())


def gone(pid: int) -> bool:
    """Whether no process of that number runs; one that nobody has waited for is a zombie and runs no more."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True


async def until(true) -> None:
    async with asyncio.timeout(30):
        while not true():
            await asyncio.sleep(0.01)


def test_each_slot_is_a_process_of_its_own_that_answers_again_and_again():
    async def drive(processes, ask):
        pids = await asyncio.gather(*(ask(b"pid") for _ in range(2)))
        assert os.getpid() not in map(int, pids)
        assert len(set(pids)) == 2
        assert await asyncio.gather(*(ask(b"%d" % n) for n in range(20))) == [b"said %d" % n for n in range(20)]
        assert await ask(b"print") == b"said print"  # what it prints is no answer
        assert {await ask(b"pid") for _ in range(10)} <= set(pids)

    driven(2, drive)


@pytest.mark.parametrize("request_", [b"spin", b"hold"])
def test_a_call_that_is_cancelled_is_dead_when_that_returns_and_its_slot_works_again(request_):
    async def drive(processes, ask):
        pid = int(await ask(b"pid"))
        call = asyncio.create_task(ask(request_))
        await asyncio.sleep(0)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert gone(pid)
        assert await ask(b"on") == b"said on"

    driven(1, drive)


def test_a_worker_that_dies_is_told_and_started_again():
    async def drive(processes, ask):
        for _ in range(2):
            with pytest.raises(WorkerDied, match="7"):
                await ask(b"die")
            assert await ask(b"on") == b"said on"

    driven(1, drive)


def test_what_a_killed_worker_has_started_dies_with_it():
    async def drive(processes, ask):
        child = int(await ask(b"child"))
        call = asyncio.create_task(ask(b"spin"))
        await asyncio.sleep(0)
        call.cancel()
        await asyncio.gather(call, return_exceptions=True)
        await until(lambda: gone(child))

    driven(1, drive)


@pytest.mark.parametrize(
    ("serves", "why"), [("tests.runtime.echo:refuses", "not today"), ("tests.nowhere:at_all", "nowhere")]
)
def test_what_cannot_be_started_says_why_and_nothing_has_begun(serves, why):
    async def drive(processes, ask):
        for _ in range(2):
            with pytest.raises(WorkerNotStarted, match=why):
                await ask(b"x")

    driven(1, drive, serves)


def test_a_request_that_is_not_made_after_all_leaves_the_worker_alone():
    async def drive(processes, ask):
        pid = await ask(b"pid")

        def too_late() -> bytes:
            raise TimeoutError

        with pytest.raises(TimeoutError):
            await processes.run(too_late)
        assert await ask(b"pid") == pid

    driven(1, drive)


def test_who_waits_for_a_worker_and_gives_up_leaves_it_to_the_next():
    async def drive(processes, ask):
        first, second, third = (asyncio.create_task(ask(request)) for request in (b"slow", b"2", b"3"))
        await asyncio.sleep(0)
        second.cancel()
        assert await third == b"said 3"
        assert await first == b"said slow"

    driven(1, drive)


@pytest.mark.parametrize("request_", ["spin", "hold"])
def test_workers_die_with_their_node_even_when_it_is_killed(request_, tmp_path):
    program = f"""
        import asyncio
        from lictor.runtime.processes import Processes

        async def main():
            processes = Processes(1, "tests.runtime.echo:maker", "")
            print((await processes.run(lambda: b"pid")).decode(), flush=True)
            await processes.run(lambda: b"{request_}")

        asyncio.run(main())
    """
    with subprocess.Popen([sys.executable, "-c", textwrap.dedent(program)], stdout=subprocess.PIPE, cwd=ROOT) as node:
        pid = int(node.stdout.readline())
        assert not gone(pid)
        node.send_signal(signal.SIGKILL)
    asyncio.run(until(lambda: gone(pid)))
