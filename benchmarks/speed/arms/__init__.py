"""The systems under measurement, by name. A module is imported only in the process that runs its arm."""

from __future__ import annotations

from importlib import import_module

from benchmarks.speed.arm import Arm
from benchmarks.speed.run import Run

_ARMS = {
    "sqlite": "benchmarks.speed.arms.sqlite:SqliteArm",
    "pipeline": "benchmarks.speed.arms.pipeline:PipelineArm",
    "huey": "benchmarks.speed.arms.huey_queue:HueyArm",
    "dbos": "benchmarks.speed.arms.dbos_workflows:DbosArm",
    "lictor": "benchmarks.speed.lictor_arm:LictorArm",
}


def make(run: Run) -> Arm:
    """The arm that this run names; ImportError when its package is not installed."""
    module, _, name = _ARMS[run.arm].partition(":")
    arm: Arm = getattr(import_module(module), name)(run)
    return arm
