"""One run of the desk: a node with its journal, a FIX session with the venue, the deciders between them.

Reads market data and reports from the venue, writes orders to it and everything else to the journal.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import msgspec

from lictor import Clock, Handle, Node, NodeStoppedError, Settings, SystemClock
from lictor.desks.trading.app import World, trading_app
from lictor.desks.trading.blotter import Blotter
from lictor.desks.trading.conversation import Conversation
from lictor.desks.trading.deciders import Decider, Proposal, seen
from lictor.desks.trading.fix import FixClient, OrderInDoubt, OrderNotSent
from lictor.desks.trading.kinds import Flatten, Trade, Withdraw
from lictor.desks.trading.market import BPS, Print, Snapshot
from lictor.desks.trading.means import Means
from lictor.desks.trading.policy import Policy
from lictor.desks.trading.tape import Tape

HOST = "127.0.0.1"
#: How far past the touch an order that only reduces may go, and how long one is given before the next.
REDUCE_REACH_BPS = 10.0
REDUCE_PAUSE_S = 5.0

Wanted = Trade | Flatten | Withdraw


@dataclass(slots=True)
class Place:
    """Where a session keeps its files and finds its venue."""

    port: int
    journal: str
    state: Path
    #: JSON: version of a model -> who approved it.
    models: Path
    sender: str = "DESK"


@dataclass(slots=True)
class Watch:
    """Who is told of what happens; each must return at once."""

    decided: Callable[[str, Wanted, Handle, float], None] = lambda _source, _wanted, _handle, _seconds: None
    market: Callable[[Snapshot], None] = lambda _snapshot: None
    throttled: Callable[[str], None] = lambda _source: None
    session: Callable[[bool], None] = lambda _up: None


@dataclass(slots=True)
class _Tasks:
    running: set[asyncio.Task[Any]] = field(default_factory=set)

    def start(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self.running.add(task)
        task.add_done_callback(self.running.discard)


class Session:
    """Use it as `async with Session(...)`: the node is open and the venue connected within."""

    def __init__(
        self, place: Place, clock: Clock, deciders: Sequence[Decider], policy: Policy, watch: Watch | None = None,
        *, durability: str = "sync", answer_within_s: float = 0.5,
    ) -> None:  # fmt: skip
        """`answer_within_s`: of the machine's clock, how long the venue has to answer before an order is in doubt."""
        self.policy, self.clock, self.place = policy, clock, place
        self.watch = watch or Watch()
        self.deciders = deciders
        self.tape, self.blotter = Tape(policy), Blotter(policy)
        self.conversation = Conversation(self.tape, self.blotter, clock, within_s=answer_within_s)
        self.conversation.on_throttle = self._throttled
        world = World(self.tape, self.blotter, self.conversation, self._models)
        self.means: Means = trading_app(world, policy, tuple(decider.name for decider in deciders))
        self.node = Node(self.means.app, place.journal, settings=Settings(durability=durability), clock=clock)
        self.conversation.node = self.node
        self.client = FixClient(
            HOST, place.port, place.state, sender=place.sender,
            on_report=self._reported, on_market=self._market, on_session=self._session,
        )  # fmt: skip
        self.conversation.client = self.client
        self.trading = False
        self._admitted_us: dict[int, int] = {}
        self._reduced_us = 0
        self._tasks = _Tasks()
        self._machine = SystemClock()

    def _models(self) -> dict[str, str]:
        return msgspec.json.decode(self.place.models.read_bytes(), type=dict[str, str])

    async def __aenter__(self) -> Self:
        await self.client.start()
        await self.client.ready(10.0)
        await self.node.start()
        await self._recover()
        for balance in (self.means.long, self.means.short):
            await self.node.set_limit(
                balance.name, self.policy.position_max, scope=self.policy.instrument, by="policy of the desk"
            )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.trading = False
        await self.node.stop()
        await self.client.stop()
        for task in list(self._tasks.running):
            task.cancel()
        await asyncio.gather(*self._tasks.running, return_exceptions=True)

    async def _recover(self) -> None:
        """Position and cash as the journal has them, so that limits on losses go on where they were.

        What is open is looked at before anything can move, what has ended by its outcomes.
        """
        state = self.node.journal.state
        still_open = frozenset(state.open)
        for found in state.open.values():
            self._booked(_side(found.decision.payload), [action.value for action in found.actions])
        cursor = 0
        while page := await self.node.journal.outcomes(None, cursor, 500):
            for row in page:
                cursor = row.cursor
                if row.decision in still_open or not _fills(row.outcome.value):
                    continue
                history: list[Any] = await self.node.journal.history(row.decision)
                payload = next(fact.verb.decision.payload for fact in history if fact.event == "admit")
                self._booked(_side(payload), row.outcome.value)

    def _booked(self, side: int, value: Any) -> None:
        for filled, money in _fills(value):
            self.blotter.position += side * filled
            self.blotter.cash -= side * money

    # -- news -----------------------------------------------------------------------------------------------------

    def _session(self, up: bool) -> None:  # noqa: FBT001 - the client's callback
        self.watch.session(up)
        if up:
            self._tasks.start(self._subscribe())

    async def _subscribe(self) -> None:
        with suppress(OrderNotSent):  # the session has ended; the next one subscribes
            while True:
                with suppress(OrderInDoubt):
                    await self.client.subscribe()
                    return

    def _reported(self, said: Any) -> None:
        self.conversation.on_report(said)
        self._tasks.start(self._refresh(self.means.blotter))

    async def _refresh(self, reference: Any) -> None:
        await self.node.refresh(reference)

    def _throttled(self, source: str) -> None:
        self._tasks.start(self._throttle(source))

    async def _throttle(self, source: str) -> None:
        """A source executed too often: it is disabled until a named person re-enables it (RTS 6 15(3))."""
        with suppress(NodeStoppedError):
            limit, window_s = self.policy.executions_max, self.policy.executions_window_s
            await self.node.halt(
                f"source:{source}", by="execution throttle", reason=f"{limit} executions within {window_s:.0f} s"
            )
            self.watch.throttled(source)

    async def reenable(self, source: str, *, by: str) -> None:
        """A named person lets a throttled source go on."""
        self.blotter.reenabled(source, by)
        await self.node.resume(f"source:{source}", by=by, reason="executions looked at")

    def _market(self, snapshot: Snapshot, prints: list[Print]) -> None:
        if snapshot.time_us < self.tape.time_us:
            return  # the clock has not begun to run: this is from before what is known
        self.tape.feed(snapshot, prints)
        self._tasks.start(self._refresh(self.means.market))
        if self.trading:
            self.watch.market(snapshot)
        for proposal in seen(self.deciders, snapshot, prints):
            if self.trading:
                self._tasks.start(self._decide(proposal))
        if self.trading:
            self._tasks.start(self._unwind(snapshot.time_us))

    async def _decide(self, proposal: Proposal) -> None:
        with suppress(NodeStoppedError):
            await self.decide(proposal)

    async def decide(self, proposal: Proposal, **options: Any) -> Handle:
        """Submit a proposal; `options` go to the node."""
        trade, source = proposal.trade, proposal.source
        given = {
            "key": trade.signal, "confidence": trade.confidence, "expects": {"edge_bps": trade.edge_bps},
            "sent_us": trade.signal_us,
        } | options  # fmt: skip
        handle = await self.submit(trade, source, **given)
        if handle.admitted:
            self.blotter.sending(source, trade.side, trade.wanted, trade.limit_price, trade.signal_us)
            self._admitted_us[trade.side] = trade.signal_us
        return handle

    async def submit(self, wanted: Wanted, source: str, **options: Any) -> Handle:
        """Submit one decision and tell who watches how long its durable verdict took."""
        began = self._machine.monotonic()
        handle = await self.node.submit(wanted, source=source, **options)
        self.watch.decided(source, wanted, handle, self._machine.monotonic() - began)
        return handle

    async def _unwind(self, now_us: int) -> None:
        """Leave a position that nobody has wanted more of for a while: its horizon has passed."""
        held = self.blotter.position
        since_us = max(self._admitted_us.get(1 if held > 0 else -1, 0), self._reduced_us)
        if abs(held) >= self.policy.qty_min and since_us and now_us - since_us > self.policy.hold_s * 1e6:
            self._reduced_us = now_us - int((self.policy.hold_s - REDUCE_PAUSE_S) * 1e6)
            with suppress(NodeStoppedError):
                await self.flatten("horizon passed")

    async def flatten(self, reason: str) -> Handle | None:
        """Decide to close the position, if there is one."""
        held, book = self.blotter.position, self.tape.book
        if not held or book is None or self.tape.mid is None:
            return None
        side = -1 if held > 0 else 1
        touch = book.bids[0][0] if side < 0 else book.asks[0][0]
        reach = int(REDUCE_REACH_BPS / BPS * touch // self.policy.tick) * self.policy.tick
        order = Flatten(
            self.policy.instrument, side, abs(held), touch + side * reach, self.tape.mid, reason, book.time_us
        )
        return await self.submit(order, "desk", key=f"flatten-{book.time_us}")


def _side(payload: bytes) -> int:
    return int(msgspec.json.decode(payload).get("side", 0))


def _fills(value: Any) -> list[tuple[int, int]]:
    """Quantity and money of the orders in an outcome's value."""
    values = value if isinstance(value, list) else [value]
    return [(v["filled"], v["money"]) for v in values if isinstance(v, dict) and v.get("filled")]
