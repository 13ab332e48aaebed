"""The node that is killed: submits a seeded load for ever and prints each acknowledgement after it has it.

Three kinds of effect, on one world: `pay` is not idempotent, `note` is, and both can be asked about; `post` is not
idempotent and cannot be asked about. Lines: `ready`, `verdict KEY ID RESULT CODE`, `outcome KEY ID RESULT`. With
`--drain` it submits nothing and ends when all that can end has ended.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
from dataclasses import dataclass
from typing import Any

from lictor import App, Call, Code, Node, Report, Settings, Snapshot, all_of, allow, deny, report
from lictor.declarations.gates import Answer

LIMIT = 100_000_000


class WorldClient:
    """Asks the witness."""

    def __init__(self, port: int, seed: int) -> None:
        self.port = port
        self.chance = random.Random(f"{seed}:silent")

    async def _send(self, request: dict[str, Any]) -> dict[str, Any]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(json.dumps(request).encode() + b"\n")
            await writer.drain()
            line = await reader.readline()
            if not line:
                raise ConnectionError("no answer")
            answer: dict[str, Any] = json.loads(line)
            return answer
        finally:
            writer.close()

    async def do(self, call: Call, body: str, *, idempotent: bool) -> None:
        """Perform an effect; now and then the world does it and says nothing."""
        silent = self.chance.random() < 0.05
        await self._send(
            {
                "what": "do",
                "key": call.key,
                "body": body,
                "idempotent": idempotent,
                "attempt": call.attempt,
                "fence": call.fence,
                "silent": silent,
            }
        )

    async def ask(self, call: Call) -> Report:
        """What became of it."""
        answer = await self._send({"what": "ask", "key": call.key})
        result = "succeeded" if answer["done"] else "absent"
        return report(f"ask-{call.key}-{call.attempt}-{result}", final=True, result=result)


@dataclass(frozen=True)
class Move:
    """Move an amount, in one of four ways."""

    account: str
    amount: int
    how: str


def build(world: WorldClient) -> App:
    """The App under test."""
    app = App("chaos")
    cash = app.balance("cash", LIMIT, per="tenant")

    app.decision(order_by="account", expires_in_s=30)(Move)

    @app.gate(Move, family="rules")
    def small(move: Move, _state: Snapshot) -> Answer:
        return allow() if move.amount < 900 else deny("TOO_MUCH", amount=move.amount)

    @app.gate(Move, family="resources")
    def affordable(move: Move, _state: Snapshot) -> Answer:
        return allow(cash.reserve(move.amount))

    _effects(app, world, cash)
    return app


def _effects(app: App, world: WorldClient, cash: Any) -> None:
    """What moves amounts."""

    @app.effector(idempotent=False, timeout_s=2, slots=16, poll_after_s=0.2, resolve_within_s=60)
    async def pay(call: Call, account: str, amount: int) -> str:
        await world.do(call, f"{account}:{amount}", idempotent=False)
        call.settle(cash, amount)
        return call.key

    @pay.reconcile
    async def find_pay(call: Call, account: str, amount: int) -> Report:
        del account
        found = await world.ask(call)
        if found.result == "succeeded":
            call.settle(cash, amount)
        return found

    @app.effector(idempotent=True, timeout_s=2, slots=16, poll_after_s=0.2, resolve_within_s=60)
    async def note(call: Call, account: str, amount: int) -> str:
        await world.do(call, f"{account}:{amount}", idempotent=True)
        return call.key

    @note.reconcile
    async def find_note(call: Call, account: str, amount: int) -> Report:
        del account, amount
        return await world.ask(call)

    @app.effector(idempotent=False, timeout_s=2, slots=16)
    async def post(call: Call, account: str, amount: int) -> str:
        await world.do(call, f"{account}:{amount}", idempotent=False)
        return call.key

    @app.plan(Move)
    def plan(move: Move) -> Any:
        if move.how == "pair":
            first = pay.action(move.account, move.amount)
            return all_of(first, note.action(move.account, move.amount).after(first))
        chosen = {"pay": pay, "note": note, "post": post}[move.how]
        return chosen.action(move.account, move.amount)


def content(number: int) -> Move:
    """The decision of a number: the same in every incarnation, as a caller that repeats itself would make it."""
    chance = random.Random(f"content:{number}")
    how = chance.choices(["pay", "note", "post", "pair"], [5, 3, 1, 1])[0]
    return Move(f"a-{chance.randrange(40)}", chance.randrange(1, 1000), how)


async def submit(node: Node, number: int) -> None:
    """Submit one and print what is acknowledged, when it is."""
    key = f"k-{number}"
    handle = await node.submit(content(number), tenant=f"t-{number % 3}", source="load", key=key)
    verdict = handle.verdict
    if verdict.code == Code.OVERLOADED:
        return
    print("verdict", key, handle.id, verdict.result, verdict.code, flush=True)
    outcome = await handle.outcome()
    if outcome is not None:
        print("outcome", key, handle.id, outcome.result, flush=True)


async def load(node: Node, first: int, width: int) -> None:
    """`width` callers, each submitting the next number; now and then one that was submitted before."""
    numbers = iter(range(first, 1 << 60))
    again = random.Random(first)

    async def caller() -> None:
        for number in numbers:
            await submit(node, number)
            if first and again.random() < 0.1:
                await submit(node, again.randrange(first))

    await asyncio.gather(*(caller() for _ in range(width)))


def waits_for_nobody(node: Node) -> list[int]:
    """Open decisions that are neither in doubt nor behind one that is, by order key."""
    still_open = list(node.journal.state.open.values())
    doubtful = [o for o in still_open if any(a.state == "in_doubt" for a in o.actions)]
    keys = {(o.decision.tenant, o.decision.order_key) for o in doubtful}
    return [o.decision.id for o in still_open if (o.decision.tenant, o.decision.order_key) not in keys]


async def drain(node: Node) -> None:
    """Wait until only what waits for a person is open, and has been for a while: reconciling takes moments."""
    quiet = 0
    while quiet < 20:
        quiet = quiet + 1 if not waits_for_nobody(node) else 0
        await asyncio.sleep(0.05)


async def main() -> None:
    """Run until killed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("journal")
    parser.add_argument("port", type=int)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--width", type=int, default=48)
    parser.add_argument("--drain", action="store_true")
    options = parser.parse_args()
    app = build(WorldClient(options.port, options.seed))
    async with Node(app, options.journal, settings=Settings(durability="sync")) as node:
        print("ready", flush=True)
        if options.drain:
            await drain(node)
        else:
            await load(node, options.first, options.width)


if __name__ == "__main__":
    asyncio.run(main())
