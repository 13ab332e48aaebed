"""Runs many seeds on several processes and adds up what they did, what they found, and which faults they never met."""

from __future__ import annotations

import gc
import sys
import traceback
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from lictor.journal.codec import EVENTS
from lictor.testing.faulty_journal import JOURNAL_FAULTS
from lictor.testing.simulated import Simulated
from lictor.testing.simulator import simulate
from lictor.testing.swarm import Swarm

#: Seeds that one process runs before it reports.
CHUNK = 50
#: Every so many seeds is also run on a real SQLite file.
SQLITE_EVERY = 40

Cell = tuple[str, str]


@dataclass(slots=True)
class Violation:
    """One seed that broke a promise."""

    seed: int
    sqlite: bool
    told: str

    @property
    def replay(self) -> str:
        return f"python -m tests.simulation --seed {self.seed}{' --sqlite' if self.sqlite else ''}"


@dataclass(slots=True)
class Tally:
    """What some seeds did."""

    seeds: int = 0
    on_sqlite: int = 0
    decisions: int = 0
    facts: int = 0
    arrivals: int = 0
    crashes: int = 0
    steps: int = 0
    time_s: float = 0.0
    ends: Counter[str] = field(default_factory=Counter)
    asked: Counter[Cell] = field(default_factory=Counter)
    struck: Counter[Cell] = field(default_factory=Counter)
    features: Counter[str] = field(default_factory=Counter)
    violations: list[Violation] = field(default_factory=list)

    def add(self, done: Simulated) -> None:
        for name in ("decisions", "facts", "arrivals", "crashes", "steps", "time_s"):
            setattr(self, name, getattr(self, name) + getattr(done, name))
        for name in ("ends", "asked", "struck"):
            getattr(self, name).update(getattr(done, name))
        self.features.update(done.drawn["features"])

    def merge(self, other: Tally) -> None:
        for name in ("seeds", "on_sqlite", "decisions", "facts", "arrivals", "crashes", "steps", "time_s"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for name in ("ends", "asked", "struck", "features"):
            getattr(self, name).update(getattr(other, name))
        self.violations += other.violations

    @property
    def faults(self) -> int:
        return sum(self.struck.values())

    def never_hit(self) -> list[Cell]:
        """Cells of the matrix (kind of fault x where) at which no seed was struck."""
        verbs = [*EVENTS, "open"]
        cells = {(kind, verb) for kind in JOURNAL_FAULTS for verb in verbs if _legal(kind, verb)}
        cells |= set(self.asked)
        return sorted(cell for cell in cells if not self.struck[cell])


def _legal(kind: str, verb: str) -> bool:
    """A journal is opened before it can fail; the first fact of an epoch is written while it is opened."""
    if verb == "epoch":
        return False
    return verb != "open" or kind in {"crash before", "crash between"}


def run_chunk(first: int, count: int, sqlite_every: int) -> Tally:
    """Some seeds, in this process."""
    gc.collect()
    gc.freeze()  # imports are walked once and never again
    tally = Tally()
    for seed in range(first, first + count):
        for sqlite in (False, True) if sqlite_every and seed % sqlite_every == 0 else (False,):
            tally.seeds += not sqlite
            tally.on_sqlite += sqlite
            try:
                tally.add(simulate(seed, Swarm, sqlite=sqlite))
            except Exception as error:
                told = "".join(traceback.format_exception_only(error)).strip()
                tally.violations.append(Violation(seed, sqlite, told))
    return tally


def run(first: int, seeds: int, processes: int, *, sqlite_every: int = SQLITE_EVERY) -> Iterator[Tally]:
    """The whole of it; yields the sum so far after each chunk."""
    total = Tally()
    chunks = [(start, min(CHUNK, first + seeds - start)) for start in range(first, first + seeds, CHUNK)]
    with ProcessPoolExecutor(processes) as pool:
        starts, counts = [start for start, _ in chunks], [count for _, count in chunks]
        for tally in pool.map(run_chunk, starts, counts, [sqlite_every] * len(chunks)):
            total.merge(tally)
            yield total


def replay(seed: int, *, sqlite: bool) -> int:
    """One seed, with what it drew and did, or what it found."""
    try:
        done: Any = simulate(seed, Swarm, sqlite=sqlite)
    except Exception:
        traceback.print_exc(file=sys.stdout)
        return 1
    print(f"seed {seed}: {done.decisions} decisions {dict(done.ends)}, {done.facts} facts, {done.crashes} crashes")
    print(f"drawn: {done.drawn}")
    print(f"struck: {dict(done.struck)}")
    print(f"{done.steps} steps, {done.time_s:.1f} s, trace {done.digest}")
    return 0
