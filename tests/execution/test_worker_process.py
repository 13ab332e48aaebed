"""CPU-bound effectors run in processes of their own, which can be killed in the midst of it."""

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
from decimal import Decimal
from pathlib import Path

import pytest
from tests.execution.working import Work, built, work
from tests.rig import simulate
from tests.runtime.test_processes import gone, until

from lictor import Adaptive, App, Call, DeclarationError, Node, Settings
from lictor.capacity.extra_work import EXTRA_PER_ROOT_MAX

ROOT = Path(__file__).parents[2]


def driven(drive, app=None, **options):
    """What `drive(node, do)` returns, with a real node."""

    async def main():
        async with Node(app or built(**options), settings=Settings(durability="memory", drain_s=0.1)) as node:

            async def do(how: str, amount: Decimal = Decimal(1)):
                handle = await node.submit(Work(how, amount))
                return await asyncio.wait_for(handle.outcome(), 100)

            return await drive(node, do)

    return asyncio.run(main())


def pids(node) -> list[int]:
    return node.pipeline.execution.attempts._workers["work"].processes.pids


def test_it_runs_elsewhere_with_its_call_and_its_arguments_as_they_are_declared():
    async def drive(node, do):
        outcome = await do("ok", Decimal("1.25"))
        assert outcome.result == "succeeded"
        assert outcome.value["pid"] in pids(node)
        assert outcome.value["pid"] != os.getpid()
        assert (outcome.value["twice"], outcome.value["type"]) == ("2.50", "Decimal")
        assert outcome.value["key"].endswith(".0")
        assert [(s.budget, s.amount) for s in outcome.settled] == [("cash", 7)]

    driven(drive)


def test_whatever_comes_of_it_is_told_as_from_a_thread():
    async def drive(node, do):
        failed = await do("fail")
        assert (failed.result, failed.code, failed.detail) == ("failed", "NO_FUNDS", "no")
        assert (await do("busy")).attempts == 2
        assert (await do("pend")).value.startswith("asked pend")
        assert (await do("raise")).value == f"asked raise in {os.getpid()}"  # in doubt, and asked in a thread

    driven(drive)


def test_one_that_spins_is_killed_at_its_time_out_while_other_work_goes_on():
    async def drive(node, do):
        await do("ok")
        await until(lambda: len(pids(node)) == 2)  # else the time-out would count their start
        handle, done = await node.submit(Work("spin")), 0
        spinning = asyncio.create_task(handle.outcome())
        while not spinning.done():
            assert (await do("ok")).result == "succeeded"
            done += 1
        assert done > 3
        assert spinning.result().value.startswith("asked spin")  # in doubt, so it was asked
        await until(lambda: len(pids(node)) == 2)

    driven(drive, timeout_s=3)


def test_a_worker_that_dies_leaves_its_call_in_doubt():
    async def drive(node, do):
        assert (await do("die")).value.startswith("asked die")
        assert (await do("ok")).result == "succeeded"

    driven(drive)


def test_an_idempotent_one_is_called_again():
    async def drive(node, do):
        outcome = await do("die")
        assert outcome.attempts == 1 + EXTRA_PER_ROOT_MAX
        assert outcome.value.startswith("asked die")  # its extra attempts are spent, so it is asked for

    driven(drive, idempotent=True, retry_base_s=0.01)


def test_no_process_outlives_its_node():
    async def drive(node, do):
        await do("ok")
        await until(lambda: len(pids(node)) == 2)
        return pids(node)

    assert all(gone(pid) for pid in driven(drive))


def test_no_process_outlives_a_node_that_is_killed():
    program = """
        import asyncio
        from lictor import Node
        from tests.execution.working import Work, built

        async def main():
            async with Node(built(slots=1)) as node:
                print((await (await node.submit(Work("ok"))).outcome()).value["pid"], flush=True)
                await (await node.submit(Work("spin"))).outcome()

        asyncio.run(main())
    """
    with subprocess.Popen([sys.executable, "-c", textwrap.dedent(program)], stdout=subprocess.PIPE, cwd=ROOT) as node:
        pid = int(node.stdout.readline())
        node.send_signal(signal.SIGKILL)
    asyncio.run(until(lambda: gone(pid)))


def test_a_simulation_runs_it_inline():
    async def main(rig):
        await rig.start(built())
        assert (await rig.outcome(Work("ok"))).value["pid"] == os.getpid()

    simulate(main)


def elsewhere(call: Call) -> None:
    """Declared under a name that is not its own."""


@pytest.mark.parametrize(
    ("declare", "why"),
    [
        (lambda app: app.effector(idempotent=False, timeout_s=1, runs_in="process")(lambda call: None), "imported"),
        (lambda app: app.effector(idempotent=False, timeout_s=1, runs_in="elsewhere")(work), "process"),
        (
            lambda app: app.effector(idempotent=False, timeout_s=1, runs_in="process", slots=Adaptive())(work),
            "as many as there are slots",
        ),
    ],
)
def test_what_no_worker_could_run_is_refused_where_it_is_declared(declare, why):
    with pytest.raises(DeclarationError, match=why) as refused:
        declare(App("x"))
    assert refused.value.code == "DECLARATION"


def test_an_async_function_and_one_of_a_script_are_refused(monkeypatch):
    async def waits(call: Call) -> None:
        """Nothing."""

    declare = App("x").effector(idempotent=False, timeout_s=1, runs_in="process")
    with pytest.raises(DeclarationError, match="async"):
        declare(waits)
    monkeypatch.setattr(elsewhere, "__module__", "__main__")
    with pytest.raises(DeclarationError, match="script"):
        declare(elsewhere)


def test_a_function_whose_name_leads_elsewhere_is_refused_before_the_node_starts(monkeypatch):
    app = App("x")
    app.effector(idempotent=False, timeout_s=1, runs_in="process")(elsewhere)
    app.check()
    monkeypatch.setitem(globals(), "elsewhere", work)
    with pytest.raises(DeclarationError, match="keep the name"):
        app.check()
