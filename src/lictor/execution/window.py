"""The window: of all that is queued only so much is in memory; the journal parks the rest and gives it back in time.

Each queue (effector, class, tenant) that has anything parked keeps some work in memory, so that the scheduler chooses
among all classes and tenants as if all were here; only within one tenant's queue may what is parked be passed by work
with a later deadline. Only what nothing else depends on is parked: admitted, not begun, without an order key, no child.
Soft state: counts of what the journal has parked, rebuilt at recovery.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from lictor.capacity.feasibility import RETRY_AFTER_S_FULL, Late
from lictor.errors import Code
from lictor.journal.open import Open
from lictor.journal.parking import Queue, queue_of
from lictor.journal.state import KeysInMemory, State
from lictor.records import Decision, Plan, Result, Verdict

from .agenda import Agenda
from .effector_lane import EffectorLane
from .work import Work

_ADMITTED = Result.ADMITTED

#: A queue that has anything parked has so much in memory, less where there are many queues, but never nothing.
KEPT = 4
#: Brought back for one queue at once, and in one turn for all.
TAKEN_MAX = 512
TURN_MAX = 4_096


class WaitingQueue:
    """What is known of one queue: its work in memory that waits for a slot, and how much is parked."""

    __slots__ = ("due_us", "key", "number", "parked", "waiting")

    def __init__(self, key: Queue, number: int) -> None:
        self.key = key
        self.number = number
        self.waiting = 0
        self.parked = 0
        #: No deadline of what is parked lies before this.
        self.due_us = 0


class Window:
    """Decides what is parked and when it comes back.

    `most` is how many open decisions may be in memory; from a quarter of that on, what is queued is parked.
    `backlog_max` is how many may be open.
    """

    def __init__(
        self,
        most: int,
        backlog_max: int,
        agenda: Agenda,
        lanes: dict[str, EffectorLane],
        take_up: Callable[[Open, int], Work | None],
        wake: Callable[[], None],
    ) -> None:
        self.most = most
        self.backlog_max = backlog_max
        #: Open decisions in memory from which on what is queued is parked; never, where memory can hold all.
        self._park_from = max(1, most // 4) if backlog_max > most else backlog_max
        self._kept = 1
        self._agenda = agenda
        self._lanes = lanes
        self._take_up = take_up
        self._wake = wake
        self._state = State(KeysInMemory())
        #: Something is parked, or soon will be: what is queued is counted.
        self.on = False
        #: Decisions that this turn has let in and that are not open yet; and of each queue.
        self._planned = 0
        self._coming: Counter[Queue] = Counter()
        self._offered: set[int] = set()
        self._gone: list[int] = []
        self._queues: dict[Queue, WaitingQueue] = {}
        self._numbers: dict[int, WaitingQueue] = {}
        self._next_number = 1
        #: Queues that have little left in memory.
        self._low: dict[int, WaitingQueue] = {}

    def recover(self, state: State, at_us: int) -> None:
        """Know what is parked in a journal that was just opened."""
        self._state = state
        state.returned.clear()
        for key, parked in state.parking.queues().items():
            queue = self._queue(key)
            self._count(queue, parked.waiting)
            self._due(queue, max(parked.first_us, at_us))
            self._low[queue.number] = queue
        self.begin_turn(at_us)

    def begin_turn(self, at_us: int) -> None:
        """Forget what the turn before had planned, and take up what the journal has given back unasked."""
        state = self._state
        self._planned = 0
        if self.on:
            self._coming.clear()
            self._offered.clear()
        if state.returned:
            self._returned(at_us)
        self.on = bool(state.parking.count or len(state.open) >= self._park_from)
        self._kept = max(1, min(KEPT, self._park_from // max(1, len(self._queues))))

    @property
    def count(self) -> int:
        """How many decisions are parked."""
        return self._state.parking.count

    # -- admission ------------------------------------------------------------------------------------------------

    def crowded(self, decision: Decision, verdict: Verdict) -> Late | None:
        """Why a new decision is one too many (I17): whatever is open counts, held and pending too."""
        state = self._state
        count = len(state.open) + self._planned
        if self.on or count >= self._park_from:
            self.on = True
            backlog = count + state.parking.count
            if backlog >= self.backlog_max:
                seen: dict[str, object] = {"backlog": backlog, "backlog_max": self.backlog_max}
                return Late(Code.OVERLOADED, seen, RETRY_AFTER_S_FULL)
            parkable = verdict.result is _ADMITTED and not decision.depth and decision.order_key is None
            if count >= self.most and not parkable:
                return Late(Code.OVERLOADED, {"in_memory": count, "window_max": self.most}, RETRY_AFTER_S_FULL)
        self._planned += 1
        return None

    def offer(self, decision: Decision, plan: Plan) -> None:
        """A decision will be queued: let the journal park it, where its queue has enough in memory already."""
        if decision.depth or decision.order_key is not None:
            return
        state = self._state
        key = Queue(plan.actions[0].effector, decision.priority, decision.tenant)
        queue = self._queue(key)
        if not queue.parked and len(state.open) + self._planned <= self._park_from:
            return
        self._coming[key] += 1
        if queue.waiting + self._coming[key] > self._kept:
            state.aside.add(decision.id)
            self._offered.add(decision.id)

    def parked(self, found: Open) -> bool:
        """Whether the journal has parked what it was offered."""
        if found.decision.id not in self._offered or found.decision.id in self._state.open:
            return False
        self._gone.append(found.decision.id)
        queue = self._queue(queue_of(found))
        self._count(queue, 1)
        if queue.parked == 1 or found.decision.deadline_us < queue.due_us:
            self._due(queue, found.decision.deadline_us)
        return True

    def take_gone(self) -> list[int]:
        """What has been parked since the last call."""
        if not self._gone:
            return self._gone  # the same empty list, so that asking costs nothing
        gone, self._gone = self._gone, []
        return gone

    # -- what waits in memory -------------------------------------------------------------------------------------

    def enter(self, work: Work) -> None:
        """Work in memory waits; what an order key holds back is no work that could start, and does not count."""
        if work.key is None and work.window is None and not work.open.started:
            work.window = queue = self._queue(queue_of(work.open))
            queue.waiting += 1

    def leave(self, work: Work) -> None:
        """It waits no more for a slot: it starts, it has ended, or something else holds it back."""
        queue, work.window = work.window, None
        if queue is None:
            return
        queue.waiting -= 1
        if queue.parked:
            self._low[queue.number] = queue
        elif not queue.waiting:
            self._forget(queue)

    # -- coming back ----------------------------------------------------------------------------------------------

    def refill(self, at_us: int) -> None:
        """Bring back what may start soon."""
        state, left = self._state, TURN_MAX
        low, self._low = self._low, {}
        share = min(max(self._kept, self._park_from // max(1, len(self._queues))), 2 * TAKEN_MAX)
        for number, queue in low.items():
            if queue.waiting > share // 2 or not queue.parked:
                continue
            room = self.most + self._kept - len(state.open)
            wanted = min(share - queue.waiting, TAKEN_MAX, room, left)
            if wanted > 0:
                state.recall_first(queue.key, wanted)
                left -= len(state.returned)
                self._returned(at_us)
            if queue.parked and queue.waiting <= share // 2:
                self._low[number] = queue
        if left <= 0 and self._low:
            self._wake()

    def due(self, number: int, at_us: int) -> None:
        """The deadline of something parked may have come: bring it back, so that it expires as all others do."""
        queue = self._numbers.get(number)
        if queue is None or not queue.parked:
            return
        self._state.recall_first(queue.key, TAKEN_MAX)
        last = self._returned(at_us)
        if queue.parked:
            self._due(queue, max(at_us, last))

    def _returned(self, at_us: int) -> int:
        """Take up what is in memory again; the last of the deadlines."""
        state, last = self._state, 0
        returned, state.returned = state.returned, []
        for found in returned:
            queue = self._queue(queue_of(found))
            self._count(queue, -1)
            last = found.decision.deadline_us
            if found.decision.id in state.open:
                work = self._take_up(found, at_us)
                if work is not None:
                    self.enter(work)
            if not queue.parked and not queue.waiting:
                self._forget(queue)
        return last

    def _count(self, queue: WaitingQueue, change: int) -> None:
        queue.parked += change
        lane = self._lanes.get(queue.key.effector)
        if lane is not None:
            lane.park(queue.key.priority, queue.key.tenant, change)

    def _due(self, queue: WaitingQueue, at_us: int) -> None:
        queue.due_us = at_us
        if queue.key.effector in self._lanes:  # else it waits for a deploy that declares it
            self._agenda.add(at_us, "expire", -queue.number)

    def _queue(self, key: Queue) -> WaitingQueue:
        found = self._queues.get(key)
        if found is None:
            found = self._queues[key] = self._numbers[self._next_number] = WaitingQueue(key, self._next_number)
            self._next_number += 1
        return found

    def _forget(self, queue: WaitingQueue) -> None:
        self._queues.pop(queue.key, None)
        self._numbers.pop(queue.number, None)
        self._low.pop(queue.number, None)
