"""After a run: what the desk believes against what the venue's truth log says, and the promises of the engine.

Reads the journal, the truth log and, where the command is there, what `lictor verify` says of the stored file.
"""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lictor.desks.trading import rehearsal
from lictor.desks.trading.demo.options import Options
from lictor.desks.trading.demo.record import Recorder
from lictor.desks.trading.session import Session
from lictor.desks.trading.venue.truth import doubles, positions, read_truth

COMMAND_S_MAX = 30.0
REHEARSED = f"{rehearsal.__name__}:app"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was checked."""

    name: str
    holds: bool
    detail: str


async def checked(options: Options, session: Session, recorder: Recorder, truth: Path) -> list[Finding]:
    """All findings of a run that has ended."""
    findings = [
        _position(session, truth),
        _money(session, truth),
        _no_doubles(truth),
        _known_orders(session, truth),
        *_parents(recorder),
        Finding("no order of ours is believed to rest", not session.blotter.resting, str(len(session.blotter.resting))),
        *_ends(session),
        *_limits(session),
    ]
    if not options.memory:
        findings += [*await _verified(options), await _rehearsed(options)]
    return findings


def _truth(session: Session, truth: Path) -> dict[str, int]:
    return positions(truth).get(session.place.sender, {"qty": 0, "money": 0})


def _position(session: Session, truth: Path) -> Finding:
    told, means = _truth(session, truth)["qty"], session.means
    scope = session.policy.instrument
    balances = session.node.journal.state.balances
    long, short = (balances[b.name, scope].settled(None) for b in (means.long, means.short))
    holds = told == session.blotter.position == long == -short
    return Finding(
        "position: venue = blotter = balances", holds, f"{told}, {session.blotter.position}, {long}, {-short}"
    )


def _money(session: Session, truth: Path) -> Finding:
    told, own = _truth(session, truth)["money"], session.blotter.cash
    return Finding("money: venue = blotter", told == own, f"{told}, {own}")


def _no_doubles(truth: Path) -> Finding:
    found = doubles(truth)
    return Finding("no order arrived twice as a new one", not found, ", ".join(found) or "none")


def _known_orders(session: Session, truth: Path) -> Finding:
    known = session.conversation.keys()
    strange = {r["key"] for r in read_truth(truth) if r["event"] == "arrival" and r["key"] not in known}
    return Finding("I1: every order at the venue is an action of an admitted decision", not strange, str(len(known)))


def _parents(recorder: Recorder) -> list[Finding]:
    over, wrong, count = [], 0, 0
    for one in recorder.decided:
        mark = recorder.mark(one.handle.id)
        if mark is None:
            continue
        count += 1
        cost = mark["shortfall"]
        if sum(child["filled"] for child in recorder.children(one.handle.id)) > cost["qty"]:
            over.append(one.handle.id)
        wrong += cost["identity_error"] != 0
    return [
        Finding("children filled at most their parent", not over, f"{count} parents"),
        Finding("shortfall is the sum of its parts, exactly", not wrong, f"{count} parents, {wrong} wrong"),
    ]


def _ends(session: Session) -> list[Finding]:
    state = session.node.journal.state
    doubt = [a for found in state.open.values() for a in found.actions if a.state == "in_doubt"]
    return [
        Finding("I2: everything admitted has its outcome", not state.open, f"{len(state.open)} open"),
        Finding("I8: nothing is left in doubt", not doubt, f"{len(doubt)} in doubt"),
        Finding("the node ran to the end", session.node.failure is None, str(session.node.failure or "yes")),
    ]


def _limits(session: Session) -> list[Finding]:
    findings = []
    for (budget, scope), balance in session.node.journal.state.balances.items():
        worst = max((settled + reserved for settled, reserved in balance.sums.values()), default=0)
        holds = worst <= balance.limit and not balance.latched
        findings.append(Finding(f"I3: {budget} of {scope} within its limit", holds, f"{worst} of {balance.limit}"))
    return findings


async def _verified(options: Options) -> list[Finding]:
    """`lictor verify` of the stored journal: it reads stored SQL alone and imports no stage."""
    code, said = await _command("verify", "--journal", str(options.out / "journal.db"), "--json")
    try:
        told: dict[str, Any] = json.loads(said)
    except json.JSONDecodeError:
        return [Finding("lictor verify", holds=False, detail="it could not be run")]
    problems = told.get("findings", [])
    detail = f"{told.get('facts')} facts of {told.get('decisions')} decisions" if not problems else str(problems)
    return [Finding("lictor verify: stored history alone", code == 0 and not problems, detail)]


async def _rehearsed(options: Options) -> Finding:
    """`lictor rehearse` with the same gates: every verdict follows again from the evidence that was recorded."""
    journal = str(options.out / "journal.db")
    code, said = await _command("rehearse", REHEARSED, "--journal", journal, "--out", str(options.out), "--strict")
    detail = next((line.strip() for line in said.splitlines() if "unchanged" in line), "it could not be run")
    return Finding("lictor rehearse: the same gates give the same verdicts", code == 0, detail)


async def _command(*arguments: str) -> tuple[int | None, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "lictor", *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    said, _ = await asyncio.wait_for(process.communicate(), COMMAND_S_MAX)
    return process.returncode, said.decode()
