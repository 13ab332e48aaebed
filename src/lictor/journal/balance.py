"""A balance: something limited that is reserved before an effect and settled after it. Pure arithmetic.

The journal owns the one true copy of each.

Invariant I3, escrow (O'Neil 1986): no reservation commits unless settled + reserved <= limit. Lowering the limit only
blocks new reservations. A settlement above its reservation is an overrun: it is booked, because it happened, and
latches the scope.
"""

from __future__ import annotations

from lictor.errors import InvariantViolation
from lictor.records import Amount


class Balance:
    """One scope of one budget. `window_us` None is one unending window; else each window has sums of its own."""

    __slots__ = ("latched", "limit", "sums", "window_us")

    def __init__(self, limit: Amount, window_us: int | None = None) -> None:
        self.limit = limit
        self.window_us = window_us
        self.latched = False
        #: start of window -> [settled, reserved]
        self.sums: dict[int | None, list[Amount]] = {}

    def window(self, at_us: int) -> int | None:
        """Start of the window that `at_us` falls into."""
        return None if self.window_us is None else at_us - at_us % self.window_us

    def settled(self, window: int | None) -> Amount:
        """What was truly used in a window."""
        found = self.sums.get(window)
        return found[0] if found else 0

    def reserved(self, window: int | None) -> Amount:
        """What is held for open decisions in a window."""
        found = self.sums.get(window)
        return found[1] if found else 0

    def room(self, window: int | None) -> Amount:
        """What can still be reserved; negative after an overrun or a lowered limit."""
        found = self.sums.get(window)
        return self.limit - found[0] - found[1] if found else self.limit

    def reserve(self, amount: Amount, window: int | None) -> None:
        """Hold an amount that `room` has been asked for.

        Raises:
            InvariantViolation: I3, the caller did not ask or the amount is negative.
        """
        sums = self.sums.get(window)
        if sums is None:
            sums = self._new_window(window)
        if amount < 0 or sums[0] + sums[1] + amount > self.limit:
            raise InvariantViolation("I3", f"reserving {amount} with {self.room(window)} left of {self.limit}")
        sums[1] += amount

    def settle(self, held: Amount, used: Amount, window: int | None) -> bool:
        """Turn a held amount into the used one; True when that was an overrun, which latches the scope."""
        sums = self.sums.get(window)
        if sums is None:
            sums = self._new_window(window)
        sums[0] += used
        sums[1] -= held
        if sums[1] < 0:
            raise InvariantViolation("I3", f"released {held}, more than was reserved")
        overrun = used > held and (held > 0 or sums[0] + sums[1] > self.limit)
        if overrun:
            self.latched = True
        return overrun

    def set_window(self, window_us: int | None) -> None:
        """Count in windows of another width from now on; they begin empty, and what is held is settled where it is."""
        if window_us != self.window_us:
            self.window_us = window_us
            self.sums = {window: sums for window, sums in self.sums.items() if sums[1]}

    def _new_window(self, window: int | None) -> list[Amount]:
        """Sums for a window; those that ended before the one before it and hold nothing are forgotten (I17)."""
        if self.window_us is not None and window is not None:
            floor = window - self.window_us
            for start in [w for w, (_, held) in self.sums.items() if not held and (w is None or w < floor)]:
                del self.sums[start]
        sums = self.sums[window] = [0, 0]
        return sums
