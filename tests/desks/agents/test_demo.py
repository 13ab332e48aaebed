"""The demo itself: real processes, a node that is killed, and the evidence that it leaves."""

import json
import subprocess
import sys

import pytest


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    out = tmp_path_factory.mktemp("demo") / "demo-agent"
    command = [sys.executable, "-m", "lictor.desks.agents", "--out", str(out)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=110, check=False)
    return ended, out


def test_every_check_holds_but_for_the_time_of_a_busy_machine(run):
    ended, out = run
    report = json.loads((out / "report.json").read_text())
    unmet = [shown["id"] for shown in report["shows"] if not shown["met"]]
    assert unmet in ([], ["time"]), ended.stdout + ended.stderr
    assert len(report["shows"]) == 13


def test_the_story_tells_what_matters(run):
    ended, _ = run
    for said in (
        "was not done again",
        "140 are left of 400",
        "maria  lictor approve",
        "kill -9",
        "asks the bank what became of it",
    ):
        assert said in ended.stdout


def test_the_bank_has_booked_each_payment_once(run):
    _, out = run
    booked = [json.loads(line) for line in (out / "ledger.jsonl").read_text().splitlines()]
    assert [b["amount"] for b in booked if b["to"] == "Echo Inc"] == [110]
    assert len({b["key"] for b in booked}) == len(booked) == 5
    page = (out / "report.html").read_text()
    assert "What the bank has booked" in page
