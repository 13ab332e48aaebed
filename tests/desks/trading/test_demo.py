"""The demo itself, short: a real venue, a real run, and the evidence that it leaves."""

import json
import re
import subprocess
import sys
from html.parser import HTMLParser

import pytest

FIELDS = {
    "decisions": {"received", "admitted", "amended", "held", "refused_by_code", "staged"},
    "orders": {"sent", "filled", "cancelled", "rejected", "in_doubt", "reconciled"},
    "tca": {"shortfall_bps", "parts_bps", "identity_error_max"},
    "feedback": {"lessons", "adjustments"},
    "invariants": {"checked", "violated"},
    "governed_latency_ms": {"p50", "p99"},
}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    out = tmp_path_factory.mktemp("demo") / "demo-trading"
    command = [sys.executable, "-m", "lictor.desks.trading", "--out", str(out), "--trade-s", "120", "--plain"]
    ended = subprocess.run([*command, "--speed", "25"], capture_output=True, text=True, timeout=110, check=False)
    return ended, out


def test_it_ends_well_and_says_what_it_did(run):
    ended, _ = run
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "trading from 02:4" in ended.stdout
    assert "not sent again" in ended.stdout  # the lost acknowledgement


def test_the_report_has_what_was_asked_for(run):
    _, out = run
    report = json.loads((out / "report.json").read_text())
    for name, wanted in FIELDS.items():
        assert wanted <= set(report[name]), name
    assert report["decisions"]["received"] > 20
    assert report["orders"]["fills"] > 0
    assert report["orders"]["in_doubt"] == report["orders"]["reconciled"] >= 1
    assert report["invariants"]["violated"] == 0, report["invariants"]
    assert report["tca"]["identity_error_max"] <= 1e-9
    assert len(report["stages"]) == 6
    assert report["speed_factor"] == 25
    assert {show["id"] for show in report["shows"]} >= {"S1 decisions received", "S3 orders sent twice"}


def test_the_recorded_decisions_can_be_ruled_again_by_stricter_gates(run, tmp_path):
    _, out = run
    command = [sys.executable, "-m", "lictor", "rehearse", "lictor.desks.trading.rehearsal:cautious"]
    command += ["--journal", str(out / "journal.db"), "--out", str(tmp_path)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert re.search(r"undecidable +0", ended.stdout)
    assert "refused(CONFIDENCE_LOW)" in ended.stdout


class Strict(HTMLParser):
    """Every element that is opened is closed, in order."""

    def __init__(self):
        super().__init__()
        self.open = []

    def handle_starttag(self, tag, attrs):
        if tag not in {"meta", "br", "img"}:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        pass

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_is_whole_and_needs_no_network(run):
    _, out = run
    page = (out / "report.html").read_text()
    parser = Strict()
    parser.feed(page)
    assert parser.open == []
    assert not re.findall(r"(?:src|href)=|https?://|url\(|@import|<script", page)
    assert "nan" not in page.lower().replace("edge is nan", "")
    for heading in ("Price, own fills, refusals", "What trading cost", "Verdicts by code", "Queue and latency"):
        assert heading in page
    assert page.count("<svg") >= 9
