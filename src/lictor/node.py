"""A node: one running process. Opens a journal, recovers, runs the pipeline turn by turn, drains, stops."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Coroutine
from typing import Any, Self

from lictor.app import App
from lictor.assembly import assemble
from lictor.config import Settings
from lictor.declarations.gates import Reference
from lictor.declarations.plain import told
from lictor.errors import JournalError, NodeStoppedError
from lictor.housekeeping import Housekeeping
from lictor.insight import Insight
from lictor.journal import port
from lictor.journal.memory import MemoryJournal
from lictor.journal.sqlite.journal import SqliteJournal
from lictor.runtime import collector
from lictor.runtime.cancellation import being_cancelled
from lictor.runtime.clock import Clock, SteadyClock, SystemClock
from lictor.runtime.ids import Ids
from lictor.runtime.offload import Lanes, threads
from lictor.runtime.randomness import Randomness
from lictor.submission import Submission


class Node(Submission, Insight):
    """Runs an App on a journal: `async with Node(app, "payouts.db") as node`."""

    def __init__(
        self,
        app: App,
        journal: port.Journal | str = "memory:",
        *,
        settings: Settings | None = None,
        clock: Clock | None = None,
        randomness: Randomness | None = None,
        lanes: Lanes = threads,
    ) -> None:
        app.check()
        self.app = app
        self.settings = settings or Settings()
        self.clock = self._steady = SteadyClock(clock or SystemClock())
        self.randomness = randomness or Randomness()
        self.journal = journal_at(journal, self.settings) if isinstance(journal, str) else journal
        self._lanes = lanes
        self._wanted = asyncio.Event()
        self._turns: asyncio.Task[None] | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._beside: set[asyncio.Task[None]] = set()
        self._asked: set[asyncio.Future[Any]] = set()
        self._on_stop: set[Callable[[Exception], None]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._timer_us: int | None = None
        self._stopping = False
        self.accepting = False
        self.failure: BaseException | None = None
        self._ids = Ids()
        self.pipeline = assemble(
            app,
            self.journal,
            self.settings,
            self._steady,
            self.randomness,
            self._ids,
            wake=self.wake,
            spawn=self._spawn,
        )
        self._look()
        counts, note = self.pipeline.monitoring.counts, self.pipeline.monitoring.note
        self.housekeeping = Housekeeping(
            self.journal, self.settings, self._steady, self.randomness, lambda: counts.turns, note
        )
        self.vitals.audited = self.housekeeping.audited

    # -- life -----------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Open the journal, recover, load references, take work."""
        self._loop = asyncio.get_running_loop()
        now_us = self.clock.wall_us()
        state = await self.journal.open(now_us)
        self._steady.start(state.at_us)
        now_us = self.clock.wall_us()
        state.finished.clear()
        newest = [row.id for row in await self.journal.decisions(port.Filter(limit=1))]
        self._ids.pass_by(max([*newest, *state.open, *state.quarantine], default=0))
        for effector in self.app.effectors.values():
            if not effector.is_async:
                self.pipeline.execution.attempts.use_lane(effector.name, self._lanes(effector.name, effector.slots_max))
            if effector.function is not None and self._lanes is threads:
                self.pipeline.execution.attempts.use_worker(effector.name, effector.function, effector.slots)
        await self._declare(now_us)
        for reference in self.app.references.values():
            await self._load(reference)
            self._tasks.append(asyncio.create_task(self._refresh(reference)))
        await self.pipeline.feedback.recover(state)
        self.pipeline.monitoring.recover()
        self.pipeline.validation.recover(state)
        self.pipeline.execution.recover(state, now_us)
        await self.pipeline.inputs.recover(self.journal)
        if self.settings.tune_collector:
            collector.tune()
        self.accepting = True
        self._turns = asyncio.create_task(self._run())
        self._tasks += [self._turns, asyncio.create_task(self._watch_room())]
        self._tasks.append(asyncio.create_task(self._keep_house(self.housekeeping.run)))
        self.wake()
        for source in self.app.pulls:
            self._spawn(self._pull(source))

    async def _declare(self, now_us: int) -> None:
        """Record what is declared, and put limits in force that are declared otherwise than before.

        A limit that a person has set stays until a deploy declares another.
        """
        app, state = self.app, self.journal.state
        policy, manifest, before = app.policy_version(), app.manifest(), state.declared
        verbs: list[port.Verb] = []
        if before is None or (before.app, before.policy, before.manifest) != (app.name, policy, manifest):
            verbs.append(port.Declare(app.name, app.version, policy, now_us, manifest))
        limits = before.manifest["balances"] if before is not None else {}
        for (budget, scope), balance in state.balances.items():
            declared, limit = app.balances.get(budget), balance.limit
            if declared is None:
                continue
            if limits.get(budget) != manifest["balances"][budget]:
                try:
                    limit = declared.limit_for(scope)
                except Exception as error:  # noqa: BLE001 - a limit may be user code; the one in force stays
                    self.pipeline.monitoring.note("limit_failed", budget=budget, scope=scope, error=told(error))
            window_us = round(declared.window_s * 1e6) if declared.window_s else None
            if limit != balance.limit or window_us != balance.window_us:
                by, window_s = f"app:{app.version}", declared.window_s or 0.0
                verbs.append(port.SetLimit(budget, scope, limit, now_us, by, window_s))
        verbs += self.pipeline.execution.doubts(state, now_us)
        if verbs:
            await self.journal.write(verbs, now_us)

    async def _run(self) -> None:
        """Turn by turn, until the journal fails or the node stops."""
        try:
            while not self._stopping or self._unwritten():
                await self._wanted.wait()
                self._wanted.clear()
                self.vitals.turn_began = self.clock.monotonic()
                await self.pipeline.turn()
                if gone := self.pipeline.execution.window.take_gone():
                    self.pipeline.handles.loosen(gone)
                self.vitals.turn_began = None
                await asyncio.sleep(0)  # who was answered goes on and effects begin, before the turn is looked at
                self.pipeline.observe()
                self._set_timer()
                if len(self.pipeline.inputs):
                    self.wake()
                elif not self._wanted.is_set():
                    await self.journal.rest()
        except JournalError as error:
            self._fail(error)
        except asyncio.CancelledError as error:
            if not being_cancelled():  # a gate or a plan let one out: nobody would turn any more, and nobody be told
                self._fail(error)
            raise
        except Exception as error:  # noqa: BLE001 - a defect of the engine: stop rather than go on wrongly
            self._fail(error)

    async def _pull(self, source: Any) -> None:
        """Submit all that a declared source gives; one that fails is told and the node goes on without it."""
        name = str(getattr(source, "name", None) or getattr(source, "path", None) or type(source).__name__)
        try:
            pulled = await self.pull(source)
        except NodeStoppedError:
            return
        except Exception as error:  # noqa: BLE001 - what gives signals is user code, and files come and go
            self.pipeline.monitoring.note("pull_failed", pulled=name, error=told(error))
        else:
            self.pipeline.monitoring.note("pull_ended", pulled=name, received=pulled.received, codes=dict(pulled.codes))

    async def _watch_room(self) -> None:
        """Stop admitting while the journal's disk is nearly full, so that what is open can still be settled."""
        while (free := self.journal.free_bytes()) is not None:
            self.pipeline.inputs.closed = free < self.settings.free_bytes_min
            await self.clock.sleep(1.0)

    async def _keep_house(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """What is built behind the commits; history that is not as it was signed stops the node."""
        try:
            await work()
        except Exception as error:  # noqa: BLE001 - as in `_run`: stop rather than go on wrongly
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        """Crash only: nothing is acknowledged any more; who waits is told."""
        self.failure = error
        self.accepting = False
        self.pipeline.execution.attempts.closed = True
        stopped = NodeStoppedError(f"the node has stopped: {error}")
        self._tell_stopped(stopped)
        self.pipeline.feedback.fail(stopped)
        self.pipeline.monitoring.note("node_failed", error=told(error))
        for task in self._tasks:
            if task is not asyncio.current_task():
                task.cancel()

    def _tell_stopped(self, stopped: NodeStoppedError) -> None:
        """Nothing more comes from this node: nobody waits for it in vain."""
        self.pipeline.inputs.abandon(stopped)
        for future in self._asked:
            if not future.done():
                future.set_exception(stopped)
        self.pipeline.handles.fail(stopped)
        for hear in list(self._on_stop):
            hear(stopped)

    def wake(self) -> None:
        """There is something for the next turn."""
        self._wanted.set()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run something beside the turns, until the node stops."""
        task = asyncio.get_running_loop().create_task(work)
        self._beside.add(task)
        task.add_done_callback(self._beside.discard)

    def _set_timer(self) -> None:
        """Wake when the next thing is due."""
        due = [
            t
            for t in (
                self.pipeline.execution.agenda.next_us(),
                self.pipeline.validation.next_us(),
                self.pipeline.feedback.next_us(),
            )
            if t is not None
        ]
        if self.pipeline.inputs.shedding.due:
            due.append(self.clock.wall_us() + int(self.settings.shed_every_s * 1e6))
        if not due:
            return
        first = min(due)
        if (
            self._timer_us is not None
            and self._timer_us <= first
            and self._timer is not None
            and not self._timer.cancelled()
        ):
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_us = first
        self._timer = self.clock.call_later((first - self.clock.wall_us()) / 1e6, self._timed)

    def _timed(self) -> None:
        self._timer = None
        self._timer_us = None
        self.wake()

    async def drain(self) -> bool:
        """Take no new work and wait for what runs, at most `drain_s`; True when nothing runs any more."""
        self.accepting = False
        self.pipeline.execution.draining = True
        waited = 0.0
        while self.pipeline.execution.running() and waited < self.settings.drain_s and self.failure is None:
            await self.clock.sleep(0.01)
            waited += 0.01
        return not self.pipeline.execution.running()

    async def stop(self) -> None:
        """Drain, and close the journal. What is open goes on at the next start."""
        started = self._turns is not None
        if self._turns is not None and self.failure is None:
            await self.drain()
            self.pipeline.feedback.flush()
            self._stopping = True
            self.wake()
            await asyncio.gather(self._turns, return_exceptions=True)
        self.accepting = False
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks, self._turns = [], None
        self._tell_stopped(NodeStoppedError())
        for task in list(self._beside):
            task.cancel()
        await self.pipeline.execution.attempts.stop()
        self.pipeline.feedback.stop()
        if self._timer is not None:
            self._timer.cancel()
        if started and self.failure is None:
            await self._keep_house(self.housekeeping.finish)
        await self.journal.close()
        if self.settings.tune_collector and started:
            collector.restore()

    def _unwritten(self) -> bool:
        """Something waits for the next turn."""
        p = self.pipeline
        return bool(self._wanted.is_set() or p.requests or p.answered or len(p.inputs) or p.execution.unwritten)

    async def __aenter__(self) -> Self:
        try:
            await self.start()
        except BaseException:
            await self.stop()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    # -- references -----------------------------------------------------------------------------------------------

    async def refresh(self, reference: Reference[Any]) -> None:
        """Load a reference now: the world has said that it changed."""
        await self._load(reference)

    async def _load(self, reference: Reference[Any]) -> None:
        """Load once; a loader that fails leaves the last value, which ages until gates refuse."""
        try:
            loaded = reference.load()
            value = await loaded if inspect.isawaitable(loaded) else loaded
            now_us = self.clock.wall_us()
            if self.pipeline.validation.loaded(reference.name, value, now_us):
                self.pipeline.execution.assurance.loaded(now_us)
            self.wake()
        except (Exception, asyncio.CancelledError) as error:  # a loader is user code
            if being_cancelled():
                raise
            self.pipeline.monitoring.note("reference_failed", reference=reference.name, error=told(error))

    async def _refresh(self, reference: Reference[Any]) -> None:
        while True:
            await self.clock.sleep(reference.refresh_s)
            await self._load(reference)


def journal_at(address: str, settings: Settings) -> port.Journal:
    """The journal at an address: `memory:`, or a path or `sqlite:///path`."""
    if address == "memory:":
        return MemoryJournal()
    return SqliteJournal(address.removeprefix("sqlite:///"), durability=settings.durability)
