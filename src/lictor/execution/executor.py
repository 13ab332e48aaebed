"""The executor: admitted work starts when order, slots and rates allow; what happens becomes verbs for the journal.

Reads the journal's open decisions, writes nothing itself: each turn of the pipeline asks it for verbs, has them
committed, and tells it the answers; only then does an effect begin.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from lictor.capacity.feasibility import Late, late
from lictor.capacity.headroom import Headroom
from lictor.declarations.declared import Declared
from lictor.entry import Entry
from lictor.errors import Code, InvariantViolation
from lictor.journal.open import Open
from lictor.journal.port import Act, Answer, Close, Progress, Start, StartItem, Undo, Verb
from lictor.journal.rules import halted
from lictor.journal.state import State
from lictor.records import Decision, Lease, Plan, Result, Take
from lictor.runtime.clock import Clock
from lictor.runtime.probe import Probe, Silent
from lictor.runtime.randomness import Randomness

from .agenda import Agenda
from .amounts import TrueAmounts
from .assurance import Assurance
from .attempts import Attempts, News
from .effector_lane import EffectorLane
from .lanes import OrderLanes
from .planning import Planner
from .progress import conclude, drop_waiting, expired, record, settled_enough
from .recovery import recovered
from .resolution import Resolution
from .restoring import doubts
from .starting import note, picked
from .tokens import Tokens
from .window import Window
from .work import Work

_ADMITTED = Result.ADMITTED


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
        window_max: int,
        value_of: Callable[[Decision], Any],
        probe: Probe | None = None,
    ) -> None:
        self.app = app
        self.planner = Planner(app)
        self.value_of = value_of
        self.clock = clock
        self.wake = wake
        self.agenda = Agenda()
        self.lanes = {name: EffectorLane(effector, app.tenants) for name, effector in app.effectors.items()}
        self.attempts = Attempts(clock, self._tell, self._freed, self._may_begin, probe or Silent())
        self.work: dict[int, Work] = {}
        self.order = OrderLanes(app.kinds, self.work)
        #: Work whose kind or effector is not declared any more; it waits, named, for a deploy that declares it.
        self.undeclared: dict[int, Work] = {}
        self.tokens = Tokens(app.rates, clock, self._tokens_came, app.tenants)
        self.amounts = TrueAmounts(app, value_of)
        self.headroom: Headroom | None = None
        self.assurance = Assurance(clock, wake, probe or Silent())
        self._randomness = randomness
        self.resolution = Resolution(self, randomness)
        back = partial(recovered, self, self.resolution)
        self.window = Window(window_max, backlog_max, self.agenda, self.lanes, back, wake)
        self._news: list[News] = []
        self._touched: dict[int, Work] = {}
        self._state: State | None = None
        #: Attempts that a crash cut off, so far; paces their repetition.
        self.recovering = 0
        #: The node is stopping: what runs may end, nothing starts.
        self.draining = False

    # -- before and after an admission commits --------------------------------------------------------------------

    def doubts(self, state: State, at_us: int) -> list[Verb]:
        """What to write before `recover`, where the journal was restored from a backup."""
        return doubts(self.app, state, at_us)

    def recover(self, state: State, at_us: int) -> None:
        """Take up all open decisions of a journal that was just opened."""
        self._state = state
        self.amounts.recover(state)
        if state.epoch > 1:
            self.tokens.start_empty()
        for found in sorted(state.open.values(), key=lambda o: (not o.started, o.place)):
            recovered(self, self.resolution, found, at_us)
        for work in self.work.values():
            self.resolution.spent(work)
        self.window.recover(state, at_us)

    def plan(self, entry: Entry, now_us: int) -> Late | None:
        """Plan what is admitted, and start it in its own transaction if it may; why it should be shed, else None."""
        decision, verdict = entry.decision, entry.verdict
        if decision is None or verdict is None:
            return None
        crowded = self.window.crowded(decision, verdict) if entry.signal is not None else None
        if crowded is not None or verdict.result is not _ADMITTED:
            return crowded
        plan = entry.plan = self.planner.plan(decision.kind, entry.value)
        if self.headroom and (short := self.headroom.late(decision, plan, now_us)) and entry.signal is not None:
            return short
        free = decision.order_key is None or self.order.plan(decision)
        if free and self._may_start_now(decision, plan, verdict.takes):
            fence = self._state.next_fence() if self._state else 0
            entry.lease = Lease(fence, now_us + self.lanes[plan.actions[0].effector].lease_us)
            return None
        lanes = [self.lanes[name] for name in {action.effector for action in plan.actions}]
        tokens_s = self.tokens.wait_s(verdict.takes, decision) if verdict.takes else 0.0
        found = late(decision, lanes, now_us, tokens_s=tokens_s, draw=self._randomness.uniform(0.0, 1.0))
        if found is None:
            if verdict.takes:
                self.tokens.expect(verdict.takes)
            for lane in lanes if free else ():
                lane.expect(decision)
            if self.window.on:
                self.window.offer(decision, plan)
        return found

    def _may_start_now(self, decision: Decision, plan: Plan, takes: tuple[Take, ...]) -> bool:
        """Direct dispatch: take the slot and tokens now if nothing is before it. `not_started` gives them back."""
        if len(plan.actions) != 1 or self.draining:
            return False
        lane = self.lanes[plan.actions[0].effector]
        if not lane.open(decision.depth) or lane.before(decision):
            return False
        if takes and not self.tokens.take(takes):
            return False
        lane.take(decision.depth)
        return True

    def not_started(self, entry: Entry) -> None:
        """The journal did not admit it after all."""
        if entry.plan is None or entry.verdict is None:
            return
        self.lanes[entry.plan.actions[0].effector].give_back()
        self.tokens.give_back(entry.verdict.takes)

    def admitted(self, found: Open, *, started: bool) -> None:
        """The admission is durable: begin, or queue."""
        if self.window.on and self.window.parked(found):
            return
        work = self.work[found.decision.id] = Work(found)
        if work.depth:
            self.resolution.extra.adopt(work)
        at_head = found.decision.order_key is None or self.order.enter(work)
        if started:
            self._begin(work, 0)
            return
        if self.window.on:
            self.window.enter(work)
        self.agenda.add(found.decision.deadline_us, "expire", found.decision.id)
        if at_head:
            self.queue(work)
        else:
            self._hurry(self.order.before(work), found.decision.priority)

    def _hurry(self, heads: list[Work], priority: int) -> None:
        """Who holds the key runs in the highest class that waits behind it."""
        for head in heads:
            if head.queued and priority < head.urgency:
                head.queued.clear()  # what stands in the lower class is passed over when it comes up
                self.queue(head)

    # -- queue and start ------------------------------------------------------------------------------------------

    def queue(self, work: Work) -> None:
        """Put what is ready into the queues of its effectors, if its order key has come to it."""
        if work.concluded or work.short or not self.order.head(work):
            return
        work.urgency = self.order.urgency(work)
        for name, ordinals in work.ready.items():
            if ordinals and name not in work.queued:
                work.queued.add(name)
                lane = self.lanes[name]
                lane.push(work)
                if lane.open(work.depth):
                    self.wake()

    def starts(self, at_us: int) -> Start | None:
        """What starts in this tick: one verb for all of it."""
        if (state := self._state) is None or self.draining:
            return None
        if self.window.on:
            self.window.refill(at_us)
        items = picked(self, state, at_us)
        if not items:
            return None
        fence = state.next_fence()
        chosen = tuple(StartItem(decision, tuple(ordinals), fence) for decision, ordinals in items.items())
        return Start(chosen, at_us + max(lane.lease_us for lane in self.lanes.values()))

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
                self.lanes[plan.actions[ordinal].effector].give_back(work)  # type: ignore[union-attr]
                self.tokens.give_back(work.takes)
                work.make_ready(ordinal)
            if not self.halted(work):
                self.touch(work)  # the next turn expires or cancels it

    def _begin(self, work: Work, ordinal: int) -> None:
        plan = work.open.plan
        if plan is None:
            return
        effector = self.app.effectors[plan.actions[ordinal].effector]
        if effector.ends_late_calls:
            self.agenda.add(work.deadline_us, "cut", work.open.decision.id, ordinal)
        self.attempts.begin(work, ordinal, work.open.actions[ordinal].fence, effector)

    def _may_begin(self, work: Work, effector: str) -> bool:
        """Just before the call: nothing was halted (I12) or loaded since the commit, and there is time left (I5)."""
        if (state := self._state) is not None and state.halts and self.halted(work, effector):
            return False
        if work.key is not None and not self.order.head(work):
            raise InvariantViolation("I4", f"decision {work.open.decision.id} passes others of its order key")
        if work.open.verdict.at_us <= self.assurance.changed_us and self.assurance.stale(work):
            return False
        now_us, until_us = self.clock.wall_us(), work.open.lease_until_us
        return now_us < work.deadline_us and (until_us is None or now_us < until_us)

    def halted(self, work: Work, effector: str | None = None) -> bool:
        """Whether a halt forbids this decision's starts; it stays away from the queues until the halt is lifted."""
        return self._state is not None and halted(self._state, work.open.decision, effector) is not None

    def resumed(self) -> None:
        """A halt was lifted: queue again what it had kept away."""
        for work in self.work.values():
            if work.undoing is not None:
                self.agenda.add(0, "undo", work.open.decision.id)
            elif work.ready:
                self.queue(work)
        self.wake()

    def _tokens_came(self, work: Work) -> None:
        self.queue(work)
        self.wake()

    # -- what happened --------------------------------------------------------------------------------------------

    def _tell(self, news: News) -> None:
        if not self._news:  # else it is awake
            self.wake()
        self._news.append(news)

    def _freed(self, work: Work, effector: str, seconds: float | None) -> None:
        lane = self.lanes[effector]
        if seconds is None:
            lane.give_back(work)
        elif lane.ready.size:
            note(lane, work, seconds, self.clock.monotonic(), self.clock.wall_us())
        else:  # nobody waits, so it makes no difference whether it was late
            lane.note(work, seconds, self.clock.monotonic())
        if lane.ready.size or self.window.on:
            self.wake()

    def touch(self, work: Work) -> None:
        """Look at this decision in the next turn."""
        self._touched[work.open.decision.id] = work
        self.wake()

    def verbs(self, at_us: int) -> list[Verb]:
        """What this turn has to write for what has happened and what is due."""
        self._begin_turn(at_us)
        news, self._news = self._news, []
        touched, self._touched = self._touched, {}
        for item in news:
            if not item.work.concluded:
                self.resolution.take(item, at_us)
                touched[item.work.open.decision.id] = item.work
        for heard in self.resolution.hearing.take():
            found = self.resolution.hear(heard, at_us)
            if found is not None:
                touched[found.open.decision.id] = found
        self.resolution.hearing.give_up()
        for what, decision, ordinal in self.agenda.due(at_us):
            work = self.work.get(decision)
            if decision < 0:
                self.window.due(-decision, at_us)
            elif work is not None and not work.concluded:
                self.resolution.due(what, work, ordinal, at_us)
                touched[decision] = work
        written: list[Verb] = []
        for work in touched.values():
            if not work.concluded:
                written += self._written(work, at_us)
        return [*self.amounts.limits(), *self.assurance.verbs(at_us, self), *written]

    def _begin_turn(self, at_us: int) -> None:
        """Forget what the turn before had planned; it is in the queues by now."""
        self.order.begin_turn()
        self.agenda.trim(self.work)
        self.tokens.begin_turn()
        for lane in self.lanes.values():
            lane.begin_turn()
        self.window.begin_turn(at_us)

    def _written(self, work: Work, at_us: int) -> list[Verb]:
        """What there is to write for all that happened to one decision in this turn."""
        found = work.open
        if not found.started:
            if at_us < work.deadline_us and not work.displaced:
                self.queue(work)
                return []
            return [expired(work, at_us)]
        if work.undoing is not None:
            return self.resolution.undone(work, at_us)
        if work.finished < work.total and settled_enough(work):
            drop_waiting(work, Code.DEPENDENCY_FAILED if work.failure else "CANCELLED", self.attempts.running)
        ends = conclude(work, at_us)
        if ends or not work.acts:
            return ends
        return [Progress(found.decision.id, work.take_acts(), at_us)]

    def wrote(self, verb: Verb, answer: Answer) -> None:
        """What `verbs` gave is durable."""
        if type(verb) is Close and answer.ok:
            return
        if isinstance(verb, (Progress, Undo)):
            work = self.work.get(verb.decision)
            if work is not None and answer.ok:
                self.resolution.progressed(work, verb)
        elif isinstance(verb, Close) and not answer.ok and answer.open is not None:
            raise InvariantViolation("I2", f"decision {verb.decision} cannot {verb.event}: {answer.code}")

    def ended(self, decision: int) -> None:
        """A decision is closed: its order key moves on."""
        work = self.work.pop(decision, None) or self.undeclared.pop(decision, None)
        if work is None:
            return
        work.concluded = True
        for name in work.queued:
            self.lanes[name].left()
        self.tokens.leave(work)
        if work.window is not None:
            self.window.leave(work)
        self.resolution.forget(work)
        if work.key is None:
            return
        for successor in self.order.leave(work):
            self.queue(successor)
            self.wake()

    def act(self, work: Work, ordinal: int, event: str, **fields: Any) -> None:
        """Note an event of an action for this turn, and queue what it makes ready."""
        fence = work.open.actions[ordinal].fence
        for freed in record(work, Act(ordinal, event, fence, **fields)):
            work.make_ready(freed)
        if work.ready and not work.concluded:
            self.queue(work)

    @property
    def backlog(self) -> int:
        """Admitted decisions that have not ended."""
        return len(self.work) + self.window.count

    @property
    def unwritten(self) -> bool:
        """Something has happened that the next turn writes."""
        return bool(self._news or self._touched or self.resolution.hearing.waits)

    def running(self) -> int:
        """Calls in flight."""
        return len(self.attempts.running)
