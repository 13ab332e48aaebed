"""A bare pipeline: the least that governs and is durable, with none of Lictor's care (DESIGN section 6).

Decode, `gates` checks of which the last reserves from one balance, four rows a decision (history and state at
admission, history and state at its outcome), group commit: what arrived while a commit ran goes into the next. The
action does nothing. No idempotency, no leases, no deadlines, no recovery: it says how fast Python, msgspec and
SQLite are on this machine, not what an engine may leave out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.speed.arm import Arm
from benchmarks.speed.arms.placement import Rows, place
from benchmarks.speed.arms.tables import DONE, History, count_rows, key_maker
from benchmarks.speed.run import Run

Ruling = tuple[str, int]
GateFunction = Callable[["Payout", dict[str, Any]], Ruling]


class Payout(msgspec.Struct, frozen=True):
    """The decision that all arms submit: about 100 bytes of JSON."""

    account: str
    amount: int
    currency: str
    memo: str


_SIGNAL = b'{"account":"a-%d","amount":%d,"currency":"EUR","memo":"invoice %d of the month, to be paid at once"}'


def signal(number: int) -> bytes:
    """The signal of decision `number`."""
    return _SIGNAL % (number % 1000, 1 + number % 250, number)


def _known(payout: Payout, state: dict[str, Any]) -> Ruling:
    return ("ALLOW", 1) if payout.account in state["accounts"] else ("ACCOUNT_UNKNOWN", 0)


def _sized(payout: Payout, state: dict[str, Any]) -> Ruling:
    return ("ALLOW", payout.amount) if 0 < payout.amount <= state["amount_max"] else ("AMOUNT", payout.amount)


def _permitted(payout: Payout, state: dict[str, Any]) -> Ruling:
    return ("ALLOW", 1) if payout.currency in state["currencies"] else ("CURRENCY", 0)


def _described(payout: Payout, state: dict[str, Any]) -> Ruling:
    return ("ALLOW", len(payout.memo)) if len(payout.memo) <= state["memo_max"] else ("MEMO", len(payout.memo))


def _affordable(payout: Payout, state: dict[str, Any]) -> Ruling:
    if state["reserved"] + payout.amount > state["limit"]:
        return ("BUDGET_EXCEEDED", state["reserved"])
    state["reserved"] += payout.amount
    return ("ALLOW", payout.amount)


class Submitted:
    """One decision on its way."""

    __slots__ = ("admitted", "body", "id", "key", "outcome", "rulings")

    def __init__(self, id_: int, key: bytes, body: bytes, rulings: list[Ruling]) -> None:
        self.id = id_
        self.key = key
        self.body = body
        self.rulings = rulings
        loop = asyncio.get_running_loop()
        self.admitted: asyncio.Future[bool] = loop.create_future()
        self.outcome: asyncio.Future[bytes] = loop.create_future()


class PipelineArm(Arm):
    """Signals in, outcomes out, one commit at a time."""

    def __init__(self, run: Run) -> None:
        super().__init__(run)
        self._key = key_maker(run.keys, run.seed)
        self._decode = msgspec.json.Decoder(Payout).decode
        self._encode = msgspec.msgpack.Encoder().encode
        # the last gate reserves; those before it repeat when more are asked for
        plain: list[GateFunction] = [_known, _sized, _permitted, _described]
        self._gates = [plain[index % len(plain)] for index in range(run.gates - 1)] + [_affordable]
        self._state: dict[str, Any] = {
            "accounts": {f"a-{index}" for index in range(1000)},
            "amount_max": 1_000,
            "currencies": {"EUR", "USD"},
            "memo_max": 200,
            "limit": 1 << 60,
            "reserved": 0,
        }
        self._inbox: list[Submitted] = []
        self._settled: list[Submitted] = []
        self._wake = asyncio.Event()
        self._closing = False
        self._last_id = 0

    async def open(self, directory: Path) -> None:
        self._path = directory / "pipeline.db"
        self._placement = place(self.run, self._path)
        self._committer = asyncio.create_task(self._commit_groups())

    async def submit(self, number: int) -> None:
        await self._accept(number).outcome

    async def submit_many(self, numbers: Sequence[int]) -> None:
        await asyncio.gather(*[self._accept(number).outcome for number in numbers])

    async def admit(self, number: int) -> bool:
        return await self._accept(number).admitted

    def cpu_s(self) -> float:
        return self._placement.cpu_s()

    async def close(self) -> int:
        self._closing = True
        self._wake.set()
        await self._committer
        self._placement.close()
        return count_rows(self._path, DONE)

    def _accept(self, number: int) -> Submitted:
        body = signal(number)
        payout = self._decode(body)
        rulings = [gate(payout, self._state) for gate in self._gates]
        if any(code != "ALLOW" for code, _ in rulings):
            raise RuntimeError(f"refused: {rulings}")
        self._last_id += 1
        submitted = Submitted(self._last_id, self._key(number), body, rulings)
        self._inbox.append(submitted)
        self._wake.set()
        return submitted

    async def _commit_groups(self) -> None:
        while True:
            if not (self._inbox or self._settled):
                if self._closing:
                    return
                self._wake.clear()
                await self._wake.wait()
            admitted, self._inbox = self._inbox, []
            settled, self._settled = self._settled, []
            await self._placement.commit(self._rows(admitted, settled))
            for submitted in settled:
                submitted.outcome.set_result(b"done")
            for submitted in admitted:
                submitted.admitted.set_result(True)
                await self._act(submitted)
                self._settled.append(submitted)
            await asyncio.sleep(0)  # let what became ready arrive before the next group closes

    def _rows(self, admitted: list[Submitted], settled: list[Submitted]) -> Rows:
        encode = self._encode
        history: list[History] = [(encode(("admitted", one.key, one.rulings, one.body)),) for one in admitted]
        history += [(encode(("succeeded", one.key, one.id)),) for one in settled]
        state = [(one.id, one.key, one.body) for one in admitted]
        return Rows(history, state, [(encode(("succeeded", one.key)), one.id) for one in settled])

    async def _act(self, submitted: Submitted) -> None:
        """The action, which does nothing."""
