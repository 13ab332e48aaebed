"""The scale benchmark in small: every measure does what it says, on real files, and the report is honest."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path

import pytest
from benchmarks.scale import figures, load, plan
from benchmarks.scale.__main__ import do
from benchmarks.scale.child import measure
from benchmarks.scale.fill import fill
from benchmarks.scale.run import Run

from lictor.surfaces.evidence import Evidence


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load, "WARM_UP", 100)


def test_all_actions_of_a_decision_run_at_once_and_so_do_those_of_several(tmp_path: Path) -> None:
    run = Run(name="fan", measure="fan", decisions=3, actions=200, action_s=0.05)
    sample = asyncio.run(measure(run, tmp_path))
    assert sample["in_flight_most"] > 200
    assert sample["seconds"] >= 0.05
    assert sample["actions_per_second"] == pytest.approx(600 / sample["seconds"])


def test_a_closed_loop_goes_on_with_a_journal_that_was_filled(tmp_path: Path) -> None:
    journal = tmp_path / "filled.db"
    asyncio.run(fill(journal, closed=300, tenants=2, batch=100))
    run = Run(name="long", measure="history", journal=str(journal), seconds=0.1, concurrent=8, tenants=2)
    sample = asyncio.run(measure(run, tmp_path))
    assert sample["done"] > 0
    assert sample["cpu_us"] > 0
    again = asyncio.run(measure(run, tmp_path))
    assert again["done"] > 0


def test_what_lasts_is_compared_with_itself(tmp_path: Path) -> None:
    run = Run(name="lasts", measure="sustained", seconds=0.6, rate=200.0, tenants=3)
    sample = asyncio.run(measure(run, tmp_path))
    assert 60 < sample["done"] < 180
    assert sample["late_p50_ms"] > 0
    assert sample["early_cpu_us"] > 0


def test_what_was_not_measured_is_null_and_what_failed_is_told(tmp_path: Path) -> None:
    samples: figures.Samples = {"history long": [{"per_second": 95.0}], "history none": [{"per_second": 100.0}]}
    failures: dict[str, str] = {}
    do(Run(name="fan one", measure="fan", actions=0), tmp_path, samples, failures)
    assert "fan one" in failures
    evidence = Evidence("scale", command="a test", started_us=time.time_ns() // 1000)
    figures.show(evidence, samples, plan.FULL)
    path = evidence.write(tmp_path, ended_us=time.time_ns() // 1000)
    shows = {shown["id"]: shown for shown in json.loads(path.read_bytes())["shows"]}
    throughput = shows["S7 throughput with 10,000,000 decisions in the journal, to an empty one"]
    assert (throughput["value"], throughput["met"]) == (0.95, True)
    missing = [shown for shown in shows.values() if shown["value"] is None]
    assert len(missing) == len(shows) - 1
    assert not any(shown["met"] for shown in missing)


def test_a_figure_late_in_a_run_is_held_against_the_same_earlier() -> None:
    line = next(line for line in figures.lines(plan.FULL) if line.late and line.field == "p99_ms")
    assert figures.value_of(line, {"sustained": [{"early_p99_ms": 2.0, "late_p99_ms": 3.0}]}) == 1.5
    assert figures.value_of(line, {}) is None
