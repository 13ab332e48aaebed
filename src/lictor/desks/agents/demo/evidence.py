"""Compares what the agent was told with what the bank has booked and what the journal holds, and writes the report."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from lictor.surfaces.evidence import Evidence

COMMAND = "lictor demo agent"
#: What must have arrived at the bank in the end, each once.
OWED = {("Ada Ltd", 120), ("Bolt GmbH", 140), ("Cargo SA", 100), ("Dock BV", 300), ("Echo Inc", 110)}
TOOK_S_MAX = 30.0


@dataclass(frozen=True, slots=True)
class Judged:
    """How the checks came out."""

    lines: list[str]
    met: int
    all: int


def judge(out: Path, facts: dict[str, Any], booked: list[dict[str, Any]], *, started_us: int, took_s: float) -> Judged:
    """Check everything and write `report.json` and `report.html`."""
    arrived = Counter((booking["to"], booking["amount"]) for booking in booked)
    (cash,) = [row for row in facts["limits"]["limits"] if row["budget"] == "cash"]
    evidence = Evidence("demo-agent", command=COMMAND, started_us=started_us, packages=("mcp",))
    for name, value in _checks(facts, arrived, cash, out / "letters").items():
        evidence.show(id=name, value=value, unit="", target=True, met=value)
    twice = sum(count - 1 for count in arrived.values())
    evidence.show(id="payments that arrived twice", value=twice, unit="payments", target=0, at_most=True)
    evidence.show(id="time", value=round(took_s, 1), unit="s", target=TOOK_S_MAX, at_most=True)
    evidence.add("story", facts)
    evidence.add("ledger", booked)
    evidence.section("What the bank has booked", _table(booked), first=True)
    evidence.section("What the agent was told", _heard(facts["heard"]))
    story = "\n".join(entry["text"] for entry in facts["shown"]["entries"])
    evidence.section("Why the held payment was allowed", f"<pre>{escape(story)}</pre>")
    evidence.write(out, ended_us=started_us + int(took_s * 1e6))
    lines = [f"{'holds' if shown.met else 'FAILS':6} {shown.id}" for shown in evidence.shows]
    return Judged(lines, sum(shown.met for shown in evidence.shows), len(evidence.shows))


def _checks(
    facts: dict[str, Any], arrived: Counter[tuple[str, int]], cash: dict[str, Any], letters: Path
) -> dict[str, bool]:
    first, again, same = facts["first"], facts["again"], facts["same"]
    shown = " ".join(entry["text"] for entry in facts["shown"]["entries"])
    paid = sum(amount * count for (_, amount), count in arrived.items())
    return {
        "the bank has booked what is owed, and nothing else": set(arrived) == OWED,
        "the same call again was the same decision": (again["decision"], again["duplicate"])
        == (first["decision"], True),
        "overspending was refused, with what is left": facts["refused"]["code"] == "BUDGET_EXCEEDED"
        and facts["refused"]["allowed"] == {"cash": 140},
        "an unknown payee was refused": facts["stranger"]["code"] == "PAYEE_UNKNOWN",
        "the large payment was held and answered at once": facts["held"]["status"] == "held",
        "it was approved by a named person, and succeeded": "approved by maria" in shown
        and facts["approved"]["status"] == "succeeded",
        "the payment in which the node died was found, not repeated": same["status"] == "succeeded"
        and arrived["Echo Inc", 110] == 1,
        "the run that was repeated did nothing again": all(
            told["duplicate"] and told["status"] == "succeeded" for told in facts["repeated"]
        ),
        "budget and bank agree on what was spent": (cash["settled"], cash["reserved"]) == (paid, 0),
        "the letter is there": (letters / "ada.txt").is_file(),
        "the journal verifies": facts["verified"]["clean"],
    }


def _table(booked: list[dict[str, Any]]) -> str:
    rows = "".join(
        f"<tr><td>{escape(b['receipt'])}</td><td>{escape(b['to'])}</td><td class='n'>{b['amount']}</td>"
        f"<td><code>{escape(b['key'])}</code></td></tr>"
        for b in booked
    )
    return f"<table><tr><th>receipt</th><th>to</th><th class='n'>amount</th><th>key</th></tr>{rows}</table>"


def _heard(heard: list[dict[str, Any]]) -> str:
    rows = "".join(
        f"<tr><td><code>{escape(h['tool'])}</code></td><td><code>{escape(str(h['arguments']))}</code></td>"
        f"<td>{escape(str(h['told']['status']))}</td>"
        f"<td>{escape(str(h['told'].get('why') or h['told'].get('result') or ''))}</td></tr>"
        for h in heard
    )
    return f"<table><tr><th>tool</th><th>arguments</th><th>answer</th><th>why, or result</th></tr>{rows}</table>"
