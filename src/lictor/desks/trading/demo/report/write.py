"""Writes `report.json` and `report.html` of a run: the shared format of evidence, with this desk's own page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from lictor import SystemClock
from lictor.desks.trading.demo.options import Options
from lictor.desks.trading.demo.report.page import page
from lictor.surfaces.evidence import Evidence

COMMAND = "make demo"
BUDGET_S = 90.0
DECISIONS_MIN = 200
CODES_MIN = 5
CODES_STAGED_MIN = 8
IDENTITY_ERROR_MAX = 1e-9
_STAGES = 6


def write(options: Options, facts: dict[str, Any], *, started_us: int, took_s: float) -> Path:
    """Write both files; returns the path of the first."""
    evidence = Evidence(
        "demo-trading", command=COMMAND, started_us=started_us, packages=("fixcore-engine", "obook", "numpy")
    )
    _shows(evidence, facts, took_s)
    for key, value in facts.items():
        evidence.add(key, value)
    ended_us = SystemClock().wall_us()
    path = evidence.write(options.out, ended_us=ended_us)
    text = page(facts, evidence.shows, evidence.environment(ended_us))
    (options.out / "report.html").write_text(text, encoding="utf-8")
    return path


def _shows(evidence: Evidence, facts: dict[str, Any], took_s: float) -> None:
    decisions, orders, feedback = facts["decisions"], facts["orders"], facts["feedback"]
    real, staged = set(decisions["refused_by_code"]), set(decisions["staged"])
    show = evidence.show
    show(id="S1 decisions received", value=decisions["received"], target=DECISIONS_MIN, unit="decisions")
    show(id="S1 orders sent over TCP", value=orders["sent"], target=1, unit="orders")
    show(id="S1 fills", value=orders["fills"], target=1, unit="fills")
    show(id="S1 stages in the report", value=len(facts["stages"]), target=_STAGES, unit="stages")
    show(id="S1 shortfall identity error", value=facts["tca"]["identity_error_max"], target=IDENTITY_ERROR_MAX,
         unit="bps", at_most=True)  # fmt: skip
    show(id="S1 violations", value=facts["invariants"]["violated"], target=0, unit="checks", at_most=True)
    show(id="S1 refusal codes, unstaged", value=len(real), target=CODES_MIN, unit="codes")
    show(id="S1 refusal codes, with staged", value=len(real | staged), target=CODES_STAGED_MIN, unit="codes")
    show(id="S1 verdicts changed by an adjustment", value=feedback["verdicts_changed"], target=1, unit="verdicts")
    show(id="S1 wall time", value=round(took_s, 2), target=BUDGET_S, unit="s", at_most=True)
    lost = sum(event["what"] == "in_doubt" for event in facts["events"])
    show(id="S3 lost acknowledgements that ended in doubt", value=lost, target=1, unit="orders")
    show(id="S3 of them reconciled", value=orders["reconciled"], target=orders["in_doubt"], unit="orders")
    doubles = next(f for f in facts["invariants"]["findings"] if f["name"].startswith("no order arrived twice"))
    show(id="S3 orders sent twice", value=0 if doubles["holds"] else 1, target=0, unit="orders", at_most=True)
