"""F1, decision without control: 64 proposers, 30 % defective, a budget that is 99 % spent, policy that flips, crashes.

    python -m benchmarks.failures control                        the figures, in `out/failures/`
    python -m benchmarks.failures.control --races 50             fewer, printed only

Virtual time: a million decisions and ten thousand crashes of the real node, at any await and any journal verb
(`control_rush.py`), and the same race of a service that checks and then acts (`control_naive.py`). Real time:
`kill -9` of a node under load beside a witness process (`tests/chaos`).
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

from tests.chaos.campaign import Campaign

from benchmarks.failures import control_naive
from benchmarks.failures.control_account import Account, account_of
from benchmarks.failures.control_rush import Rush
from benchmarks.failures.part import Findings, Settings, Table, findings
from lictor.surfaces.evidence import judged
from lictor.testing.faults import seeded_faults
from lictor.testing.faulty_journal import JOURNAL_FAULTS
from lictor.testing.loop import SimLoop
from lictor.testing.simulation import MACHINE_FAULTS
from lictor.testing.simulator import simulate
from lictor.testing.world import WORLD_FAULTS

#: A world that takes more than it was asked for is another failure than this one.
CHANCES = {**WORLD_FAULTS, **JOURNAL_FAULTS, **MACHINE_FAULTS, "overrun": 0.0}
#: How likely a seed has a kind of fault at all.
ACTIVE = 0.8
RACES, PROPOSALS = 1_000, 1_150
QUICK_RACES, QUICK_PROPOSALS = 6, 400
#: Races of the arms that are there to compare.
BESIDE = 100
#: `python -m tests.chaos` does 500.
KILLS, QUICK_KILLS = 50, 3
#: Races that one process runs before it reports.
CHUNK = 5
ARMS = ("lictor checked", "lictor fast", "naive")

DECISIONS_MIN, CRASHES_MIN, USE_MIN = 1_000_000, 10_000, 0.999


def race(arm: str, seed: int, proposals: int) -> Account:
    """One race of one arm."""
    if arm == "naive":
        return control_naive.race(seed, proposals, CHANCES, ACTIVE)
    made: list[Rush] = []

    def rush(loop: SimLoop) -> Rush:
        made.append(Rush(loop, count=proposals, assurance=arm.rpartition(" ")[2]))
        return made[-1]

    try:
        done = simulate(seed, rush, faults=lambda loop: seeded_faults(loop, CHANCES, active=ACTIVE))
    except Exception as error:  # whatever ends a race is a finding, and the others go on
        return Account(races=1, use_min=0.0, violations=[f"{arm}, seed {seed}: {type(error).__name__}: {error}"])
    return account_of(made[0], done)


def races(arm: str, first: int, count: int, proposals: int) -> Account:
    """Some races, in this process."""
    gc.collect()
    gc.freeze()  # imports are walked once and never again
    total = Account()
    for seed in range(first, first + count):
        total.merge(race(arm, seed, proposals))
    return total


def run_arm(arm: str, first: int, count: int, proposals: int, processes: int) -> Iterator[Account]:
    """All races of one arm; yields the sum so far."""
    total = Account()
    starts = range(first, first + count, CHUNK)
    sizes = [min(CHUNK, first + count - start) for start in starts]
    if processes == 1:
        for start, size in zip(starts, sizes, strict=True):
            total.merge(races(arm, start, size, proposals))
            yield total
        return
    with ProcessPoolExecutor(processes) as pool:
        work = partial(races, arm, proposals=proposals)
        for part in pool.map(work, starts, sizes):
            total.merge(part)
            yield total


def run(settings: Settings) -> Findings:
    """Every arm in virtual time, and kills in real time."""
    found = findings("control", "virtual", settings)
    found.command = f"python -m benchmarks.failures control{' --quick' if settings.quick else ''}"
    count, proposals = (QUICK_RACES, QUICK_PROPOSALS) if settings.quick else (RACES, PROPOSALS)
    accounts: dict[str, Account] = {}
    for arm in ARMS:
        own = count if arm == ARMS[0] else min(count, BESIDE)
        accounts[arm] = told(arm, settings.seed, own, proposals, os.cpu_count() or 1, settings.tell)
    _show(found, accounts["lictor checked"])
    found.tables.append(_table(accounts))
    found.facts = {arm: _facts(account) for arm, account in accounts.items()}
    kills(found, settings)
    return found


def told(arm: str, first: int, count: int, proposals: int, processes: int, tell: Callable[[str], None]) -> Account:
    """All races of one arm, with a line now and then."""
    began_s, said_s, account = time.monotonic(), time.monotonic(), Account()
    for account in run_arm(arm, first, count, proposals, processes):
        if time.monotonic() - said_s > 15.0:
            said_s = time.monotonic()
            tell(f"{arm}: {account.races} races, {account.decisions:,} decisions, {account.crashes:,} crashes")
    tell(f"{arm}: {account.races} races in {time.monotonic() - began_s:.0f} s: {_line(account)}")
    return account


def _line(account: Account) -> str:
    a = account
    return (
        f"{a.decisions:,} decisions, {a.crashes:,} crashes, ungoverned {a.ungoverned}, revoked {a.revoked}, outdated "
        f"{a.outdated}, overshoot {a.overshoot:.4f}, doubles {a.doubles}, unflagged {a.unflagged}, unaccounted "
        f"{a.unaccounted}, use {a.use_min:.4f}, broken {len(a.violations)}"
    )


def _show(found: Findings, a: Account) -> None:
    show = found.show
    show("S3 F1 decisions", a.decisions, "decisions", DECISIONS_MIN)
    show("S3 F1 crash points", a.crashes, "crashes", CRASHES_MIN)
    show("S3 F1 promises found broken", len(a.violations), "races", 0, at_most=True)
    show("S3 F1 ungoverned executions", a.ungoverned, "executions", 0, at_most=True)
    show("S3 F1 budget overshoot, of the limit", a.overshoot, "ratio", 0.0, at_most=True)
    show("S3 F1 started under a revoked policy", a.revoked, "executions", 0, at_most=True)
    show("S3 F1 started while a reference that was loaded since forbade it", a.outdated, "executions", 0, at_most=True)
    show("S3 F1 tried again in doubt under a revoked policy", a.revoked_in_doubt, "executions")
    show("S3 F1 started before the node was told of a decree", a.not_told_yet, "executions")
    show("S3 F1 received less the sum of terminals", a.unaccounted, "decisions", 0, at_most=True)
    show("S3 F1 effects beyond one per key, not idempotent", a.doubles, "effects", 0, at_most=True)
    show("S3 F1 told failed and really done", a.unflagged, "actions", 0, at_most=True)
    show("S3 F1 least use of a budget at rest", round(a.use_min, 5), "ratio", USE_MIN)


def _table(accounts: dict[str, Account]) -> Table:
    columns = ["arm", "decisions", "crashes", "ungoverned", "under a revoked policy", "against a newer reference"]
    columns += ["over budget, of the limit", "doubles", "told failed, really done", "least use at rest"]
    columns += ["received less terminals"]
    rows = [
        [
            *(arm, a.decisions, a.crashes, a.ungoverned, a.revoked, a.outdated, a.overshoot, a.doubles, a.unflagged),
            *(a.use_min, a.unaccounted),
        ]
        for arm, a in accounts.items()
    ]
    text = (
        "64 proposers, 30 % of their proposals defective, race for the last hundredth of ten budgets while people "
        "change the policy and machines go down. `naive` checks and then acts: nothing holds in between. `fast` checks "
        "at admission alone, `checked` again just before the effect."
    )
    return Table(heading="Decision without control", columns=columns, rows=rows, text=text)


def _facts(account: Account) -> dict[str, Any]:
    return {
        "races": account.races,
        "proposals": account.proposals,
        "arrivals": account.arrivals,
        "ends": dict(account.ends),
        "refusals": dict(account.refusals),
        "struck": dict(account.struck),
        "counts": dict(account.counts),
        "use_mean": account.use_mean,
        "violations": account.violations,
    }


def kills(found: Findings, settings: Settings) -> None:
    """The real rig: a witness process logs every arrival, a node is killed at random moments."""
    folder = Path(tempfile.mkdtemp(prefix="control-", dir=settings.out if settings.out.is_dir() else None))
    wanted = QUICK_KILLS if settings.quick else KILLS
    try:
        figures = asyncio.run(Campaign(folder, seed=settings.seed).run(wanted, say=settings.tell))
    except Exception as error:  # the virtual rig's figures stand
        found.failures["kill -9"] = f"{type(error).__name__}: {error}"
        figures = {}
    shutil.rmtree(folder, ignore_errors=True)
    found.facts["kill -9"] = figures
    for name, field, unit in (
        ("kill -9 with a witness", "kills", "kills"),
        ("kill -9: effects beyond one per key, not idempotent", "doubles", "effects"),
        ("kill -9: attempts under another key or with other bytes", "changed", "keys"),
        ("kill -9: really done and neither succeeded nor flagged in doubt", "unflagged", "effects"),
        ("kill -9: problems in all", "problems", "problems"),
    ):
        value: Any = figures.get(field)
        value = len(value) if isinstance(value, list) else value
        target = wanted if field == "kills" else 0
        found.shows.append(
            judged(
                f"S3 F1 {name}",
                value,
                unit=unit,
                target=target,
                at_most=field != "kills",
                rig="real",
                command=found.command,
            )
        )


def main() -> None:
    """Some races of one arm, printed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.failures.control", description=__doc__)
    parser.add_argument("--arm", choices=ARMS, default=ARMS[0])
    parser.add_argument("--races", type=int, default=20)
    parser.add_argument("--first", type=int, default=1, help="the first seed")
    parser.add_argument("--proposals", type=int, default=PROPOSALS)
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    account = told(options.arm, options.first, options.races, options.proposals, options.processes, print)
    print(_facts(account))
    raise SystemExit(bool(account.violations))


if __name__ == "__main__":
    main()
