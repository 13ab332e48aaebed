"""Bare SQLite through apsw: what the disk and the database alone allow. Two rows a decision, nothing governed.

`submit` is one decision in a transaction of its own, `submit_many` puts `batch` of them into each.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks.speed.arm import Arm
from benchmarks.speed.arms.pipeline import signal
from benchmarks.speed.arms.tables import Tables, count_rows, key_maker
from benchmarks.speed.run import Run


class SqliteArm(Arm):
    """History and state of each decision, committed `batch` at a time."""

    def __init__(self, run: Run) -> None:
        super().__init__(run)
        self._key = key_maker(run.keys, run.seed)

    async def open(self, directory: Path) -> None:
        self._path = directory / "bare.db"
        self._tables = Tables(self._path)

    async def submit(self, number: int) -> None:
        self._store(range(number, number + 1))

    async def submit_many(self, numbers: Sequence[int]) -> None:
        for first in range(0, len(numbers), self.run.batch):
            self._store(numbers[first : first + self.run.batch])

    def _store(self, numbers: Sequence[int]) -> None:
        bodies = [signal(number) for number in numbers]
        self._tables.write(
            [(body,) for body in bodies],
            [(number + 1, self._key(number), body) for number, body in zip(numbers, bodies, strict=True)],
            [],
        )
        self._tables.commit()

    async def close(self) -> int:
        self._tables.close()
        return count_rows(self._path, status=1)
