"""Pulling under load: what is shed comes again, patience ends, a stopped node says so, the gate judges rows too."""

import pytest
from tests.inputs.payouts import Payout, payouts
from tests.inputs.pulls import pulled, write
from tests.inputs.simulated import node_on, simulate

from lictor import CsvFile, DeclarationError, NodeStoppedError, Quality, Range
from lictor.journal.memory import MemoryDisk


def test_rows_that_are_shed_wait_and_come_again(tmp_path):
    rows = "".join(f"a{i},{i + 1}\n" for i in range(60))
    path = write(tmp_path / "pay.csv", "account,amount\n" + rows)
    app, done = payouts(slots=1)

    @app.effector(idempotent=False, timeout_s=60, slots=1)
    async def slow(call, account: str, amount: int):
        await clocks[0].sleep(2)
        done.append((account, amount))

    app.plans["Payout"] = lambda payout: slow.action(payout.account, payout.amount)
    clocks = []

    async def main(clock):
        clocks.append(clock)
        async with node_on(app, clock, backlog_max=5, drain_s=600) as node:
            result = await node.pull(CsvFile(path, Payout, source="bank"), ahead_max=20, patience_s=600)
            while node.journal.state.open:
                await clock.sleep(1)
            return result

    result = simulate(main)
    assert result.verdicts == {"admitted": 60}
    assert result.repeats > 0
    assert sorted(done) == sorted((f"a{i}", i + 1) for i in range(60))


def test_patience_ends(tmp_path):
    path = write(tmp_path / "pay.csv", "account,amount\na,1\na,2\na,3\n")
    app, _ = payouts()

    async def main(clock):
        async with node_on(app, clock, backlog_max=1, drain_s=0) as node:
            await node.submit(Payout("z", 1), not_before_us=clock.wall_us() + 3_000_000_000)
            node.pipeline.execution.window.backlog_max = 0
            return await node.pull(CsvFile(path, Payout, source="bank"), patience_s=5)

    result = simulate(main)
    assert result.verdicts["shed"] + result.verdicts["admitted"] == 3


def test_pulling_from_a_stopped_node_says_so(tmp_path):
    path = write(tmp_path / "pay.csv", "account,amount\na,1\n")
    app, _ = payouts()

    async def main(clock):
        async with node_on(app, clock) as node:
            pass
        await node.pull(CsvFile(path, Payout, source="bank"))

    with pytest.raises(NodeStoppedError):
        simulate(main)


def test_a_gate_of_the_source_judges_rows_too(tmp_path):
    path = write(tmp_path / "pay.csv", "account,amount,number\na,1,1\na,5000,2\na,3,3\na,4,5\na,4,4\n")
    quality = Quality(ranges={"amount": Range(high=100)}, sequence="number", on_gap="quarantine")
    result, done, kept = pulled(CsvFile(path, Payout, source="feed"), app=payouts(quality))
    assert done == [("a", 1), ("a", 3)]
    assert [entry.reason for entry in reversed(kept)] == ["range", "gap", "order"]
    assert result.codes == {"QUARANTINED": 3}


def test_rows_that_were_shed_are_not_taken_for_late_or_double_when_they_come_again(tmp_path):
    rows = "".join(f"a{i},{i + 1},{i + 1}\n" for i in range(60))
    path = write(tmp_path / "pay.csv", "account,amount,number\n" + rows)
    quality = Quality(sequence="number", on_gap="quarantine", duplicates_within_s=3600)
    app, done = payouts(quality)
    clocks = []

    @app.effector(idempotent=False, timeout_s=60, slots=1)
    async def slow(call, account: str, amount: int):
        await clocks[0].sleep(1)
        done.append((account, amount))

    app.plans["Payout"] = lambda payout: slow.action(payout.account, payout.amount)

    async def main(clock):
        clocks.append(clock)
        async with node_on(app, clock, backlog_max=5) as node:
            result = await node.pull(CsvFile(path, Payout, source="feed"), ahead_max=20, patience_s=600)
            while node.journal.state.open:
                await clock.sleep(1)
            again = await node.submit(Payout("a3", 4, number=4), source="feed", key="other")
            return result, again

    result, again = simulate(main)
    assert result.repeats > 0
    assert result.verdicts == {"admitted": 60}
    assert len(done) == 60
    assert again.verdict.rulings[0].seen["reason"] == "order"


def test_what_an_app_declares_is_pulled_at_every_start_and_acts_once(tmp_path):
    path = write(tmp_path / "pay.csv", "account,amount\na,1\nb,2\n")
    app, done = payouts()
    app.pull(CsvFile(path, Payout, source="bank"))
    app.pull(CsvFile(tmp_path / "missing.csv", Payout, source="bank"))  # told, and nobody is stopped by it

    async def main(clock):
        disk = MemoryDisk()
        for _ in range(2):
            async with node_on(app, clock, disk) as node:
                while len(await node.outcomes()) < 2:
                    await clock.sleep(0.1)
                assert (await node.submit(Payout("z", 1), key="z")).admitted

    simulate(main)
    assert sorted(done) == [("a", 1), ("b", 2), ("z", 1)]


def test_what_gives_no_signals_cannot_be_declared_as_a_pull():
    with pytest.raises(DeclarationError, match="gives no signals"):
        payouts()[0].pull("pay.csv")
