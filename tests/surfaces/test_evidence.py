"""Evidence is what every claim is quoted from: nothing unmeasured may look met, and nothing may disappear."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lictor.surfaces.evidence import Evidence, collect, commit_of, table

STARTED_US = 1_700_000_000_000_000


def evidence(name: str = "speed") -> Evidence:
    return Evidence(name, command="make bench", started_us=STARTED_US, seed=7)


def written(made: Evidence, directory: Path) -> dict:
    return json.loads(made.write(directory, ended_us=STARTED_US + 2_500_000).read_bytes())


def test_a_report_has_the_format_of_the_design(tmp_path: Path) -> None:
    made = evidence()
    made.show(id="F2 goodput 10x", value=0.993, target=0.99, unit="ratio")
    made.add("curves", {"lictor": [1.0, 0.99]})
    report = written(made, tmp_path / "speed")
    assert report["shows"] == [
        {
            "id": "F2 goodput 10x",
            "rig": "real",
            "target": 0.99,
            "value": 0.993,
            "unit": "ratio",
            "met": True,
            "command": "make bench",
        }
    ]
    environment = report["environment"]
    assert environment["seed"] == 7
    assert environment["duration_s"] == 2.5
    assert environment["started"] == "2023-11-14T22:13:20+00:00"
    assert environment["cores"] >= 1
    assert environment["memory_bytes"] > 1 << 20
    assert environment["versions"]["msgspec"]
    assert report["curves"] == {"lictor": [1.0, 0.99]}


@given(
    target=st.one_of(st.none(), st.floats(allow_nan=False)),
    at_most=st.booleans(),
    claimed=st.sampled_from([None, True]),
)
def test_what_was_not_measured_is_never_met(*, target: float | None, at_most: bool, claimed: bool | None) -> None:
    shown = evidence().show(id="x", value=None, target=target, at_most=at_most, unit="s", met=claimed)
    assert shown.value is None
    assert not shown.met


@given(st.floats(allow_nan=False), st.floats(allow_nan=False))
def test_met_follows_from_value_target_and_direction(value: float, target: float) -> None:
    made = evidence()
    assert made.show(id="x", value=value, target=target, unit="s").met == (value >= target)
    assert made.show(id="x", value=value, target=target, unit="s", at_most=True).met == (value <= target)


def test_a_value_that_is_not_a_number_is_not_met() -> None:
    assert not evidence().show(id="x", value=float("nan"), target=1.0, unit="s").met


def test_a_further_fact_cannot_replace_the_format() -> None:
    with pytest.raises(ValueError, match="shows"):
        evidence().add("shows", [])


def test_the_table_has_every_report_and_the_unmet_first(tmp_path: Path) -> None:
    speed, failures = evidence(), evidence("failures")
    speed.show(id="fast", value=31_000, target=30_000, unit="/s")
    speed.show(id="idle", value=None, target=0.5, unit="ms")
    failures.show(id="F5", value=1.3, target=1.02, unit="attempts", at_most=True)
    written(speed, tmp_path / "speed")
    written(failures, tmp_path / "failures")
    lines = table(tmp_path).splitlines()
    assert [line.split()[-2:] == ["/s", "real"] for line in lines[1:-1]] == [False, False, True]
    assert lines[-1] == "1 met, 2 not met"
    assert "31,000" in lines[3]


def test_a_damaged_report_is_an_unmet_line_and_the_others_stand(tmp_path: Path) -> None:
    made = evidence()
    made.show(id="fast", value=1, unit="/s")
    written(made, tmp_path / "speed")
    (tmp_path / "chaos").mkdir()
    (tmp_path / "chaos" / "report.json").write_text('{"name": "chaos", "shows": [{"id"')
    (name, broken), (_, sound) = collect(tmp_path)
    assert name == "chaos"
    assert not broken.met
    assert sound.id == "fast"


def test_the_page_is_self_contained_and_escapes_what_it_is_given(tmp_path: Path) -> None:
    made = evidence()
    made.show(id="<script>alert(1)</script>", value=1, unit="&")
    made.section("Picture", "<svg></svg>")
    written(made, tmp_path)
    page = (tmp_path / "report.html").read_text()
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "<svg></svg>" in page
    assert not re.search(r"(src|href)=|url\(|@import", page)


def test_the_commit_is_read_from_the_nearest_repository(tmp_path: Path) -> None:
    assert commit_of(Path("/")) is None
    git = tmp_path / ".git"
    (git / "refs" / "heads").mkdir(parents=True)
    (git / "HEAD").write_text("ref: refs/heads/main\n")
    assert commit_of(tmp_path) is None
    (git / "packed-refs").write_text("# pack-refs\naaaa refs/heads/main\n")
    assert commit_of(tmp_path / "inside") == "aaaa"
    (git / "refs" / "heads" / "main").write_text("bbbb\n")
    assert commit_of(tmp_path) == "bbbb"
    (git / "HEAD").write_text("cccc\n")
    assert commit_of(tmp_path) == "cccc"


def test_the_commit_of_a_worktree_is_its_own(tmp_path: Path) -> None:
    inner = tmp_path / "main" / ".git" / "worktrees" / "side"
    inner.mkdir(parents=True)
    (inner / "HEAD").write_text("ref: refs/heads/side\n")
    (inner / "commondir").write_text("../..\n")
    heads = tmp_path / "main" / ".git" / "refs" / "heads"
    heads.mkdir(parents=True)
    (heads / "side").write_text("dddd\n")
    (tmp_path / "side").mkdir()
    (tmp_path / "side" / ".git").write_text(f"gitdir: {inner}\n")
    assert commit_of(tmp_path / "side") == "dddd"
