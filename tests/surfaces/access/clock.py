"""A clock that is moved by hand."""

from lictor.runtime.clock import SystemClock


class Hand(SystemClock):
    def __init__(self) -> None:
        self.now = 1_000.0

    def monotonic(self) -> float:
        return self.now

    def wall_us(self) -> int:
        return int(self.now * 1e6)

    def pass_s(self, seconds: float) -> None:
        self.now += seconds
