"""`lictor quality` and `lictor explain`, as people and programs read them."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.rig import Payout, payouts, simulate

from lictor import Node, Settings
from lictor.explain.consequence import Consequence
from lictor.runtime.offload import inline
from lictor.runtime.randomness import Randomness
from lictor.surfaces.cli.measuring import amount, bar, lost, span


def test_a_live_node_says_when_it_does_not_know_yet(shell) -> None:
    with shell.node():
        shell.submit("a-17", 5, "--wait")
        code, out, _ = shell("quality")
        assert (code, out) == (0, "not known yet: capacity is what a node has sustained for 10 s\n")
        found = shell.json("quality")
        assert (found["load"], found["alert"], found["curve"]) == (None, None, [])
        assert "lictor_execution_quality" not in shell("metrics")[1]


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """The file of a node that was asked for twice of what it can do, for half a minute, in simulated time."""
    path = tmp_path / "busy.db"

    async def main(rig) -> None:
        rig.machine = rig.loop.boot("node")
        app = payouts(rig.world, kind={"expires_in_s": 1.0}, slots=4)
        node = Node(
            app,
            str(path),
            settings=Settings(tune_collector=False),
            clock=rig.clock,
            randomness=Randomness(1),
            lanes=inline,
        )
        await rig.on(node.start())
        for number in range(30 * 20 + 20 * 80):
            rig.world.says(f"a-{number}", "fail" if number % 20 == 0 else 0.1)
            rig.machine.spawn(node.submit(Payout(f"a-{number}")))
            await asyncio.sleep(1 / 20 if number < 30 * 20 else 1 / 80)
        await asyncio.sleep(3)
        await rig.on(node.stop())

    simulate(main, steps_max=10_000_000)
    return path


def test_a_closed_file_tells_its_curve(shell, journal: Path) -> None:
    found = shell.json("quality", "--journal", str(journal))
    assert 30 < found["capacity_per_s"] < 41
    assert found["curve"][-1]["load_to"] == 3.0
    assert 0.9 < found["quality"] <= 1.0
    code, out, _ = shell("quality", "--journal", str(journal))
    assert code == 0
    assert out.startswith("quality ")
    assert "times the capacity of" in out
    assert "ran and failed" in out


def test_explain_reads_as_sentences_and_as_data(shell) -> None:
    code, out, _ = shell("explain", "payouts:app", "--no-calibrate", "--headroom", "0.5", "--nodes", "4")
    assert code == 0
    for line in ("speed and correctness", "centralisation and autonomy", "reliability and cost"):
        assert line in out.splitlines()
    rows = shell.json("explain", "payouts:app", "--no-calibrate", "--assurance", "verified")
    assert {row["trade_off"] for row in rows} == {"speed and correctness", "reliability and cost"}
    assert all(row["formula"] for row in rows)


def test_explain_calls_nothing_of_the_app_and_leaves_nothing(shell) -> None:
    before = sorted(path.name for path in shell.folder.iterdir())
    rows = shell.json("explain", "payouts:app")
    assert any("measured here" in row["formula"] for row in rows)
    assert sorted(path.name for path in shell.folder.iterdir() if path.name != "__pycache__") == [
        name for name in before if name != "__pycache__"
    ]
    assert shell.bank == []


def test_a_share_of_capacity_beyond_all_is_refused(shell) -> None:
    assert shell("explain", "payouts:app", "--headroom", "1")[0] == 2


def test_numbers_are_told_with_their_meaning() -> None:
    told = Consequence("", "", "", 1.5, "s", "")
    assert amount(told) == "1.5 s"
    assert amount(told._replace(bound=True, value=20_000)) == "at most 20,000 s"
    assert amount(told._replace(bound=True, value=None)) == "no bound"
    assert amount(told._replace(value=None, unit="ms")) == "not measured"
    assert lost({"late": 0.0, "stale": 0.25, "harm": 0.0001}) == "; lost: 25.0% started too late"
    assert span(0.5, 0.75) == "0.5 to 0.75"
    assert span(20, None) == "above 20"
    assert bar(0.5) == "#" * 10
