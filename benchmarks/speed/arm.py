"""What every system under measurement looks like to the harness: open, submit, close.

An arm lives in a process of its own, on one event loop. "Done" means everywhere that the outcome is on disk: after a
power loss a reader would find it. `close` proves it by counting outcomes through a fresh connection.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks.speed.run import Run


class Arm:
    """One system. An arm overrides what it can do; the plan asks it for nothing else."""

    def __init__(self, run: Run) -> None:
        self.run = run

    async def open(self, directory: Path) -> None:
        """Start on an empty directory of a real disk."""
        raise NotImplementedError

    async def submit(self, number: int) -> None:
        """Submit one decision and return when its outcome is durable. Called by many tasks at once."""
        raise NotImplementedError

    async def submit_many(self, numbers: Sequence[int]) -> None:
        """Submit all and return when all outcomes are durable, by whatever way suits this system best."""
        raise NotImplementedError

    async def admit(self, number: int) -> bool:
        """Submit one decision; True once its admission is durable, False when it was shed. Its outcome follows."""
        raise NotImplementedError

    async def refuse(self, numbers: Sequence[int]) -> None:
        """Submit decisions that a gate refuses and return when all refusals are durable."""
        raise NotImplementedError

    async def fan_out(self, actions: int) -> None:
        """Submit one decision that becomes this many actions and return when its outcome is durable."""
        raise NotImplementedError

    def cpu_s(self) -> float:
        """Processor seconds used so far by helper processes of this arm; its own process is measured by the harness."""
        return 0.0

    async def close(self) -> int:
        """Stop, and return how many outcomes (actions, after `fan_out`) a fresh connection reads back from disk."""
        raise NotImplementedError
