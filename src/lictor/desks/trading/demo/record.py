"""What happened in a run, as it happens: decisions, prices, fills, the queue. In memory; the report is made from it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from lictor import Handle, NodeStoppedError, Outcome
from lictor.desks.trading.conversation import Working
from lictor.desks.trading.kinds import Flatten, Trade
from lictor.desks.trading.market import Snapshot
from lictor.desks.trading.session import Session, Wanted, Watch

#: Codes by which a halt of everything refuses: what it refuses while a drill has set it is staged.
_HALTS = {"HALTED", "REDUCE_ONLY"}


@dataclass(slots=True)
class Decided:
    """One decision as it came, with the handle by which it is followed."""

    at_us: int
    kind: str
    source: str
    side: int
    wanted: int
    edge_bps: float
    mid: float
    handle: Handle
    took_s: float
    #: The exercise that it belongs to; None for a real one.
    drill: str | None = None

    @property
    def staged(self) -> bool:
        """Whether it was refused because of an exercise."""
        verdict = self.handle.verdict
        if self.drill is not None:
            return True
        halt = next((r for r in verdict.rulings if r.gate == "halt"), None)
        return verdict.code in _HALTS and halt is not None and (halt.seen or {}).get("scope") == "all"


@dataclass(slots=True)
class Filled:
    """One fill of our own."""

    at_us: int
    side: int
    qty: int
    price: int
    decision: int


@dataclass(slots=True)
class Queue:
    """How much was open at a moment."""

    at_us: int
    decisions: int
    orders: int
    in_doubt: int


@dataclass(slots=True)
class Event:
    """Something that people did, a fault, or what followed from one."""

    at_us: int
    what: str
    text: str
    staged: bool


@dataclass(slots=True)
class Recorder:
    """Give `watch()` to a session, then `follow` it."""

    decided: list[Decided] = field(default_factory=list)
    prices: list[tuple[int, int, int]] = field(default_factory=list)
    fills: list[Filled] = field(default_factory=list)
    queue: list[Queue] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    results: list[tuple[int, int, int]] = field(default_factory=list)
    #: Names of signals that belong to an exercise.
    drills: dict[str, str] = field(default_factory=dict)
    session: Session | None = None
    #: By decision, once `collect` was called.
    outcomes: dict[int, Outcome] = field(default_factory=dict)
    #: All that the journal has of feedback, once `learned` was called.
    adjustments: list[Any] = field(default_factory=list)
    lessons: int = 0
    #: What a story is about -> its lines.
    stories: dict[str, list[str]] = field(default_factory=dict)
    metrics: str = ""
    #: The first decision of which an order was in doubt.
    doubted: int | None = None

    async def collect(self) -> None:
        """Take the outcomes of all decisions that have one."""
        for one in self.decided:
            if one.handle.id is not None and one.handle.done:
                with suppress(NodeStoppedError):
                    outcome = await one.handle.outcome()
                    if outcome is not None:
                        self.outcomes[one.handle.id] = outcome

    async def learned(self, session: Session) -> None:
        """Take all that the journal has of feedback; it must be open."""
        await self.collect()
        async for row in session.node.journal.scan():
            learned: Any = row.verb
            if row.event == "learn":
                self.lessons += len(learned.lessons)
                self.adjustments += learned.adjustments
        self.metrics = session.node.metrics()
        told = {"An acknowledgement that was lost": self.doubted, "A trade that was made smaller": self._smaller()}
        for title, decision in told.items():
            if decision is not None:
                self.stories[title] = (await session.node.timeline(decision)).lines()

    def _smaller(self) -> int | None:
        """The last trade whose size was cut because of what its source's edge had earned, and that was filled."""
        for one in reversed(self.decided):
            cut = any(
                (r.seen or {}).get("learned", 1.0) < 1.0 and r.result == "amend" for r in one.handle.verdict.rulings
            )
            if cut and one.drill is None and self.children(one.handle.id):
                return one.handle.id
        return None

    def mark(self, decision: int | None) -> dict[str, Any] | None:
        """What a trade's last action measured."""
        outcome = self.outcomes.get(decision or 0)
        values = outcome.value if outcome is not None and isinstance(outcome.value, list) else []
        return next((v for v in values if isinstance(v, dict) and "shortfall" in v), None)

    def children(self, decision: int | None) -> list[dict[str, Any]]:
        """What came of a trade's orders."""
        outcome = self.outcomes.get(decision or 0)
        values = outcome.value if outcome is not None and isinstance(outcome.value, list) else []
        return [v for v in values if isinstance(v, dict) and "fills" in v]

    def watch(self) -> Watch:
        """The callbacks of a session."""
        return Watch(decided=self._decided, market=self._market, throttled=self._throttled, session=self._session)

    def follow(self, session: Session) -> None:
        """Hear of this session's fills and doubts too."""
        self.session = session
        session.conversation.on_fill = self._filled
        session.conversation.on_event = self._order_event

    def event(self, what: str, text: str, *, staged: bool) -> None:
        """Note something that people did, or a fault."""
        self.events.append(Event(self._now_us(), what, text, staged))

    def _now_us(self) -> int:
        return self.session.clock.wall_us() if self.session is not None else 0

    def _decided(self, source: str, wanted: Wanted, handle: Handle, took_s: float) -> None:
        kind, now_us = type(wanted).__name__, self._now_us()
        if isinstance(wanted, Trade):
            drill = self.drills.get(wanted.signal)
            mid = wanted.mid_half_cents / 2
            made = Decided(wanted.signal_us, kind, source, wanted.side, wanted.wanted, wanted.edge_bps, mid, handle,
                           took_s, drill)  # fmt: skip
        elif isinstance(wanted, Flatten):
            drill = wanted.reason if "exercise" in wanted.reason else None
            made = Decided(now_us, kind, source, wanted.side, wanted.qty, 0.0, wanted.mid_half_cents / 2, handle,
                           took_s, drill)  # fmt: skip
        else:
            made = Decided(now_us, kind, source, 0, 0, 0.0, self._mid(), handle, took_s, wanted.reason)
        self.decided.append(made)

    def _mid(self) -> float:
        mid = self.session.tape.mid if self.session is not None else None
        return (mid or 0) / 2

    def _market(self, snapshot: Snapshot) -> None:
        session = self.session
        if session is None or not snapshot.bids or not snapshot.asks:
            return
        self.prices.append((snapshot.time_us, snapshot.bids[0][0], snapshot.asks[0][0]))
        open_ = list(session.node.journal.state.open.values())
        states = [action.state for found in open_ for action in found.actions]
        orders = len(session.blotter.resting)
        self.queue.append(Queue(snapshot.time_us, len(open_), orders, states.count("in_doubt")))
        if session.tape.mid is not None:
            result = session.blotter.result(session.tape.mid)
            self.results.append((snapshot.time_us, session.blotter.position, result))

    def _filled(self, working: Working, qty: int, price: int, at_us: int) -> None:
        self.fills.append(Filled(at_us, working.side, qty, price, working.decision))

    def _order_event(self, what: str, key: str, decision: int) -> None:
        texts = {
            "in_doubt": f"order {key}: no answer, so it is in doubt",
            "reconciled": f"order {key}: the venue was asked and has it; it is not sent again",
            "heard": f"order {key}: the venue's report came after all; it is not sent again",
            "absent": f"order {key}: the venue was asked and never saw it; it may be sent",
        }
        if what == "in_doubt" and self.doubted is None:
            self.doubted = decision
        self.event(what, texts[what], staged=False)

    def _throttled(self, source: str) -> None:
        self.event("throttle", f"{source} executed too often: halted until a named person looks", staged=False)

    def _session(self, up: bool) -> None:  # noqa: FBT001 - the client's callback
        self.event("session", "logged on to the venue" if up else "the session with the venue was lost", staged=False)

    # -- counts ---------------------------------------------------------------------------------------------------

    def real(self) -> Iterator[Decided]:
        """Decisions that are no exercise and were not stopped by one."""
        return (one for one in self.decided if not one.staged)

    def codes(self, *, staged: bool) -> Counter[str]:
        """Refusals by code."""
        return Counter(
            str(one.handle.verdict.code)
            for one in self.decided
            if one.staged is staged and one.handle.verdict.result in {"refused", "shed"}
        )

    def results_by(self) -> Counter[str]:
        """Verdicts in force, by result, staged ones included; `amended` counts those that were."""
        found: Counter[str] = Counter(str(one.handle.verdict.result) for one in self.decided)
        found["amended"] = sum(any(r.result == "amend" for r in one.handle.verdict.rulings) for one in self.decided)
        return found

    def latency_ms(self, share: float) -> float | None:
        """A quantile of the time from submit to durable verdict, in milliseconds of the machine's clock."""
        took = sorted(one.took_s for one in self.decided)
        return took[min(int(len(took) * share), len(took) - 1)] * 1e3 if took else None
