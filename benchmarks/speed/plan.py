"""Which runs there are. A run's name is how figures, progress and `--only` call it."""

from __future__ import annotations

import msgspec

from benchmarks.speed.run import Run

CONCURRENT = (1, 16, 256, 1024)
OFFERED = (20_000, 60_000, 150_000)
FAN_OUT = 10_000
GATES = (1, 20)
BUDGETS = (0, 2, 3)
#: The share of its closed loop at which an arm's latency under load is taken.
PART_LOAD = 0.8

#: Admissions pending at the most in an open loop, for an arm that sheds nothing by itself.
PENDING_MAX = 1_024


def sqlite() -> list[Run]:
    """What the disk and the database alone allow."""
    counts = {1: 6_000, 10: 30_000, 100: 100_000}
    return [
        Run(name=f"sqlite {keys} {batch}", arm="sqlite", measure="bulk", count=count, batch=batch, keys=keys)
        for keys in ("ordered", "random")
        for batch, count in counts.items()
    ]


def governed(arm: str) -> list[Run]:
    """What Lictor is asked for, and the bare pipeline beside it: random keys, five gates, one balance."""
    closed = [
        Run(name=f"{arm} closed {concurrent}", arm=arm, measure="closed_loop", concurrent=concurrent)
        for concurrent in CONCURRENT
    ]
    offered = [
        Run(name=f"{arm} open {rate}", arm=arm, measure="open_loop", rate=rate, concurrent=PENDING_MAX)
        for rate in OFFERED
    ]
    return [
        *closed,
        *offered,
        Run(name=f"{arm} many", arm=arm, measure="bulk", count=50_000),
        Run(name=f"{arm} idle", arm=arm, measure="idle", count=300),
        Run(name=f"{arm} closed 1024 ordered", arm=arm, measure="closed_loop", concurrent=1024, keys="ordered"),
    ]


def lictor_only() -> list[Run]:
    """What only Lictor has, and how its cost moves with gates, budgets and keys."""
    many = Run(name="lictor many", arm="lictor", measure="bulk", count=20_000)
    return [
        Run(name="lictor fan_out", arm="lictor", measure="fan_out", count=FAN_OUT),
        Run(name="lictor part load", arm="lictor", measure="part_load", rate=PART_LOAD, concurrent=256),
        Run(name="lictor refusals", arm="lictor", measure="refusals", count=20_000),
        Run(name="lictor closed 1024 engine ids", arm="lictor", measure="closed_loop", concurrent=1024, keys="engine"),
        *(msgspec.structs.replace(many, name=f"lictor many {gates} gates", gates=gates) for gates in GATES),
        *(msgspec.structs.replace(many, name=f"lictor many {count} budgets", budgets=count) for count in BUDGETS),
    ]


def peers() -> list[Run]:
    """Durable queues and workflow engines on the same disk; neither governs anything."""
    return [
        Run(name="huey many", arm="huey", measure="bulk", count=2_500),
        Run(name="huey idle", arm="huey", measure="idle", count=100),
        Run(name="dbos many", arm="dbos", measure="bulk", count=250),
        Run(name="dbos many tuned", arm="dbos", measure="bulk", count=250, tuned=True),
        Run(name="dbos idle", arm="dbos", measure="idle", count=50),
    ]


def everything() -> list[Run]:
    """All of `make bench`."""
    return [*sqlite(), *governed("pipeline"), *governed("lictor"), *lictor_only(), *peers()]


def shortened(runs: list[Run], factor: float) -> list[Run]:
    """The same runs with a fraction of their time and counts: to see that they work, not to quote."""
    return [
        msgspec.structs.replace(run, seconds=run.seconds * factor, count=max(20, int(run.count * factor)))
        for run in runs
    ]
