"""The two ways in which a simulated run can fail to end, each with the tasks that wait and the line each waits at."""

from __future__ import annotations

from collections.abc import Sequence

from lictor.errors import LictorError


def _lines(waiting: Sequence[str]) -> str:
    return "; waiting:" + "".join(f"\n  {each}" for each in waiting or ["nobody"])


class DeadlockError(LictorError):
    """Nothing can run any more and the main task is not done: a wake-up was lost."""

    code = "DEADLOCK"

    def __init__(self, waiting: Sequence[str]) -> None:
        super().__init__("nothing can run any more and the main task is not done" + _lines(waiting))
        self.waiting = tuple(waiting)


class LivelockError(LictorError):
    """The run passed its bound of steps or of virtual time."""

    code = "LIVELOCK"

    def __init__(self, bound: str, waiting: Sequence[str], busiest: Sequence[tuple[str, int]]) -> None:
        steps = ", ".join(f"{name} {count} times" for name, count in busiest)
        super().__init__(f"passed {bound}; of late: {steps}" + _lines(waiting))
        self.waiting = tuple(waiting)
        self.busiest = tuple(busiest)
