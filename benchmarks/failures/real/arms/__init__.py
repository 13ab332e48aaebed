"""The arms, asyncio ones and peers, by name. A module is imported only in the process that runs its arm."""

from __future__ import annotations

from importlib import import_module

from benchmarks.failures.real.arm import Arm, Rig

ARMS = {
    "naive": "benchmarks.failures.real.arms.naive:Naive",
    "semaphore": "benchmarks.failures.real.arms.semaphore:Semaphore",
    "best-known (Gradient2)": "benchmarks.failures.real.arms.best_known:BestKnown",
    "best-known (Vegas)": "benchmarks.failures.real.arms.best_known:BestKnownVegas",
    "lictor": "benchmarks.failures.real.arms.engine:Memory",
    "lictor sync": "benchmarks.failures.real.arms.engine:Sync",
    "celery": "benchmarks.failures.real.peers.celery_peer:Celery",
    "dramatiq": "benchmarks.failures.real.peers.dramatiq_peer:Dramatiq",
    "dbos": "benchmarks.failures.real.peers.dbos_peer:Dbos",
    "huey": "benchmarks.failures.real.peers.huey_peer:Huey",
}


def make(name: str, rig: Rig) -> Arm:
    """The arm of this name; ImportError when its package is not installed."""
    module, _, made = ARMS[name].partition(":")
    arm: Arm = getattr(import_module(module), made)(rig)
    return arm
