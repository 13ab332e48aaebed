"""The current state that follows from history: `State.evolve` folds one accepted fact after another.

Stores that keep current state in memory use it live and at recovery, so that folding history gives the live state by
construction (I15). No I/O, no clock: times come in with the batch. `lictor.journal.arbiter` decides what is accepted.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import msgspec

from lictor.errors import Code, InvariantViolation
from lictor.lifecycle import DecisionState, decide
from lictor.records import Adjustment, Decision, Grant, Halt, Lesson, Outcome, Quarantined, Result, Standing

from . import port
from .balance import Balance
from .open import Open, OpenAction
from .parking import NoParking, Parking, Queue
from .rules import draws, settlement

#: How many decisions that waited and have ended are remembered.
LEFT_MAX = 10_000

_FENCE_BITS = 40
_FENCE_MASK = (1 << _FENCE_BITS) - 1
#: Plain strings, because reading a member of an enumeration costs as much as a call.
_NEW, _ADMITTED, _REFUSED = DecisionState.NEW.value, DecisionState.ADMITTED.value, DecisionState.REFUSED.value
_KEY_REUSED = Code.KEY_REUSED.value
_EVENT = {Result.ADMITTED: "admit", Result.REFUSED: "refuse", Result.HELD: "hold", Result.DEFERRED: "defer"}


class Bound(msgspec.Struct, frozen=True, gc=False):
    """What a key is bound to."""

    decision: int
    digest: bytes


class Keys(Protocol):
    """The index of keys; a store decides where it lives."""

    def get(self, tenant: str, source: str, key: str) -> Bound | None:
        """What the key is bound to."""
        ...

    def put(self, tenant: str, source: str, key: str, bound: Bound) -> None:
        """Bind a key."""
        ...


class KeysInMemory:
    """All keys in a dict."""

    __slots__ = ("bound",)

    def __init__(self) -> None:
        self.bound: dict[tuple[str, str, str], Bound] = {}

    def get(self, tenant: str, source: str, key: str) -> Bound | None:
        return self.bound.get((tenant, source, key))

    def put(self, tenant: str, source: str, key: str, bound: Bound) -> None:
        if self.bound.setdefault((tenant, source, key), bound).decision != bound.decision:
            raise InvariantViolation("I10", f"key {key} of {tenant} and {source} is bound to another decision")


class Ended(msgspec.Struct, frozen=True, gc=False):
    """A decision became terminal by the fact at `seq`."""

    seq: int
    open: Open


def cancelled(fact: port.Cancel, at_us: int) -> Outcome:
    """The outcome of a decision that was cancelled before it started."""
    return Outcome(decision=fact.decision, result="cancelled", at_us=at_us, detail=f"by {fact.by}: {fact.reason}")


def superseded(decision: int, at_us: int) -> Outcome:
    """The outcome of a decision whose successor was admitted before it started."""
    return Outcome(decision=decision, result="cancelled", at_us=at_us, code=Code.SUPERSEDED)


class State:
    """Everything that is not history."""

    def __init__(self, keys: Keys) -> None:
        self.keys = keys
        #: Open decisions that are in memory; `find` knows the parked ones too.
        self.open: dict[int, Open] = {}
        self.parking: Parking = NoParking()
        #: Decisions of the next batch that need not stay in memory once they are admitted: a store may park them.
        self.aside: set[int] = set()
        #: What has been parked and is in memory again; whoever drives the journal may take it.
        self.returned: list[Open] = []
        self.balances: dict[tuple[str, str], Balance] = {}
        self.halts: dict[str, Halt] = {}
        #: API keys, the revoked and expired ones too.
        self.grants: dict[str, Grant] = {}
        #: Standing approvals, by gate and subject; who reads them looks at their end.
        self.standing: dict[tuple[str, str], Standing] = {}
        #: How far who is told outcomes has been told, by name.
        self.marks: dict[str, int] = {}
        self.adjustments: dict[tuple[str, str], Adjustment] = {}
        self.lessons: dict[tuple[str, str], Lesson] = {}
        self.quarantine: dict[int, Quarantined] = {}
        self.references: dict[str, str] = {}
        self.declared: port.Declare | None = None
        self.epoch = 0
        #: Why all open actions are in doubt since this epoch began (a restore), else empty.
        self.doubt = ""
        self.fence = 0
        self.at_us = 0
        #: Decisions that ended by outcome in the last batch; whoever drives the journal may take them.
        self.finished: list[Open] = []
        self.learned_seq = 0
        #: Decisions that were held or deferred once and have ended lately: one ruled again too late is known by this.
        self.left: dict[int, None] = {}
        #: What became terminal since a store last took it, in order.
        self.ended: list[Ended] = []
        #: Balances that changed since a store last took them.
        self.moved: set[tuple[str, str]] = set()
        #: Of these, the ones whose windows have changed their width.
        self.rewound: set[tuple[str, str]] = set()
        #: How each fact is folded, once `pass_time` has seen its time.
        self.folds = self._folds()

    def _folds(self) -> dict[type[port.Verb], Callable[[Any, int, int], None]]:
        return {
            port.Admit: self._admit,
            port.Start: self._start,
            port.Progress: self._progress,
            port.Close: self._close,
            port.Undo: self._undo,
            port.Approve: self._approve,
            port.Cancel: self._cancel,
            port.SetHalt: self._halt,
            port.SetLimit: self._limit,
            port.SetGrant: self._grant,
            port.SetStanding: self._standing,
            port.Mark: self._mark,
            port.Learn: self._learn,
            port.Quarantine: self._quarantine,
            port.Refer: self._refer,
            port.Declare: self._declare,
            port.Epoch: self._epoch,
            port.Shed: self._shed,
        }

    def next_fence(self) -> int:
        """A fencing token above all that were ever given out: the epoch is its high part, so no restart repeats one."""
        self.fence += 1
        return (self.epoch << _FENCE_BITS) | self.fence

    def find(self, id_: int) -> Open | None:
        """An open decision, in memory or parked; it stays where it is."""
        found = self.open.get(id_)
        return self.parking.get(id_) if found is None and self.parking.count else found

    def recall(self, id_: int) -> Open | None:
        """Bring a parked decision back into memory; None when there is none."""
        found = self.parking.take(id_) if self.parking.count else None
        if found is not None:
            self.open[id_] = found
            self.returned.append(found)
        return found

    def recall_first(self, queue: Queue, count: int) -> None:
        """Bring back those of a queue that have the earliest deadlines."""
        for found in self.parking.take_first(queue, count):
            self.open[found.decision.id] = found
            self.returned.append(found)

    @property
    def open_count(self) -> int:
        """How many decisions are open, parked ones too."""
        return len(self.open) + self.parking.count

    def all_open(self) -> dict[int, Open]:
        """All open decisions, parked ones too; of a journal with many that is a lot."""
        parked = self.parking.all() if self.parking.count else ()
        return {found.decision.id: found for found in parked} | self.open

    def evolve(self, fact: port.Verb, seq: int, at_us: int) -> None:
        """Fold one accepted fact into the state.

        Raises:
            LifecycleError: the fact cannot follow from this state: the journal is damaged, or the engine has a defect.
        """
        self.pass_time(at_us)
        self.folds[type(fact)](fact, seq, at_us)

    def pass_time(self, at_us: int) -> None:
        """Facts of this time come now.

        Raises:
            InvariantViolation: I16, they are older than what is folded.
        """
        if at_us < self.at_us:
            raise InvariantViolation("I16", f"recorded time ran back from {self.at_us} to {at_us}")
        self.at_us = at_us

    def _admit(self, fact: port.Admit, seq: int, at_us: int) -> None:
        decision, verdict = fact.decision, fact.verdict
        found = self.open.get(decision.id)
        state = decide(found.state if found is not None else _NEW, _EVENT[verdict.result]).to
        if found is None:
            if decision.key is not None and verdict.code != _KEY_REUSED:
                bound = Bound(decision.id, decision.submitted_digest)
                self.keys.put(decision.tenant, decision.source, decision.key, bound)
            found = Open(decision, verdict, state, seq, seq)
            if state != _REFUSED:
                self.open[decision.id] = found
        else:
            found.decision, found.verdict, found.state, found.place = decision, verdict, state, seq
        if state == _REFUSED:
            if verdict.code is None:
                raise InvariantViolation("I11", f"decision {decision.id} refused without a code")
            if self.open.pop(decision.id, None) is not None:
                self._leave(decision.id)
            self.ended.append(Ended(seq, found))
        elif state == _ADMITTED:
            self._reserve(found, fact, seq, at_us)

    def _reserve(self, found: Open, fact: port.Admit, seq: int, at_us: int) -> None:
        """An admission's plan, reservations and, where it starts at once, first attempt."""
        decision, plan = fact.decision, fact.plan
        if plan is None or fact.verdict.digest != decision.digest:
            raise InvariantViolation("I1", f"decision {decision.id} admitted without a plan, or on other content")
        found.plan = plan
        found.actions = [OpenAction()] if len(plan.actions) == 1 else [OpenAction() for _ in plan.actions]
        if decision.supersedes is not None:
            self._supersede(decision, seq, at_us)
        reservations = fact.verdict.reservations
        if len(reservations) == 1 and decision.parent is None:  # nearly always
            r = reservations[0]
            scope = (r.budget, r.scope)
            found.held[r.budget, r.scope, r.window_us] = r.amount
            if r.amount:
                self.balances[scope].reserve(r.amount, r.window_us)
                self.moved.add(scope)
        elif reservations:
            held = found.held
            for hold, amount, from_parent in draws(self, decision, reservations):
                held[hold] = held[hold] + amount if hold in held else amount
                if from_parent and decision.parent is not None:
                    self.open[decision.parent].held[hold] -= from_parent
                if amount != from_parent:
                    scope = (hold[0], hold[1])
                    self.balances[scope].reserve(amount - from_parent, hold[2])
                    self.moved.add(scope)
        if fact.lease is not None:
            self._begin(found, (0,), fact.lease.fence, fact.lease.until_us, at_us)

    def _supersede(self, decision: Decision, seq: int, at_us: int) -> None:
        """Take the place of an unstarted decision: its reservation is released in the same transaction."""
        old = self.open.get(decision.supersedes or 0)
        if old is not None and not old.started:
            self._finish(old, "cancel", superseded(old.decision.id, at_us), seq, at_us)

    def _begin(self, found: Open, ordinals: tuple[int, ...], fence: int, until_us: int, at_us: int) -> None:
        if found.state == _ADMITTED:
            found.state = decide(_ADMITTED, "start").to
            found.started_us = at_us
        found.lease_until_us = until_us
        actions = found.actions
        for ordinal in ordinals:
            actions[ordinal].start(fence)
        low = fence & _FENCE_MASK
        if low > self.fence:  # noqa: PLR1730 - `max` costs three times as much, and this runs for every start
            self.fence = low

    def _start(self, fact: port.Start, _seq: int, at_us: int) -> None:
        for item in fact.items:
            found = self.open.get(item.decision)
            if found is not None:  # recovery folds ticks that also cover decisions closed since
                self._begin(found, item.ordinals, item.fence, fact.until_us, at_us)

    def _progress(self, fact: port.Progress, _seq: int, at_us: int) -> None:
        found = self.open[fact.decision]
        for news in fact.acts:
            found.actions[news.ordinal].apply(news)
            if news.event == "doubt" and not found.started:  # after a restore it may have begun without a trace
                found.state = decide(found.state, "start").to
                found.started_us = at_us

    def _close(self, fact: port.Close, seq: int, at_us: int) -> None:
        found = self.open[fact.decision]
        for news in fact.acts:
            found.actions[news.ordinal].apply(news)
        self._finish(found, fact.event, fact.outcome, seq, at_us)

    def _finish(self, found: Open, event: str, outcome: Outcome, seq: int, at_us: int) -> None:
        transition = decide(found.state, event)
        if found.place != found.born or found.waits:
            self._leave(found.decision.id)
        if found.held or found.actions:
            for hold, held, used in settlement(self, found, transition, at_us):
                scope = (hold[0], hold[1])
                self.balances[scope].settle(held, used, hold[2])
                self.moved.add(scope)
        found.held = {}
        found.state = transition.to
        found.outcome = outcome
        del self.open[found.decision.id]
        self.ended.append(Ended(seq, found))

    def _leave(self, id_: int) -> None:
        self.left[id_] = None
        if len(self.left) > LEFT_MAX:
            del self.left[next(iter(self.left))]

    def _undo(self, fact: port.Undo, _seq: int, _at_us: int) -> None:
        found = self.open[fact.decision]
        found.state = decide(found.state, "compensate").to

    def _approve(self, fact: port.Approve, _seq: int, _at_us: int) -> None:
        found = self.open[fact.approval.decision]
        found.approvals = (*found.approvals, fact.approval)

    def _cancel(self, fact: port.Cancel, seq: int, at_us: int) -> None:
        found = self.open[fact.decision]
        if found.started:
            found.cancel_asked, found.cancel_by = True, fact.by
            return
        self._finish(found, "cancel", cancelled(fact, at_us), seq, at_us)

    def _halt(self, fact: port.SetHalt, _seq: int, _at_us: int) -> None:
        if fact.halt.mode == "none":
            self.halts.pop(fact.halt.scope, None)
        else:
            self.halts[fact.halt.scope] = fact.halt

    def _limit(self, fact: port.SetLimit, _seq: int, _at_us: int) -> None:
        balance = self.balances.get((fact.budget, fact.scope))
        window_us = round(fact.window_s * 1e6) if fact.window_s else None
        if balance is None:
            balance = self.balances[fact.budget, fact.scope] = Balance(fact.limit, window_us)
        elif fact.window_s is not None and window_us != balance.window_us:
            balance.set_window(window_us)
            self.moved.add((fact.budget, fact.scope))
            self.rewound.add((fact.budget, fact.scope))
        balance.limit = fact.limit
        if fact.reset_latch:
            balance.latched = False

    def _grant(self, fact: port.SetGrant, _seq: int, _at_us: int) -> None:
        self.grants[fact.grant.id] = fact.grant

    def _standing(self, fact: port.SetStanding, _seq: int, _at_us: int) -> None:
        standing = fact.standing
        self.standing[standing.gate, standing.subject] = standing
        if not standing.until_us:
            del self.standing[standing.gate, standing.subject]

    def _mark(self, fact: port.Mark, _seq: int, _at_us: int) -> None:
        self.marks[fact.name] = fact.cursor

    def _learn(self, fact: port.Learn, seq: int, _at_us: int) -> None:
        self.learned_seq = seq
        for lesson in fact.lessons:
            self.lessons[lesson.name, lesson.subject] = lesson
        for adjustment in fact.adjustments:
            self.adjustments[adjustment.name, adjustment.subject] = adjustment

    def _quarantine(self, fact: port.Quarantine, _seq: int, _at_us: int) -> None:
        if fact.entry.state == "kept":
            self.quarantine[fact.entry.id] = fact.entry
        else:
            self.quarantine.pop(fact.entry.id, None)

    def _refer(self, fact: port.Refer, _seq: int, _at_us: int) -> None:
        self.references[fact.name] = fact.version

    def _declare(self, fact: port.Declare, _seq: int, _at_us: int) -> None:
        self.declared = fact

    def _epoch(self, fact: port.Epoch, _seq: int, _at_us: int) -> None:
        if fact.epoch != self.epoch:  # the same epoch again only says that its doubt is dealt with
            self.fence = 0
        self.epoch, self.doubt = fact.epoch, fact.doubt

    def _shed(self, fact: port.Shed, _seq: int, _at_us: int) -> None:
        """Counts are read from history; nothing current follows from them."""
