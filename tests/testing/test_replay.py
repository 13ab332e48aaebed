"""One seed is one run: in this process, in a fresh one, whatever the hash seed, and whatever else is drawn."""

import asyncio
import functools
import os
import subprocess
import sys
from pathlib import Path

from tests.testing.medley import medley

from lictor.testing import run

ROOT = Path(__file__).parents[2]
POLICIES = ("uniform", "fifo")


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
    assert "Medley.queue.<locals>.produce" in {record[4] for record in steps}
    assert not any("0x" in record[4] for record in trace.kept)
