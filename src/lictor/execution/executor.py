"""The executor: admitted work starts when order, slots and rates allow; what happens becomes verbs for the journal.

Reads the journal's open decisions, writes nothing itself: each turn of the pipeline asks it for verbs, has them
committed, and tells it the answers; only then does an effect begin.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from lictor.capacity.rates import TokenBucket
from lictor.declarations.declared import Declared
from lictor.entry import Entry
from lictor.errors import Code
from lictor.journal.open import Open
from lictor.journal.port import Act, Answer, Close, Progress, Start, StartItem, Undo, Verb
from lictor.journal.rules import halted
from lictor.journal.state import State
from lictor.lifecycle import ActionState, Event
from lictor.records import Decision, Lease, Outcome, Plan, Take
from lictor.runtime.clock import Clock
from lictor.runtime.randomness import Randomness

from .agenda import Agenda
from .attempts import Attempts, News
from .effector_lane import EffectorLane
from .lanes import OrderLanes
from .planning import Planner
from .progress import conclude, drop_waiting, record, settled_enough
from .recovery import recovered
from .resolution import Resolution
from .work import Work

#: Added to a call's time-out to make its lease: the time a late return needs to be recorded.
LEASE_MARGIN_S = 5.0


class Late(NamedTuple):
    """Why a decision would come too late, or be one too many."""

    code: Code
    seen: dict[str, object]
    retry_after_s: float


class Executor:
    """Execution on one node."""

    def __init__(
        self,
        app: Declared,
        clock: Clock,
        randomness: Randomness,
        wake: Callable[[], None],
        *,
        backlog_max: int,
        value_of: Callable[[Decision], Any],
    ) -> None:
        self.app = app
        self.backlog_max = backlog_max
        self.planner = Planner(app)
        self.value_of = value_of
        self.clock = clock
        self.wake = wake
        self.agenda = Agenda()
        self.lanes = {name: EffectorLane(effector) for name, effector in app.effectors.items()}
        self.order = OrderLanes()
        self.attempts = Attempts(clock, self._tell, self._freed, self._may_begin)
        self.work: dict[int, Work] = {}
        #: Work whose kind or effector is not declared any more; it waits, named, for a deploy that declares it.
        self.undeclared: set[int] = set()
        self.buckets: dict[tuple[str, str], TokenBucket] = {}
        self.resolution = Resolution(self, randomness)
        self._news: list[News] = []
        #: Order keys of decisions that this turn has planned and the journal has not admitted yet: nobody passes them (I4).
        self._planned_keys: set[tuple[str, str]] = set()
        self._touched: dict[int, Work] = {}
        self._state: State | None = None
        self._full_buckets = True
        #: Attempts that a crash cut off, so far; paces their repetition.
        self.recovering = 0

    # -- before and after an admission commits --------------------------------------------------------------------

    def recover(self, state: State, at_us: int) -> None:
        """Take up all open decisions of a journal that was just opened."""
        self._state = state
        self._full_buckets = state.epoch <= 1
        for found in sorted(state.open.values(), key=lambda o: o.place):
            recovered(self, self.resolution, found, at_us)

    def plan(self, entry: Entry, now_us: int) -> Late | None:
        """Plan an admitted decision, and start it in the admitting transaction if nothing is before it.

        Returns:
            Why it would be too late, or one too many, and should be shed; else None.
        """
        decision, verdict = entry.decision, entry.verdict
        if decision is None or verdict is None:
            return None
        plan = entry.plan = self.planner.plan(decision.kind, entry.value)
        starts = self._may_start_now(decision, plan, verdict.takes)
        if decision.order_key is not None:
            self._planned_keys.add((decision.tenant, decision.order_key))
        if starts:
            effector = self.app.effectors[plan.actions[0].effector]
            fence = self._state.next_fence() if self._state else 0
            entry.lease = Lease(fence, now_us + int((effector.timeout_s + LEASE_MARGIN_S) * 1e6))
            return None
        lanes = [self.lanes[name] for name in {action.effector for action in plan.actions}]
        wait_s = max(lane.wait_s(decision.priority) for lane in lanes)
        if len(self.work) >= self.backlog_max:
            return Late(Code.OVERLOADED, {"backlog": len(self.work), "backlog_max": self.backlog_max}, max(wait_s, 0.1))
        left_s = (decision.deadline_us - now_us) / 1e6
        needs_s = wait_s + max(lane.seconds for lane in lanes)
        if needs_s > left_s:
            return Late(
                Code.INFEASIBLE, {"wait_s": round(wait_s, 3), "left_s": round(left_s, 3)}, max(needs_s - left_s, 0.01)
            )
        return None

    def _may_start_now(self, decision: Decision, plan: Plan, takes: tuple[Take, ...]) -> bool:
        """Direct dispatch: take the slot and tokens now if nothing is before it. `not_started` gives them back."""
        if len(plan.actions) != 1:
            return False
        lane = self.lanes[plan.actions[0].effector]
        if not lane.free or (lane.ready.size and lane.ready.ahead(decision.priority)):
            return False
        key = self.lane_key(decision)
        if key is not None and (key in self._planned_keys or not self.order.free(key)):
            return False
        if takes and not self._take(takes):
            return False
        lane.free -= 1
        return True

    def not_started(self, entry: Entry) -> None:
        """The journal did not admit it after all."""
        if entry.plan is None or entry.verdict is None:
            return
        self.lanes[entry.plan.actions[0].effector].free += 1
        for take in entry.verdict.takes:
            self._bucket(take).give_back(take.count)

    def admitted(self, found: Open, *, started: bool) -> None:
        """The admission is durable: begin, or queue."""
        work = self.work[found.decision.id] = Work(found)
        key = self.lane_key(found.decision)
        at_head = key is None or self.order.enter(key, work)
        if started:
            self._begin(work, 0)
            return
        self.agenda.add(found.decision.deadline_us, "expire", found.decision.id)
        if at_head:
            self.queue(work)

    def lane_key(self, decision: Decision) -> tuple[str, str] | None:
        """The order lane of a decision.

        Control kinds pass it, and a child with its parent's key runs in its parent's turn.
        """
        if decision.order_key is None or self.app.kinds[decision.kind].control:
            return None
        parent = self.work.get(decision.parent) if decision.parent is not None else None
        if parent is not None and parent.open.decision.order_key == decision.order_key:
            return None
        return decision.tenant, decision.order_key

    # -- queue and start ------------------------------------------------------------------------------------------

    def queue(self, work: Work) -> None:
        """Put what is ready into the queues of its effectors."""
        decision = work.open.decision
        priority = self.order.urgency(work)
        for name, ordinals in work.ready.items():
            if ordinals and name not in work.queued:
                work.queued.add(name)
                self.lanes[name].ready.push(work, priority, decision.tenant, decision.deadline_us)

    def starts(self, at_us: int) -> Start | None:
        """What starts in this tick: one verb for all of it."""
        items: dict[int, list[int]] = {}
        for name, lane in self.lanes.items():
            while lane.free and lane.ready.size:
                work = lane.ready.pop()
                if work is None or not self._pick(work, name, lane, items):
                    break
        if not items:
            return None
        fence = self._state.next_fence() if self._state else 0
        timeout_s = max(lane.effector.timeout_s for lane in self.lanes.values()) + LEASE_MARGIN_S
        picked = tuple(StartItem(decision, tuple(ordinals), fence) for decision, ordinals in items.items())
        return Start(picked, at_us + int(timeout_s * 1e6))

    def _pick(self, work: Work, name: str, lane: EffectorLane, items: dict[int, list[int]]) -> bool:
        """Take one ready action of a decision; False when the effector must wait for tokens."""
        work.queued.discard(name)
        ordinals = work.ready.get(name)
        if not ordinals or work.concluded:
            return True
        if work.takes and not self._take(work.takes):
            self.queue(work)
            return False
        items.setdefault(work.open.decision.id, []).append(ordinals.popleft())
        lane.free -= 1
        if ordinals:
            self.queue(work)
        return True

    def started(self, verb: Start, answer: Answer) -> None:
        """The start record is durable: hand over what was accepted, give back the rest."""
        for item in verb.items:
            work = self.work[item.decision]
            if item.decision in answer.accepted:
                for ordinal in item.ordinals:
                    self._begin(work, ordinal)
                continue
            plan = work.open.plan
            for ordinal in item.ordinals if plan else ():
                self.lanes[plan.actions[ordinal].effector].free += 1  # type: ignore[union-attr]
                work.make_ready(ordinal)
            if not self.halted(work):
                self.touch(work)  # the next turn expires or cancels it

    def _begin(self, work: Work, ordinal: int) -> None:
        plan = work.open.plan
        if plan is None:
            return
        effector = self.app.effectors[plan.actions[ordinal].effector]
        action = work.open.actions[ordinal]
        if action.attempts == 1:
            self.lanes[effector.name].pool.deposit()
        self.attempts.begin(work, ordinal, action.fence, effector)

    def _may_begin(self, work: Work, effector: str) -> bool:
        """Just before the call: nothing was halted since the commit (I12), and there is time left (I5)."""
        decision = work.open.decision
        if self._state is not None and halted(self._state, decision, effector) is not None:
            return False
        now_us = self.clock.wall_us()
        lease = work.open.lease_until_us
        return now_us < decision.deadline_us and (lease is None or now_us < lease)

    def halted(self, work: Work) -> bool:
        """Whether a halt forbids this decision's starts; what it queued stays away until the halt is lifted."""
        plan = work.open.plan
        effector = plan.actions[0].effector if plan else None
        return self._state is not None and halted(self._state, work.open.decision, effector) is not None

    def resumed(self) -> None:
        """A halt was lifted: queue again what it had sent back."""
        for work in self.work.values():
            if work.ready and (work.key is None or self.order.head(work)):
                self.queue(work)
        self.wake()

    def _take(self, takes: tuple[Take, ...]) -> bool:
        """All tokens or none; when short, the effector's queue is looked at again when they will be there."""
        now = self.clock.monotonic()
        wait_s = max(self._bucket(take).wait_s(take.count, now) for take in takes)
        if wait_s > 0:
            self.clock.call_later(wait_s, self.wake)
            return False
        for take in takes:
            self._bucket(take).take(take.count, now)
        return True

    def _bucket(self, take: Take) -> TokenBucket:
        found = self.buckets.get((take.budget, take.scope))
        if found is None:
            rate = self.app.rates[take.budget]
            found = TokenBucket(rate.per_s, rate.burst, self.clock.monotonic(), full=self._full_buckets)
            self.buckets[take.budget, take.scope] = found
        return found

    # -- what happened --------------------------------------------------------------------------------------------

    def _tell(self, news: News) -> None:
        self._news.append(news)
        self.wake()

    def _freed(self, effector: str, seconds: float) -> None:
        self.lanes[effector].note(seconds, self.clock.monotonic())
        self.wake()

    def touch(self, work: Work) -> None:
        """Look at this decision in the next turn."""
        self._touched[work.open.decision.id] = work
        self.wake()

    def verbs(self, at_us: int) -> list[Verb]:
        """What this turn has to write for what has happened and what is due."""
        self._planned_keys.clear()
        news, self._news = self._news, []
        touched, self._touched = self._touched, {}
        for item in news:
            if not item.work.concluded:
                self.resolution.take(item, at_us)
                touched[item.work.open.decision.id] = item.work
        for what, decision, ordinal in self.agenda.due(at_us):
            work = self.work.get(decision)
            if work is not None and not work.concluded and what != "rule":
                self.resolution.due(what, work, ordinal, at_us)
                touched[decision] = work
        written: list[Verb] = []
        for work in touched.values():
            verb = self._written(work, at_us)
            if verb is not None:
                written.append(verb)
        return written

    def _written(self, work: Work, at_us: int) -> Verb | None:
        """One verb for all that happened to one decision in this turn."""
        found = work.open
        if work.concluded:
            return None
        if not found.started:
            if at_us >= found.decision.deadline_us:
                work.concluded = True
                outcome = Outcome(decision=found.decision.id, result="expired", at_us=at_us, code=Code.DISPLACED)
                return Close(found.decision.id, Event.EXPIRE, outcome)
            self.queue(work)
            return None
        if work.undoing is None and work.finished < work.total and settled_enough(work):
            code = Code.DEPENDENCY_FAILED if work.failure else None
            drop_waiting(work, code or "CANCELLED", self._running_of(work))
        verb = None if work.undoing is not None else conclude(work, at_us)
        if verb is None and work.acts:
            acts, work.acts = tuple(work.acts), []
            verb = self.resolution.undone(work, acts, at_us) or Progress(found.decision.id, acts, at_us)
        return verb

    def _running_of(self, work: Work) -> Callable[[int], bool]:
        running = {a.ordinal for a in self.attempts.running if a.work is work}
        return lambda ordinal: ordinal in running

    def wrote(self, verb: Verb, answer: Answer) -> None:
        """What `verbs` gave is durable."""
        if isinstance(verb, Progress | Undo):
            work = self.work.get(verb.decision)
            if work is not None and answer.ok:
                self.resolution.progressed(work, verb)

    def ended(self, decision: int) -> None:
        """A decision is closed: its order key moves on."""
        work = self.work.pop(decision, None)
        if work is None:
            return
        work.concluded = True
        self.resolution.forget(work)
        successor = self.order.leave(work)
        if successor is not None:
            self.queue(successor)
            self.wake()

    def act(self, work: Work, ordinal: int, event: str, **fields: Any) -> None:
        """Note an event of an action for this turn, and queue what it makes ready."""
        fence = work.open.actions[ordinal].fence
        for freed in record(work, Act(ordinal, event, fence, **fields)):
            work.make_ready(freed)
        if work.ready and not work.concluded:
            self.queue(work)

    def in_doubt(self) -> list[tuple[int, int]]:
        """Decision and ordinal of all actions whose effect nobody knows."""
        return [
            (id_, ordinal)
            for id_, work in self.work.items()
            for ordinal, action in enumerate(work.open.actions)
            if action.state == ActionState.IN_DOUBT
        ]

    @property
    def backlog(self) -> int:
        """Admitted decisions that have not ended."""
        return len(self.work)

    def running(self) -> int:
        """Calls in flight."""
        return len(self.attempts.running)
