"""One simulated run: a node that is kept up on one disk, and people who use it, in a world and on a clock that fail.

Reads and writes nothing real, except the SQLite file in a folder of its own when the run is to have one.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections import Counter
from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeVar

from lictor.app import App
from lictor.config import Settings
from lictor.entry import Handle
from lictor.errors import InvariantViolation, JournalIOError, NodeStoppedError, NotFoundError
from lictor.journal import port
from lictor.journal.memory import MemoryDisk, MemoryJournal
from lictor.journal.sqlite.journal import SqliteJournal
from lictor.journal.state import State
from lictor.node import Node
from lictor.records import Report
from lictor.runtime.randomness import Randomness
from lictor.testing.clock import EPOCH_US, SimClock
from lictor.testing.faults import Faults, seeded_faults
from lictor.testing.faulty_journal import JOURNAL_FAULTS, FaultyJournal
from lictor.testing.invariants import Invariants, picture
from lictor.testing.loop import SimLoop
from lictor.testing.machine import Crashed, Machine
from lictor.testing.person import find_out
from lictor.testing.simulated import Simulated
from lictor.testing.world import WORLD_FAULTS, World

T = TypeVar("T")

#: What is neither the world's nor the journal's: a crash at any await, a stop in good order, a clock that is wrong.
MACHINE_FAULTS: dict[str, float] = {
    "crash at await": 1.0,
    "stop": 0.5,
    "pause": 0.7,
    "clock jump": 1.0,
    "clock drift": 1.0,
}
#: Steps between two crashes at any await, on average, and virtual seconds between two jumps of the clock.
CRASH_STEPS_MEAN = 1_500.0
JUMP_S_MEAN = 40.0
JUMP_S_MAX = 7_200.0
DRIFT_MAX = 1e-3
#: Virtual seconds until a node is stopped in good order; until it is paused, as by SIGSTOP, and for how long.
STOP_S_MAX = 25.0
PAUSE_S_MEAN = 10.0
PAUSED_S_MAX = 20.0
#: Microseconds that two honest reckonings of the same moment may be apart.
ROUNDING_US = 2
#: How often a report is sent for an order that nobody knows.
SENDS_MAX = 60
SETTINGS = Settings(tune_collector=False)
#: Crashes of one seed, at most, unless its scenario says otherwise.
CRASHES_MAX = 6
#: Virtual seconds after the last fault by which everything must have ended (I18).
REST_S_MAX = 3_600.0


class Scenario(Protocol):
    """What is simulated; one object serves one run.

    It may also have `settings`, the node's; `crashes_max`, how often its machine goes down at most; `afterwards(sim)`,
    what people still do once faults have stopped; and `drawn`, what it has drawn from the seed, for whoever replays it.
    """

    def app(self, world: World, incarnation: int) -> App:
        """The App, whose effectors call parties of this world; asked at each start of the node."""
        ...

    async def people(self, sim: Simulation) -> None:
        """What people and programs do to the node while faults strike."""
        ...


class Simulation:
    """One run, as a scenario's people see it."""

    def __init__(
        self, loop: SimLoop, scenario: Scenario, *, faults: Faults | None = None, sqlite: bool = False
    ) -> None:
        self.loop = loop
        self.scenario = scenario
        self.settings: Settings = getattr(scenario, "settings", SETTINGS)
        self.crashes_max: int = getattr(scenario, "crashes_max", CRASHES_MAX)
        chances = {**WORLD_FAULTS, **JOURNAL_FAULTS, **MACHINE_FAULTS}
        self.faults = faults or seeded_faults(loop, chances)
        self.random = loop.streams.of("workload")
        self.world = World(loop, self.faults, self)
        self.world.deliver = self._deliver
        self.clock = SimClock(loop, wall_us=EPOCH_US)
        self.crashes = 0
        self.calm = False
        self.node: Node | None = None
        self.journal: FaultyJournal | None = None
        self.violation: InvariantViolation | None = None
        self.invariants = Invariants(scenario.app(self.world, 0), self._stop)
        self.arrived = self.invariants.arrived
        self.returned = self.invariants.returned
        self.recorded = self.invariants.recorded
        self.invariants.now_us = self._honest_us
        self.world.heard = self.invariants.ledger.reports
        self._machine: Machine | None = None
        self._up = asyncio.Event()
        self._started = (EPOCH_US, 0.0)
        self._disk = MemoryDisk()
        self._sending: dict[str, list[Report]] = {}
        self._before_crash: dict[str, Any] | None = None
        self._folder = tempfile.TemporaryDirectory(prefix="lictor-") if sqlite else None

    # -- what people can do ---------------------------------------------------------------------------------------

    async def call(self, what: Callable[[Node], Coroutine[Any, Any, T]]) -> T:
        """Ask something of the node, once it is up.

        Raises:
            Crashed: the machine went down first; whether it was done nobody knows.
        """
        while True:
            await self._up.wait()
            machine, node = self._machine, self.node
            if machine is not None and machine.alive and node is not None:
                task = machine.spawn(what(node))
                task.add_done_callback(_seen)  # who asked may be gone when the answer comes
                return await machine.join(task)
            await asyncio.sleep(0.01)

    async def submit(self, value: Any, **options: Any) -> Handle:
        """Submit, and hold the answer to what is recorded.

        Raises:
            Crashed: the machine went down first.
            NodeStoppedError: the node did.
        """
        handle = await self.call(lambda node: node.submit(value, **options))
        self.invariants.answered(value, options, handle)
        return handle

    async def outcome(self, handle: Handle) -> None:
        """Wait for an outcome as long as the machine lives, and hold it to what is recorded."""
        machine = self._machine
        if machine is None or not machine.alive:
            return
        try:
            task = machine.spawn(handle.outcome())
            task.add_done_callback(_seen)
            outcome = await machine.join(task)
        except (Crashed, NodeStoppedError):
            return
        if handle.id is not None and handle.verdict.result not in {"refused", "shed"}:
            self.invariants.ended(handle.id, outcome)

    async def find_out(self, wants: Callable[[], bool] = lambda: True) -> None:
        """Let a person look at the world for what is in doubt and nobody else finds out."""
        await find_out(self.invariants, self.world, self.call, wants)

    def beside(self, work: Coroutine[Any, Any, None]) -> None:
        """Do something beside, in the world."""
        self.loop.world.spawn(work)

    # -- the host -------------------------------------------------------------------------------------------------

    async def main(self) -> Simulated:
        """Both phases of the run."""
        host = self.loop.world.spawn(self._keep_up())
        self._set_clock()
        try:
            await self.scenario.people(self)
            self.faults.stop()
            self.calm = True
            await self._rest()
        except InvariantViolation as violation:
            self._stop(violation)
            raise
        finally:
            host.cancel()
            if self._folder is not None:
                self._abandon()
                self._folder.cleanup()
        return self._simulated()

    async def _keep_up(self) -> None:
        """Start the node, and again whenever it went down."""
        while True:
            self._machine = machine = self.loop.boot("node")
            self.invariants.rebooted()
            self._started = (max(self.clock.wall_us(), self.invariants.ledger.at_us), self.clock.monotonic())
            before = self._before()
            self._abandon()
            machine.spawn(self._incarnation(machine, before))
            if self.faults.strikes("crash at await", "await") and self.crashes < self.crashes_max:
                steps = self.loop.steps + self.faults.steps("crash at await", CRASH_STEPS_MEAN)
                self.loop.at_step(steps, partial(self._crash, machine))
            if self.faults.strikes("stop", "machine"):
                self.beside(self._stop_later(machine))
            if self.faults.strikes("pause", "machine"):
                self.beside(self._pause_later(machine))
            while machine.alive and (self.node is None or self.node.failure is None):  # noqa: ASYNC110 - two things
                await asyncio.sleep(0.25)
            self._up.clear()
            self._judge(self.node)
            self.node = None
            machine.crash()
            self.crashes += 1
            if self.crashes >= self.crashes_max:
                self.faults.stop()
            await asyncio.sleep(self.loop.streams.of("world/host").uniform(0.05, 5.0))

    async def _pause_later(self, machine: Machine) -> None:
        """The machine stands still for a while, as under SIGSTOP or on a host that swaps, and does not know of it."""
        draw = self.loop.streams.of("world/host")
        await asyncio.sleep(draw.expovariate(1 / PAUSE_S_MEAN))
        if machine.alive and not self.calm:
            self.loop.note("pause", machine.label)
            self.loop.pause(machine)
            await asyncio.sleep(draw.choice((0.5, 5.0, PAUSED_S_MAX)) * draw.random())
            self.loop.resume(machine)

    async def _stop_later(self, machine: Machine) -> None:
        """An operator stops the node in good order, as for a deploy."""
        await asyncio.sleep(self.loop.streams.of("world/host").uniform(0.0, STOP_S_MAX))
        node = self.node
        if self.calm or not machine.alive or machine is not self._machine or node is None or not self._up.is_set():
            return
        self._up.clear()
        try:
            await machine.join(machine.spawn(node.stop()))
        except (Crashed, JournalIOError):
            return
        machine.crash()

    def _crash(self, machine: Machine) -> None:
        if not self.calm:
            machine.crash()

    async def _incarnation(self, machine: Machine, before: dict[str, Any] | None) -> None:
        try:
            seen = self.invariants.ledger.seq
            inner = self._inner()
            self._before_crash = before
            journal = FaultyJournal(inner, self.loop, machine, self.faults, self, seen)
            app = self.scenario.app(self.world, machine.incarnation)
            randomness = Randomness(f"{self.loop.seed}/{machine.incarnation}")
            node = Node(app, journal, settings=self.settings, clock=self.clock, randomness=randomness)
            self.journal, self.node = journal, node
            await node.start()
            self._up.set()
        except JournalIOError:
            machine.crash()
        except Exception as error:  # noqa: BLE001 - a node that cannot start is a finding
            self._stop(_defect(error))

    def reopened(self, state: State, last: port.HistoryRow | None) -> None:
        """The journal was opened."""
        self.invariants.reopened(state, last, self._before_crash)

    def turning(self) -> None:
        """The node is about to write."""
        if self.node is not None:
            self.invariants.turned(self.node)

    def _inner(self) -> port.Journal:
        if self._folder is None:
            return MemoryJournal(self._disk)
        salts = Randomness(f"{self.loop.seed}/salts/{self.loop.steps}")
        return SqliteJournal(Path(self._folder.name) / "journal.db", durability="journal", randomness=salts)

    def _before(self) -> dict[str, Any] | None:
        """What the node had, if it went down between two commits."""
        journal = self.journal
        if journal is None or not journal.whole or journal.seen != self.invariants.ledger.seq:
            return None
        return picture(journal.state)

    def _abandon(self) -> None:
        """A crashed process holds no lock."""
        if self.journal is not None and isinstance(self.journal.inner, SqliteJournal):
            self.journal.inner.abandon()

    def _judge(self, node: Node | None) -> None:
        """A node may fail because its disk did; otherwise it has a defect."""
        failure = node.failure if node is not None else None
        if failure is not None and not isinstance(failure, JournalIOError):
            self._stop(_defect(failure))

    def _stop(self, violation: InvariantViolation) -> None:
        """Keep the first violation; it ends the run after this step, wherever it was found."""
        if self.violation is None:
            self.violation = violation
            self.loop.after_step = self._raise

    def _raise(self) -> None:
        self.loop.after_step = None
        if self.violation is not None:
            raise self.violation

    # -- the clock ------------------------------------------------------------------------------------------------

    def _honest_us(self) -> int:
        """Time as DESIGN section 4 wants it: by the monotonic clock since the start, from the last recorded time on."""
        wall_us, monotonic = self._started
        return wall_us + int((self.clock.monotonic() - monotonic) * 1e6) - ROUNDING_US

    def _set_clock(self) -> None:
        if self.faults.strikes("clock drift", "clock"):
            self.clock.drift(self.faults.amount("clock drift", -DRIFT_MAX, DRIFT_MAX))
        if self.faults.strikes("clock jump", "clock"):
            self.beside(self._jump())

    async def _jump(self) -> None:
        draw = self.loop.streams.of("world/clock")
        while True:
            await asyncio.sleep(draw.expovariate(1 / JUMP_S_MEAN))
            if self.calm:
                return
            self.clock.jump(draw.choice((1, -1)) * draw.choice((0.5, 5.0, 60.0, JUMP_S_MAX)) * draw.random())

    # -- reports --------------------------------------------------------------------------------------------------

    def _deliver(self, ref: str, report: Report) -> None:
        waiting = self._sending.setdefault(ref, [])
        waiting.append(report)
        if len(waiting) == 1:
            self.beside(self._send(ref, waiting))

    async def _send(self, ref: str, waiting: list[Report]) -> None:
        """A party sends its reports of an order one after another, each until it is heard or nobody knows the order."""
        attempts = 0
        while waiting:
            report = waiting[0]
            try:
                news = await self.call(partial(Node.resolve, where=ref, news=report))
            except (NotFoundError, Crashed, NodeStoppedError) as error:
                attempts += isinstance(error, NotFoundError)
                if attempts > SENDS_MAX:
                    return
                await asyncio.sleep(0.5 + attempts)
                continue
            waiting.pop(0)
            if news:
                self.invariants.reported(ref, report.id)

    # -- the end --------------------------------------------------------------------------------------------------

    async def _rest(self) -> None:
        """Faults have stopped, people resume what is halted and look into what is in doubt: everything must end."""
        if (afterwards := getattr(self.scenario, "afterwards", None)) is not None:
            await afterwards(self)
        until = self.loop.time() + REST_S_MAX
        while self.loop.time() < until and (self.invariants.ledger.open or self.node is None):
            for scope in list(self.invariants.ledger.halts):
                with suppress(Crashed, NodeStoppedError):  # a last crash may still be on its way
                    await self.call(partial(Node.resume, scope=scope, by="ben"))
            await self.find_out()
            await asyncio.sleep(2.0)
            self._judge(self.node)
        await self._up.wait()
        if self.node is not None:
            self.invariants.rested(list(self.world.parties.values()), self.node)
        if self.violation is not None:
            raise self.violation

    def _simulated(self) -> Simulated:
        ledger = self.invariants.ledger
        return Simulated(
            seed=self.loop.seed,
            digest="",
            steps=0,
            time_s=0.0,
            crashes=self.crashes,
            decisions=len(ledger.told),
            facts=ledger.seq,
            arrivals=sum(len(party.arrivals) for party in self.world.parties.values()),
            ends=Counter(told.end or "open" for told in ledger.told.values()),
            asked=self.faults.asked,
            struck=self.faults.struck,
            drawn=dict(getattr(self.scenario, "drawn", {})),
        )


def _seen(task: asyncio.Task[Any]) -> None:
    if not task.cancelled():
        task.exception()


def _defect(error: BaseException) -> InvariantViolation:
    """Whatever a node fails of is a finding; a promise that it found broken itself keeps its name."""
    if isinstance(error, InvariantViolation):
        return error
    found = InvariantViolation("defect", f"the node failed: {type(error).__name__}: {error}")
    found.__cause__ = error
    return found
