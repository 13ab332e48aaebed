"""The speed benchmark in small: real processes, real files, and the honesty of its report."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from benchmarks.speed import plan
from benchmarks.speed.__main__ import chosen, main, write
from benchmarks.speed.machine import busy_cpu_s, refuse_memory, wait_until_quiet
from benchmarks.speed.run import Run, percentile
from benchmarks.speed.runner import Results, run_all

ROOT = Path(__file__).parents[2]


@pytest.fixture
def data(monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory on the disk of the repository (a temporary directory may be memory), from which children start."""
    monkeypatch.chdir(ROOT)
    directory = ROOT / "out" / "speed-smoke"
    directory.mkdir(parents=True, exist_ok=True)
    return directory


def test_runs_leave_durable_outcomes_and_a_report(data: Path, tmp_path: Path) -> None:
    before = set(data.iterdir())  # a run that was killed may have left something; this one may not
    runs = plan.shortened(chosen(["sqlite random 10", "pipeline closed 16", "pipeline open 20000"]), 0.02)
    results = run_all(runs, repeats=1, seed=3, data=data)
    assert results.failures == {}
    closed = results.samples["pipeline closed 16"][0]
    assert closed["done"] > 0
    assert closed["durable"] >= closed["done"]
    assert closed["cpu_us"] > 0
    opened = results.samples["pipeline open 20000"][0]
    answered = ("admitted_per_second", "shed_at_door_per_second", "shed_by_arm_per_second")
    assert 0 < opened["admitted_per_second"] <= sum(opened[name] for name in answered) <= opened["offered_per_second"]
    assert set(data.iterdir()) == before

    path = write(results, out=tmp_path, seed=3, started_us=time.time_ns() // 1000, command="a test")
    shows = {shown["id"]: shown for shown in json.loads(path.read_bytes())["shows"]}
    assert shows["bare SQLite: 10 a commit, random keys"]["met"]
    missing = shows["S7 goal: 1,024 concurrent single submits"]
    assert missing["value"] is None
    assert not missing["met"]


@pytest.mark.parametrize("commit", ["inline", "thread", "split"])
def test_every_placement_commits_what_it_acknowledges(data: Path, commit: str) -> None:
    run = Run(name=commit, arm="pipeline", measure="bulk", count=200, commit=commit)
    results = run_all([run], repeats=1, seed=1, data=data)
    assert results.failures == {}
    assert results.samples[commit][0]["durable"] == 264


def test_what_only_lictor_has_is_measured_and_durable(data: Path) -> None:
    names = ["lictor part load", "lictor refusals", "lictor many 20 gates", "lictor many 3 budgets"]
    results = run_all(plan.shortened(chosen(names), 0.05), repeats=1, seed=1, data=data)
    assert results.failures == {}
    assert set(results.samples) == set(names)
    loaded = results.samples["lictor part load"][0]
    assert 0 < loaded["per_second"] < loaded["capacity_per_second"]


def test_the_command_explains_itself(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["--help"])
    assert left.value.code == 0
    assert "--repeats" in capsys.readouterr().out


def test_a_run_that_fails_leaves_no_figure(data: Path) -> None:
    results = run_all([Run(name="gone", arm="nobody", measure="idle")], repeats=2, seed=1, data=data)
    assert "nobody" in results.failures["gone"]
    assert results.median("gone", "p50_ms") is None


def test_figures_are_medians_and_ratios_are_taken_within_a_repeat() -> None:
    results = Results()
    results.samples = {"a": [{"x": 1.0}, {"x": 10.0}, {"x": 4.0}], "b": [{"x": 2.0}, {"x": 5.0}, {"x": 4.0}]}
    assert results.median("a", "x") == 4.0
    assert results.ratio("x", "a", "b") == 1.0
    assert results.ratio("x", "a", "never ran") is None


def test_names_are_unique_and_every_run_of_the_figures_is_planned() -> None:
    from benchmarks.speed.figures import BEST_PEERS, LINES

    names = [run.name for run in plan.everything()]
    assert len(names) == len(set(names))
    assert {line.run for line in LINES} | set(BEST_PEERS) <= set(names)


def test_percentiles_are_values_that_occurred() -> None:
    values = [float(value) for value in range(1, 101)]
    assert [percentile(values, share) for share in (0.5, 0.99, 1.0)] == [50.0, 99.0, 100.0]
    assert percentile([7.0], 0.5) == 7.0


def test_waiting_for_quiet_ends() -> None:
    before_s = busy_cpu_s()
    assert wait_until_quiet(0.0) >= 0.0
    if before_s is not None:
        assert busy_cpu_s() >= before_s > 0.0


def test_a_file_system_in_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    shared = Path("/dev/shm")
    if not shared.is_mount():
        pytest.skip("no file system in memory here")
    with pytest.raises(RuntimeError, match="real disk"):
        refuse_memory(shared)
