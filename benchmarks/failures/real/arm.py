"""What every arm looks like to the rig, and what it is given: a downstream, and clients who hear of each end."""

from __future__ import annotations

import asyncio
import random
from array import array
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from benchmarks.failures.real.cell import Stage, Workload
from benchmarks.failures.real.downstream import Downstream
from benchmarks.failures.real.schedule import Arrival, Schedule

#: How a decision stands for its client; `OPEN` until it hears.
OPEN, SUCCEEDED, REFUSED, EXPIRED, FAILED = range(5)
ENDS = ("open", "succeeded", "refused", "expired", "failed")

_NEVER_US = 1 << 62


class Clients:
    """Whoever decides: asks, hears of the end, and, where the stage says so, asks again. Keeps a log by number."""

    def __init__(self, workload: Workload, downstream: Downstream) -> None:
        self._workload, self._downstream = workload, downstream
        self._deadline_us = int(workload.deadline_s * 1e6)
        self._timers: set[asyncio.TimerHandle] = set()
        self.offer: Callable[[Sequence[Arrival]], None] = lambda _batch: None

    def watch(self, schedule: Schedule, stage: Stage, seed: int) -> None:
        """A new stage and an empty log."""
        count = len(schedule)
        self.first, self._retries = schedule.first, stage.client_retries
        self._draw = random.Random(seed)
        self._asked: dict[int, tuple[Arrival, int]] = {}
        self.ends = array("b", [OPEN]) * count
        self.heard_us = array("q", [_NEVER_US]) * count
        self.deadlines_us = array("q", (due + self._deadline_us for due in schedule.due_us))
        self.received = 0
        #: How often the arm was asked: what a client asks again counts again.
        self.asks = 0

    def arrived(self, batch: Sequence[Arrival]) -> None:
        """Decisions have come: ask the arm."""
        self.received += len(batch)
        self.asks += len(batch)
        if self._retries:
            for arrival in batch:
                self._wait(arrival, 0)
        self.offer(batch)

    def told(self, number: int, end: int) -> None:
        """The arm has said how it ended."""
        place = number - self.first
        if not 0 <= place < len(self.ends):
            return  # of an earlier stage
        self.ends[place] = end
        self.heard_us[place] = self._downstream.now_us()
        if self._retries and end != SUCCEEDED:
            self._again(number)
        elif self._retries:
            self._asked.pop(number, None)

    def _wait(self, arrival: Arrival, tries: int) -> None:
        """A client waits as long as its deadline, then asks again."""
        self._asked[arrival.number] = (arrival, tries)
        self._later(self._workload.deadline_s, lambda: self._gave_up(arrival.number, tries))

    def _gave_up(self, number: int, tries: int) -> None:
        if self._asked.get(number, (None, -1))[1] == tries:
            self._again(number)

    def _again(self, number: int) -> None:
        found = self._asked.pop(number, None)
        if found is None or found[1] >= self._retries:
            return
        arrival, tries = found
        self._later(self._draw.uniform(0.1, 1.0) * self._workload.deadline_s, lambda: self._ask(arrival, tries + 1))

    def _ask(self, arrival: Arrival, tries: int) -> None:
        place = arrival.number - self.first
        if not 0 <= place < len(self.ends):
            return
        now_us = self._downstream.now_us()
        again = msgspec.structs.replace(arrival, due_us=now_us, key=f"{arrival.key}.{tries}")
        self.deadlines_us[place] = now_us + self._deadline_us
        self._wait(again, tries)
        self.asks += 1
        self.offer([again])

    def _later(self, delay_s: float, do: Callable[[], None]) -> None:
        handle: list[asyncio.TimerHandle] = []

        def run() -> None:
            self._timers.discard(handle[0])
            do()

        handle.append(asyncio.get_running_loop().call_later(delay_s, run))
        self._timers.add(handle[0])

    def leave(self) -> None:
        """The stage is over: nobody asks again."""
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()


class Rig(NamedTuple):
    """What an arm is given."""

    workload: Workload
    downstream: Downstream
    clients: Clients
    directory: Path
    #: Peers: as their documentation says, or tuned by hand.
    tuned: bool = False


class Arm:
    """One system. It tells `rig.clients` of every end."""

    #: Peers do not.
    tells = True

    def __init__(self, rig: Rig) -> None:
        self.rig = rig

    async def open(self) -> None:
        """Be ready for arrivals."""

    def offer(self, batch: Sequence[Arrival]) -> None:
        """These have arrived; must not wait."""
        raise NotImplementedError

    def collect(self) -> None:
        """Before the stage is judged: put what happened elsewhere into the downstream's log."""

    async def close(self) -> None:
        """Drop what is left and stop."""

    def facts(self) -> dict[str, float]:
        """What only this arm can say."""
        return {}
