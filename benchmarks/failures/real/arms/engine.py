"""Lictor itself, embedded, as a user's program has it: five gates, one balance, a key for each decision, nothing off.

What arrives together is submitted together; who was admitted is awaited. The effector is the call, and nothing else. It
declares that a call may be cut: this downstream does nothing for whom it was cut. What keeps deadlines is the engine.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.failures.real.arm import EXPIRED, FAILED, REFUSED, SUCCEEDED, Arm, Rig
from benchmarks.failures.real.downstream import Unavailable
from benchmarks.failures.real.schedule import Arrival
from lictor import Answer, App, Call, EffectFailed, Handle, Node, Settings, Signal, Snapshot, allow, deny

ACCOUNTS = frozenset(f"a-{index}" for index in range(1000))
_ENDS = {"succeeded": SUCCEEDED, "expired": EXPIRED}


def build(rig: Rig) -> App:
    """The App: what it governs is the same as in `benchmarks/speed`."""
    app = App("failures")
    cash = app.balance("cash", limit=1 << 60, per="tenant")

    @app.decision(expires_in_s=rig.workload.deadline_s)
    @dataclass(frozen=True)
    class Payout:
        account: str
        amount: int
        currency: str
        number: int
        memo: str

    @app.gate(Payout)
    def account_known(payout: Payout, _state: Snapshot) -> Answer:
        return allow() if payout.account in ACCOUNTS else deny("ACCOUNT_UNKNOWN")

    @app.gate(Payout)
    def amount_sane(payout: Payout, _state: Snapshot) -> Answer:
        return allow() if 0 < payout.amount <= 1_000 else deny("AMOUNT")

    @app.gate(Payout)
    def currency_known(payout: Payout, _state: Snapshot) -> Answer:
        return allow() if payout.currency in {"EUR", "USD"} else deny("CURRENCY")

    @app.gate(Payout)
    def memo_short(payout: Payout, _state: Snapshot) -> Answer:
        return allow() if len(payout.memo) <= 200 else deny("MEMO")

    @app.gate(Payout, family="resources")
    def affordable(payout: Payout, _state: Snapshot) -> Answer:
        return allow(cash.reserve(payout.amount))

    @app.effector(idempotent=True, timeout_s=10 * rig.workload.deadline_s, slots=rig.workload.servers, cut=True)
    async def transfer(_call: Call, number: int) -> None:
        try:
            await rig.downstream.call(number)
        except Unavailable as error:
            raise EffectFailed("out", code="OUT", retry=True) from error

    @app.plan(Payout)
    def pay(payout: Payout) -> Any:
        return transfer.action(payout.number)

    return app


class Memory(Arm):
    """On a journal in memory."""

    async def open(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()
        self._node = self._made()
        await self._node.start()

    def _made(self) -> Node:
        return Node(build(self.rig), settings=Settings(durability="memory"))

    def offer(self, batch: Sequence[Arrival]) -> None:
        # The stage began then, by the node's own clock, which no step of the wall clock moves.
        began_us = self._node.clock.wall_us() - self.rig.downstream.now_us()
        until_us = began_us + int(self.rig.workload.deadline_s * 1e6)
        signals = [
            Signal(
                source="load",
                kind="Payout",
                payload=arrival.payload,
                key=arrival.key,
                tenant=arrival.tenant,
                priority=arrival.priority,
                deadline_us=until_us + arrival.due_us,
            )
            for arrival in batch
        ]
        self._keep(asyncio.create_task(self._submit(batch, signals)))

    async def _submit(self, batch: Sequence[Arrival], signals: list[Signal]) -> None:
        told = self.rig.clients.told
        for arrival, handle in zip(batch, await self._node.submit_many(signals), strict=True):
            if handle.admitted:
                self._keep(asyncio.create_task(self._follow(arrival.number, handle)))
            else:
                told(arrival.number, REFUSED)

    async def _follow(self, number: int, handle: Handle) -> None:
        outcome = await handle.outcome()
        self.rig.clients.told(number, FAILED if outcome is None else _ENDS.get(outcome.result, FAILED))

    def _keep(self, task: asyncio.Task[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        await self._node.stop()
        await asyncio.gather(*self._tasks, return_exceptions=True)


class Sync(Memory):
    """On SQLite, each acknowledgement on disk first."""

    def _made(self) -> Node:
        self._folder = tempfile.TemporaryDirectory(dir=self.rig.directory, ignore_cleanup_errors=True)
        path = Path(self._folder.name) / "lictor.db"
        return Node(build(self.rig), str(path), settings=Settings(durability="sync"))

    async def close(self) -> None:
        await super().close()
        self._folder.cleanup()
