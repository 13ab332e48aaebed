"""A node: one running process. Opens a journal, recovers, runs the pipeline turn by turn, drains, stops."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
from collections.abc import AsyncIterable, AsyncIterator, Iterable
from typing import Any, Self

from lictor.app import App
from lictor.config import Settings
from lictor.decisions.shaping import Shaping
from lictor.declarations.gates import Reference
from lictor.entry import Entry, Handle
from lictor.errors import Code, DeclarationError, DeniedError, JournalError, NodeStoppedError, NotFoundError
from lictor.execution.executor import Executor
from lictor.feedback.learner import Learner
from lictor.inputs.intake import Intake
from lictor.journal import port
from lictor.journal.memory import MemoryJournal
from lictor.monitoring.monitor import Monitor
from lictor.pipeline import Pipeline
from lictor.records import Amount, Approval, Halt, Report, Signal
from lictor.runtime.clock import Clock, SystemClock
from lictor.runtime.ids import Ids
from lictor.runtime.offload import Lanes, threads
from lictor.runtime.randomness import Randomness
from lictor.validation.validator import Validator


class Node:
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
        self.clock = clock or SystemClock()
        self.randomness = randomness or Randomness()
        self.journal = journal_at(journal, self.settings) if isinstance(journal, str) else journal
        self._lanes = lanes
        self._wanted = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._timer_us: int | None = None
        self.accepting = False
        self.failure: BaseException | None = None
        self._ids = Ids()
        settings = self.settings
        decisions = Shaping(app, self._ids)
        feedback = Learner(app, settings.learn_every_s)
        amend = {name: shaper.amended for name, shaper in decisions.shapers.items()}
        validation = Validator(app, amend, decisions.value, feedback.score, self._answered)
        validation.gatekeeper.durability = self.journal.durability
        execution = Executor(
            app,
            self.clock,
            self.randomness,
            self.wake,
            backlog_max=settings.backlog_max,
            value_of=decisions.value,
        )
        inputs = Intake(app, self._ids, settings.waiting_max, settings.shed_every_s, lambda _source: None)
        self.pipeline = Pipeline(
            self.journal,
            self.clock,
            settings.turn_max,
            inputs=inputs,
            decisions=decisions,
            validation=validation,
            execution=execution,
            monitoring=Monitor(),
            feedback=feedback,
        )

    # -- life -----------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Open the journal, recover, load references, take work."""
        now_us = self.clock.wall_us()
        state = await self.journal.open(now_us)
        now_us = max(now_us, state.at_us)
        state.finished.clear()
        self._ids.pass_by(max(state.open, default=0))
        for effector in self.app.effectors.values():
            if not effector.is_async:
                self.pipeline.execution.attempts.use_lane(effector.name, self._lanes(effector.name, effector.slots))
        await self._declare(now_us)
        for reference in self.app.references.values():
            await self._load(reference)
            self._tasks.append(asyncio.create_task(self._refresh(reference)))
        self.pipeline.feedback.recover(state)
        self.pipeline.validation.recover(state)
        self.pipeline.execution.recover(state, now_us)
        self.accepting = True
        self._tasks.append(asyncio.create_task(self._run()))
        self.wake()

    async def _declare(self, now_us: int) -> None:
        policy = self.app.policy_version()
        declared = self.journal.state.declared
        verbs: list[port.Verb] = []
        if declared is None or (declared.policy, declared.app) != (policy, self.app.name):
            verbs.append(port.Declare(self.app.name, self.app.version, policy, now_us, self.app.manifest()))
        for (budget, scope), balance in self.journal.state.balances.items():
            declared_balance = self.app.balances.get(budget)
            if declared_balance is not None and declared_balance.limit_for(scope) != balance.limit:
                verbs.append(
                    port.SetLimit(
                        budget,
                        scope,
                        declared_balance.limit_for(scope),
                        now_us,
                        f"app:{self.app.version}",
                        declared_balance.window_s,
                    )
                )
        if verbs:
            await self.journal.write(verbs, now_us)

    async def _run(self) -> None:
        """Turn by turn, until the journal fails or the node stops."""
        try:
            while True:
                await self._wanted.wait()
                self._wanted.clear()
                await self.pipeline.turn()
                self._set_timer()
                if len(self.pipeline.inputs):
                    self.wake()
        except JournalError as error:
            self._fail(error)
        except Exception as error:  # noqa: BLE001 - a defect of the engine: stop rather than go on wrongly
            self._fail(error)

    def _fail(self, error: BaseException) -> None:
        """Crash only: nothing is acknowledged any more; who waits is told."""
        self.failure = error
        self.accepting = False
        stopped = NodeStoppedError(f"the node has stopped: {error}")
        for entry in self.pipeline.inputs.take(1 << 60):
            if entry.future is not None and not entry.future.done():
                entry.future.set_exception(stopped)
        for _, future in self.pipeline.requests:
            if not future.done():
                future.set_exception(stopped)
        for task in self._tasks:
            if task is not asyncio.current_task():
                task.cancel()

    def wake(self) -> None:
        """There is something for the next turn."""
        self._wanted.set()

    def _answered(self, entry: Entry) -> None:
        self.pipeline.answered.append(entry)
        self.wake()

    def _set_timer(self) -> None:
        """Wake when the next thing is due."""
        due = [
            t for t in (self.pipeline.execution.agenda.next_us(), self.pipeline.validation.next_us()) if t is not None
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
        waited = 0.0
        while self.pipeline.execution.running() and waited < self.settings.drain_s and self.failure is None:
            await self.clock.sleep(0.01)
            waited += 0.01
        return not self.pipeline.execution.running()

    async def stop(self) -> None:
        """Drain, and close the journal. What is open goes on at the next start."""
        if self._tasks and self.failure is None:
            await self.drain()
            await self._settle()
        self.accepting = False
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
        self.pipeline.validation.stop()
        await self.pipeline.execution.attempts.stop()
        if self._timer is not None:
            self._timer.cancel()
        await self.journal.close()

    async def _settle(self) -> None:
        """Write what is still unwritten."""
        for _ in range(3):
            self.wake()
            await self.clock.sleep(0)
            await self.clock.sleep(0)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    # -- references -----------------------------------------------------------------------------------------------

    async def _load(self, reference: Reference[Any]) -> None:
        """Load once; a loader that fails leaves the last value, which ages until gates refuse."""
        with contextlib.suppress(Exception):
            loaded = reference.load()
            value = await loaded if inspect.isawaitable(loaded) else loaded
            self.pipeline.validation.loaded(reference.name, value, self.clock.wall_us())
            self.wake()

    async def _refresh(self, reference: Reference[Any]) -> None:
        while True:
            await self.clock.sleep(reference.refresh_s)
            await self._load(reference)

    # -- submit ---------------------------------------------------------------------------------------------------

    def signal(self, value: Any, **options: Any) -> Signal:
        """A signal of a value of one of the App's kinds."""
        options.setdefault("source", "local")
        return Signal(kind=self.app.kind(type(value)).name, value=value, **options)

    async def submit(self, value: Any, **options: Any) -> Handle:
        """Submit one decision and wait for its durable verdict.

        Args:
            value: An object of a declared kind, or a `Signal`.
            options: `source`, `tenant`, `key`, `priority`, `expires_in_s`, `deadline_us`, `not_before_us`, `confidence`, `expects`,
                `parent`, `supersedes`; see `Signal`.

        Raises:
            NodeStoppedError: the node takes no work.
            DeclarationError: the value is of no declared kind.
        """
        return await self._offer(value if isinstance(value, Signal) else self.signal(value, **options))

    def _offer(self, signal: Signal) -> asyncio.Future[Handle]:
        future: asyncio.Future[Handle] = asyncio.get_running_loop().create_future()
        entry = Entry(signal, future)
        if not self.accepting:
            future.set_exception(NodeStoppedError(f"the node has stopped: {self.failure}" if self.failure else None))
            return future
        inputs = self.pipeline.inputs
        if inputs.full:
            inputs.shed(entry, Code.OVERLOADED, self.clock.wall_us(), {"waiting_max": inputs.waiting_max}, 0.1)
        else:
            inputs.offer(entry)
        self._wanted.set()
        return future

    async def submit_many(self, values: Iterable[Any], **options: Any) -> list[Handle]:
        """Submit many and wait for all their verdicts, in order; as many at a time as may wait."""
        handles: list[Handle] = []
        batch: list[asyncio.Future[Handle]] = []
        for value in values:
            batch.append(self._offer(value if isinstance(value, Signal) else self.signal(value, **options)))
            if len(batch) >= self.settings.turn_max:
                handles += [await future for future in batch]
                batch = []
        return handles + [await future for future in batch]

    async def stream(
        self, values: AsyncIterable[Any], *, ahead_max: int = 1_000, **options: Any
    ) -> AsyncIterator[Handle]:
        """Submit what an async iterator gives and yield the verdicts in order; it is asked for more only as these are taken."""
        waiting: list[asyncio.Future[Handle]] = []
        async for value in values:
            waiting.append(self._offer(value if isinstance(value, Signal) else self.signal(value, **options)))
            while waiting and (waiting[0].done() or len(waiting) >= ahead_max):
                yield await waiting.pop(0)
        for future in waiting:
            yield await future

    # -- steer ----------------------------------------------------------------------------------------------------

    async def _request(self, verb: port.Verb) -> port.Answer:
        if self.failure is not None or not self._tasks:
            raise NodeStoppedError
        future: asyncio.Future[port.Answer] = asyncio.get_running_loop().create_future()
        self.pipeline.requests.append((verb, future))
        self.wake()
        return await future

    async def approve(
        self, decision: int, *, by: str, approved: bool = True, gate: str | None = None, reason: str = ""
    ) -> None:
        """Answer a held decision, for the gate that holds it or a named one.

        Raises:
            NotFoundError: it is not held.
            DeniedError: the approver is its source, or it was answered before.
        """
        found = self.journal.state.open.get(decision)
        holding = [r for r in found.verdict.rulings if r.result == "hold" and not r.shadow] if found else []
        wanted = [r for r in holding if gate in (None, r.gate)]
        if found is None or not wanted:
            raise NotFoundError(f"decision {decision} is not held" + (f" by {gate}" if gate else ""))
        for ruling in wanted:
            approval = Approval(
                decision=decision,
                gate=ruling.gate,
                gate_version=ruling.version,
                digest=found.decision.digest,
                approver=by,
                approved=approved,
                at_us=self.clock.wall_us(),
                reason=reason,
            )
            answer = await self._request(port.Approve(approval))
            if not answer.ok:
                raise DeniedError(f"{answer.code}: {ruling.gate} of decision {decision}, by {by}")
        self.pipeline.validation.again(decision)
        self.wake()

    async def cancel(self, decision: int, *, by: str, reason: str = "") -> bool:
        """Ask to cancel: True when it ended cancelled here, False when it had started and its effectors are asked.

        Raises:
            NotFoundError: it is not open.
        """
        answer = await self._request(port.Cancel(decision, self.clock.wall_us(), by, reason))
        if not answer.ok:
            raise NotFoundError(f"decision {decision} is not open")
        work = self.pipeline.execution.work.get(decision)
        if work is not None:
            self.pipeline.execution.resolution.cancel(work)
        return work is None

    async def halt(self, scope: str = "all", *, by: str, reason: str = "", reduce_only: bool = False) -> None:
        """Stop all starts in a scope: `all`, or `kind:`, `source:`, `tenant:`, `effector:` and a name. In effect when this returns, and in
        memory before (I12)."""
        check_scope(scope)
        mode = "reduce_only" if reduce_only else "halted"
        halt = Halt(scope=scope, mode=mode, at_us=self.clock.wall_us(), by=by, reason=reason)
        self.journal.state.halts[scope] = halt
        await self._request(port.SetHalt(halt))

    async def resume(self, scope: str = "all", *, by: str, reason: str = "") -> None:
        """Lift a halt; a named person does it."""
        check_scope(scope)
        if not by:
            raise DeniedError("resuming needs the name of a person")
        await self._request(
            port.SetHalt(Halt(scope=scope, mode="none", at_us=self.clock.wall_us(), by=by, reason=reason))
        )
        self.pipeline.execution.resumed()

    async def set_limit(
        self, budget: str, limit: Amount, *, scope: str = "all", by: str, reset_latch: bool = False
    ) -> None:
        """Change the limit of a balance's scope from now on, and with `reset_latch` lift the latch that an overrun set."""
        declared = self.app.balances.get(budget)
        if declared is None:
            raise NotFoundError(f"no balance {budget!r}; there are: {', '.join(self.app.balances)}")
        await self._request(
            port.SetLimit(budget, scope, limit, self.clock.wall_us(), by, declared.window_s, reset_latch)
        )

    async def resolve(self, where: int | str, news: Report, *, ordinal: int = 0, by: str = "world") -> bool:
        """Bring news of an action: from a webhook or stream by the world's `ref`, or from a person by the decision's id.

        Returns:
            False when the report was known or the action had ended.

        Raises:
            NotFoundError: no open action has this ref, or the decision is not executing.
        """
        execution = self.pipeline.execution
        if isinstance(where, str):
            place = execution.resolution.refs.get(where)
        else:
            work = execution.work.get(where)
            place = (work, ordinal) if work is not None else None
        if place is None:
            raise NotFoundError(f"no open action {where!r}")
        del by
        before = len(place[0].acts)
        execution.resolution.report(place[0], place[1], news, self.clock.wall_us())
        execution.touch(place[0])
        return len(place[0].acts) > before


def check_scope(scope: str) -> None:
    """Raises:
    DeclarationError: the scope is none that a halt can have.
    """
    kind, _, name = scope.partition(":")
    if scope != "all" and not (kind in {"kind", "source", "tenant", "effector"} and name):
        raise DeclarationError(f"scope {scope!r}", hint="all, kind:NAME, source:NAME, tenant:NAME or effector:NAME")


def journal_at(address: str, settings: Settings) -> port.Journal:
    """The journal at an address: `memory:`, or a path or `sqlite:///path`."""
    if address == "memory:":
        return MemoryJournal()
    from lictor.journal.sqlite.journal import SqliteJournal

    return SqliteJournal(address.removeprefix("sqlite:///"), durability=settings.durability)
