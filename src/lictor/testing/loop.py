"""A deterministic event loop: one seed is one schedule, time jumps when nothing can run, machines vanish between steps.

    async def main(loop: SimLoop) -> int: ...

    done = run(7, main)        # done.value, done.digest, done.steps, done.time_s

A step is one callback: what a task does between two awaits, or a timer. Before each, a draw decides which of the ready
ones is next, so they run in more orders than asyncio's, where only arrivals vary. Reads no clock, starts no thread.
What no loop can order is a `set` of strings or coroutines (`asyncio.as_completed` makes one if it is given coroutines).
"""

# ruff: noqa: SLF001 - a loop works with the private parts of asyncio's handles, as each of asyncio's own loops does

from __future__ import annotations

import asyncio
import contextvars
import heapq
import math
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal, NoReturn, TypeVar, TypeVarTuple

from lictor.testing.fence import fence
from lictor.testing.handle import SimFuture, SimHandle, SimTask, label, place
from lictor.testing.machine import OWNER, Crashed, Machine
from lictor.testing.streams import Streams
from lictor.testing.stuck import DeadlockError, LivelockError
from lictor.testing.trace import FOLD, Trace
from lictor.testing.worldless import WorldlessLoop

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

#: Timers that were cancelled are taken out once they are this many and the majority.
_CANCELLED_MAX = 100

#: How the next step is chosen: any ready one alike, or the one that was scheduled first (nearest to asyncio).
Policy = Literal["uniform", "fifo"]


def _first() -> float:
    return 0.0


class SimLoop(WorldlessLoop):
    """One simulated run; `run` makes it, drives it and closes it. `steps_max` and `time_s_max` bound it."""

    def __init__(
        self,
        seed: int,
        *,
        policy: Policy = "uniform",
        steps_max: int = 1_000_000,
        time_s_max: float = math.inf,
        keep_trace: bool = False,
    ) -> None:
        super().__init__()
        self.seed = seed
        self.policy = policy
        self.steps_max = steps_max
        self.time_s_max = time_s_max
        self.streams = Streams(seed)
        self.trace = Trace(keep=keep_trace)
        #: Steps begun so far.
        self.steps = 0
        #: Called after each step, to check invariants; what it raises ends the run.
        self.after_step: Callable[[], None] | None = None
        self._now = 0.0
        self._ready: list[SimHandle] = []
        self._timers: list[tuple[float, int, SimHandle]] = []
        self._timers_cancelled = 0
        self._alarms: list[tuple[int, int, Callable[[], None]]] = []
        self._next_alarm = steps_max
        self._numbers = 0
        self._running = self._stopping = self._closed = False
        self.machines: list[Machine] = []
        #: What is not on any machine: the test itself, the network, the bank, the people. It cannot crash.
        self.world = self._current = Machine(self, "world", 0, self._ready)

    # Machines

    def boot(self, name: str) -> Machine:
        """The next incarnation of that name, counted from 1; the one before it must have crashed."""
        earlier = [machine for machine in self.machines if machine.name == name]
        if any(machine.alive for machine in earlier):
            raise ValueError(f"{name} is up")
        machine = Machine(self, name, len(earlier) + 1, self._ready)
        self.machines.append(machine)
        self.note("boot", machine.label)
        return machine

    def crash(self, machine: Machine) -> None:
        """Drop everything of a machine between two steps, or in the middle of one of its own, which raises Crashed."""
        if machine is self.world:
            raise ValueError("the world cannot crash")
        if machine.alive:
            self.note("crash", machine.label)
            machine.alive = False
            self._divert(machine, machine.remains)
            machine.settle()
        if machine is self._current:
            self.muted = machine
            raise Crashed(machine)

    def pause(self, machine: Machine) -> None:
        """Stop a machine as SIGSTOP does: time goes on and its timers fall due, but it takes no step until `resume`."""
        if machine.inbox is self._ready:
            self._divert(machine, [])

    def resume(self, machine: Machine) -> None:
        """Let a paused machine go on."""
        if machine.alive and machine.inbox is not self._ready:
            self._divert(machine, self._ready)

    def _divert(self, machine: Machine, inbox: list[SimHandle]) -> None:
        inbox.extend([handle for handle in machine.inbox if handle.machine is machine])
        if machine.inbox is self._ready:
            self._ready[:] = [handle for handle in self._ready if handle.machine is not machine]
        machine.inbox = inbox

    @contextmanager
    def acting_as(self, machine: Machine) -> Iterator[None]:
        """Make the enclosed calls those of a machine; see `Machine.call`."""
        machine.check()
        caller, self._current = self._current, machine
        try:
            yield
        finally:
            self._current = caller
            self.muted = None if caller.alive else caller
        caller.check()

    def at_step(self, step: int, callback: Callable[[], None]) -> None:
        """Call back, as the world, just before that step (counted from 1): the way to crash a machine at any await."""
        heapq.heappush(self._alarms, (step - 1, self.number(), callback))
        self._next_alarm = min(self._next_alarm, step - 1)

    def note(self, kind: str, text: str) -> None:
        """Add a record to the trace, such as a journal verb or a fault. The text must be the same in every process."""
        self.trace.recent.append((kind, self._now, self.number(), self._current.label, text))

    def number(self) -> int:
        """The next number of the one count that everything on this loop is ordered by."""
        self._numbers += 1
        return self._numbers

    # Time and scheduling

    def time(self) -> float:
        """Virtual seconds since the loop was made."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Let time pass within the current step, as a slow disk or a long computation does."""
        self._move_to(self._now + max(0.0, seconds))

    def call_soon(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: contextvars.Context | None = None
    ) -> SimHandle:
        if self._closed:
            raise RuntimeError("Event loop is closed")
        if context is None:
            context = contextvars.copy_context()
        machine = self.muted or context.get(OWNER, self._current)
        self._numbers = seq = self._numbers + 1
        handle = SimHandle(self._now, callback, args, self, context, machine, seq)
        machine.inbox.append(handle)
        return handle

    def call_soon_threadsafe(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: contextvars.Context | None = None
    ) -> SimHandle:
        """The same as call_soon: there is one thread."""
        return self.call_soon(callback, *args, context=context)

    def call_later(
        self, delay: float, callback: Callable[[*Ts], object], *args: *Ts, context: contextvars.Context | None = None
    ) -> SimHandle:
        return self.call_at(self._now + delay, callback, *args, context=context)

    def call_at(
        self, when: float, callback: Callable[[*Ts], object], *args: *Ts, context: contextvars.Context | None = None
    ) -> SimHandle:
        if when <= self._now:
            return self.call_soon(callback, *args, context=context)
        if self._closed:
            raise RuntimeError("Event loop is closed")
        if context is None:
            context = contextvars.copy_context()
        machine = self.muted or context.get(OWNER, self._current)
        handle = SimHandle(when, callback, args, self, context, machine, self.number())
        handle._scheduled = True
        heapq.heappush(self._timers, (when, handle.seq, handle))
        return handle

    def _timer_handle_cancelled(self, handle: SimHandle) -> None:
        """Called by the handle that is being cancelled."""
        if not handle._scheduled:
            return
        self._timers_cancelled += 1
        if self._timers_cancelled > _CANCELLED_MAX and self._timers_cancelled * 2 > len(self._timers):
            handle._cancelled = True
            self._timers[:] = [entry for entry in self._timers if not entry[2]._cancelled]
            heapq.heapify(self._timers)
            self._timers_cancelled = 0

    def create_future(self) -> SimFuture:
        return SimFuture(loop=self)

    def create_task(
        self, coro: Any, *, name: str | None = None, context: contextvars.Context | None = None, **kwargs: Any
    ) -> asyncio.Task[Any]:
        if context is None:
            context = contextvars.copy_context()
        machine = context.get(OWNER)
        if machine is None:
            machine = self._current
            context.run(OWNER.set, machine)
        if name is None:
            name = f"{label(coro)}#{self.number()}"
        if self._task_factory is None:
            task: asyncio.Task[Any] = SimTask(coro, loop=self, name=name, context=context, **kwargs)
        else:
            task = self._task_factory(self, coro, context=context, **kwargs)
            task.set_name(name)
        if not task.done():
            (self.muted or machine).tasks[task] = None
        return task

    # Driving

    def run_until_complete(self, future: Any) -> Any:
        """Run steps until that future or coroutine is done, and give its result."""
        self._check_free()
        main = asyncio.ensure_future(future, loop=self)
        self._drive(main.done)
        if not main.done():
            raise RuntimeError("Event loop stopped before Future completed.")
        return main.result()

    def run_forever(self) -> None:
        """Run steps until `stop`."""
        self._check_free()
        self._drive(lambda: False)

    def stop(self) -> None:
        """Stop after the current step."""
        self._stopping = True

    def _drive(self, done: Callable[[], bool]) -> None:
        self._running = True
        with fence(), self._keeping_generators():
            try:
                asyncio._set_running_loop(self)
                self._take_steps(done)
            finally:
                asyncio._set_running_loop(None)
                self._running = self._stopping = False
                self.muted, self._current = None, self.world

    def _take_steps(self, done: Callable[[], bool]) -> None:
        """The scheduler: one round is one step, unless it moves time or meets what was cancelled."""
        ready, trace, any_task = self._ready, self.trace, asyncio.Task
        recent = trace.recent
        draw = self.streams.of("scheduler").random if self.policy == "uniform" else _first
        while not (self._stopping or done()):
            if self.steps >= self._next_alarm:
                self._ring()
            if not ready:
                self._jump()
                continue
            handle = ready.pop(int(draw() * len(ready)))
            callback = handle._callback
            if callback is None:
                continue
            self.steps += 1
            self._current = machine = handle.machine
            task = getattr(callback, "__self__", None)
            if not isinstance(task, any_task):
                task = None
            name = label(callback) if task is None else getattr(task.get_coro(), "__qualname__", "?")
            recent.append(("step", self._now, handle.seq, machine.label, name))
            try:
                handle._context.run(callback, *handle._args)
            except (SystemExit, KeyboardInterrupt):
                raise
            except BaseException as error:  # noqa: BLE001 - as in asyncio, the handler is told and the loop goes on
                problem = {"message": f"Exception in callback {name}", "exception": error, "handle": handle}
                self.call_exception_handler(problem)
            self.muted = None
            if task is not None and task.done():
                machine.tasks.pop(task, None)
            if len(recent) >= FOLD:
                trace.fold()
            if self.after_step is not None:
                self.after_step()

    def _ring(self) -> None:
        """Between two steps: make the calls that are due by now, and keep the bound."""
        self._current = self.world
        while self._alarms and self._alarms[0][0] <= self.steps:
            heapq.heappop(self._alarms)[2]()
        if self.steps >= self.steps_max:
            self._livelocked(f"{self.steps_max} steps")
        self._next_alarm = min(self._alarms[0][0], self.steps_max) if self._alarms else self.steps_max

    def _jump(self) -> None:
        """Nothing is ready: go to the next timer of a machine that is up, or find that there is none."""
        timers = self._timers
        while timers and (timers[0][2]._cancelled or not timers[0][2].machine.alive):
            self._expire()
        if not timers:
            raise DeadlockError(self.waiting())
        if timers[0][0] > self.time_s_max:
            self._livelocked(f"{self.time_s_max} s of virtual time")
        self._move_to(timers[0][0])

    def _move_to(self, now: float) -> None:
        self._now = now
        while self._timers and self._timers[0][0] <= now:
            self._expire()

    def _expire(self) -> None:
        """Take the first timer off the heap, to wherever its machine's work goes."""
        handle = heapq.heappop(self._timers)[2]
        handle._scheduled = False
        if handle._cancelled:
            self._timers_cancelled -= 1
        else:
            handle.machine.inbox.append(handle)

    def _livelocked(self, bound: str) -> NoReturn:
        busiest = Counter(f"{record[3]}: {record[4]}" for record in self.trace.tail(256)).most_common(5)
        raise LivelockError(bound, self.waiting(), busiest)

    def waiting(self) -> list[str]:
        """The unfinished tasks of what is up, in order of creation, each with the line that it waits at."""
        return [
            f"{machine.label}: {task.get_name()} at {place(task.get_coro())}"
            for machine in (self.world, *self.machines)
            if machine.alive
            for task in machine.tasks
        ]

    def _check_free(self) -> None:
        if self._closed:
            raise RuntimeError("Event loop is closed")
        if self._running or asyncio._get_running_loop() is not None:
            raise RuntimeError("This event loop is already running" if self._running else "another loop is running")

    # Ending

    def is_running(self) -> bool:
        return self._running

    def is_closed(self) -> bool:
        return self._closed

    def close(self) -> None:
        """Close what the world has left, and let go of everything else without running it."""
        if self._running:
            raise RuntimeError("Cannot close a running event loop")
        if self._closed:
            return
        everyone = (self.world, *self.machines)
        for machine in everyone:
            if machine.alive:
                machine.alive = False
                self._divert(machine, machine.remains)
        while self._timers:
            self._expire()
        running = asyncio._get_running_loop()
        asyncio._set_running_loop(self)  # a `finally` that waits must find a loop, or it may try for ever
        self.muted = self.world
        try:
            self.world.close()
        finally:
            asyncio._set_running_loop(running)
            self.muted, self._closed = None, True
            for machine in everyone:
                machine.bury()
