"""Lictor itself, embedded, at its defaults and `durability=sync`.

The same decision, the same five gates, one balance, an action that does nothing, an idempotency key for each decision.
Nothing that users get by default is switched off.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apsw

from benchmarks.speed.arm import Arm
from benchmarks.speed.arms.tables import key_maker
from benchmarks.speed.run import Run
from lictor import Answer, App, Call, Node, Settings, Signal, Snapshot, all_of, allow, deny
from lictor.journal.sqlite.journal import SqliteJournal
from lictor.runtime.offload import ThreadLane

ACCOUNTS = frozenset(f"a-{index}" for index in range(1000))


def build(gates: int, budgets: int = 1) -> App:
    """The App that is measured: so many gates, the last of which reserves from so many balances."""
    app = App("speed")
    balances = [app.balance(f"cash_{number}", limit=1 << 60, per="tenant") for number in range(budgets)]

    @app.decision(expires_in_s=60)
    @dataclass(frozen=True)
    class Payout:
        account: str
        amount: int
        currency: str
        memo: str

    @app.decision(expires_in_s=60)
    @dataclass(frozen=True)
    class Fan:
        actions: int

    checks = (
        lambda payout: payout.account in ACCOUNTS,
        lambda payout: 0 < payout.amount <= 1_000,
        lambda payout: payout.currency in {"EUR", "USD"},
        lambda payout: len(payout.memo) <= 200,
    )
    for index in range(gates - 1):
        check = checks[index % len(checks)]

        @app.gate(Payout, name=f"check_{index}", parameters={"index": index})
        def holds(payout: Payout, _state: Snapshot, check: Any = check) -> Answer:
            return allow() if check(payout) else deny("CHECK")

    @app.gate(Payout, family="resources")
    def affordable(payout: Payout, _state: Snapshot) -> Answer:
        return allow(*(balance.reserve(payout.amount) for balance in balances))

    @app.effector(idempotent=True, timeout_s=30, slots=4_096)
    async def nothing(_call: Call, _account: str) -> None:
        return None

    @app.plan(Payout)
    def pay(payout: Payout) -> Any:
        return nothing.action(payout.account)

    @app.plan(Fan)
    def fan(wanted: Fan) -> Any:
        return all_of(*(nothing.action(str(number)) for number in range(wanted.actions)))

    return app


class LictorArm(Arm):
    """Submits signals and awaits outcomes, as a user's program does."""

    def __init__(self, run: Run) -> None:
        super().__init__(run)
        self._key = key_maker(run.keys, run.seed)
        self._app = build(run.gates, run.budgets)
        self._fanned = 0

    async def open(self, directory: Path) -> None:
        self._path = directory / "lictor.db"
        self._node = Node(self._app, self._journal(), settings=Settings(durability="sync"))
        await self._node.start()

    def _journal(self) -> str | SqliteJournal:
        """The journal as users get it; for docs/adr/0004 also with commits in a thread of their own."""
        if self.run.commit == "inline":
            return str(self._path)
        if self.run.switch_interval_s is not None:
            sys.setswitchinterval(self.run.switch_interval_s)
        return SqliteJournal(self._path, lane=ThreadLane("journal"))

    def _signal(self, number: int, account: bytes = b"a-%d") -> Signal:
        body = (
            b'{"account":"' + account + b'","amount":%d,"currency":"EUR","memo":"invoice %d of the month, to be paid'
            b' at once"}'
        ) % (number % 1000, 1 + number % 250, number)
        key = None if self.run.keys == "engine" else self._key(number).hex()
        return Signal(source="load", kind="Payout", payload=body, tenant="acme", key=key)

    async def submit(self, number: int) -> None:
        handle = await self._node.submit(self._signal(number))
        outcome = await handle.outcome()
        if outcome is None or outcome.result != "succeeded":
            raise RuntimeError(f"{handle} {outcome}")

    async def submit_many(self, numbers: Sequence[int]) -> None:
        handles = await self._node.submit_many(self._signal(number) for number in numbers)
        for handle in handles:
            if await handle.outcome() is None:
                raise RuntimeError(str(handle))

    async def admit(self, number: int) -> bool:
        handle = await self._node.submit(self._signal(number))
        return handle.admitted

    async def refuse(self, numbers: Sequence[int]) -> None:
        handles = await self._node.submit_many(self._signal(number, b"b-%d") for number in numbers)
        if any(handle.verdict.code != "CHECK" for handle in handles):
            raise RuntimeError("a decision on an unknown account was not refused by its gate")

    async def fan_out(self, actions: int) -> None:
        handle = await self._node.submit(self._app.kinds["Fan"].type(actions))
        outcome = await handle.outcome()
        if outcome is None or outcome.result != "succeeded":
            raise RuntimeError(f"{handle} {outcome}")
        self._fanned += actions

    async def close(self) -> int:
        await self._node.drain()
        await self._node.stop()
        with apsw.Connection(str(self._path), flags=apsw.SQLITE_OPEN_READONLY) as connection:
            done = int(connection.execute("select count(*) from decisions where state in ('succeeded', 'refused')").get)
        return self._fanned or done
