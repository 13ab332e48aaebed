"""A node with something of everything, served over HTTP: what the tests and the pictures of the dashboard look at.

python -m tests.surfaces.dashboard.stand          runs it, keeps it busy, and prints where it is and a key
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal

from lictor import Adaptive, App, Call, EffectFailed, Node, Priority, Quality, Range, allow, defer, deny, hold
from lictor.errors import LictorError
from lictor.surfaces.http.server import HttpServer
from lictor.surfaces.requests import Requests

ACCOUNTS = [f"a-{n}" for n in range(10, 40)]


@dataclass(frozen=True)
class Payout:
    account: str
    amount: int
    memo: str = ""


@dataclass(frozen=True)
class Message:
    to: str
    text: str


@dataclass(frozen=True)
class Order:
    symbol: str
    quantity: Decimal
    side: str


def payouts() -> App:
    """An App with something of everything."""
    app = App("payouts", version="3")
    cash = app.balance("cash", limit=200_000, per="tenant")
    spend = app.balance("spend", limit=60_000, per="source", window_s=3_600)
    mail = app.rate("mail", per_s=4, burst=4)
    accounts = app.reference("accounts", lambda: set(ACCOUNTS), max_age_s=60)
    app.source("billing", priority=Priority.HIGH)
    app.source("agent-7", kinds=None, demote_below=0.3)
    app.source("feed", quality=Quality(ranges={"amount": Range(1, 5_000)}))
    app.source("model-a")
    app.source("ana")
    app.tenant("acme", weight=2)
    app.tenant("globex")

    app.decision(order_by="account", expires_in_s=120, value="amount", approve_within_s=90)(Payout)
    app.decision(expires_in_s=60)(Message)
    app.decision(order_by="symbol", expires_in_s=30)(Order)

    @app.gate(Payout, family="rules")
    def account_known(payout, state):
        known = payout.account in state[accounts]
        return allow() if known else deny("ACCOUNT_UNKNOWN", account=payout.account)

    @app.gate(Payout, family="authorization")
    def large(payout, state):
        if payout.amount <= 2_000:
            return allow()
        return hold("LARGE", approvers=2 if payout.amount > 5_000 else 1, amount=payout.amount, above=2_000)

    @app.gate(Payout, family="resources")
    def affordable(payout, state):
        return allow(cash.reserve(payout.amount), spend.reserve(payout.amount))

    @app.gate(Message)
    def polite(message, state):
        return deny("WORDING", word="now") if "now" in message.text else allow(mail.take())

    @app.gate(Order)
    def market_open(order, state):
        return defer(state.now_us + 20_000_000, "AUCTION") if order.symbol == "LATE" else allow()

    _effects(app)
    return app


def _effects(app: App) -> None:
    @app.effector(idempotent=False, timeout_s=3, slots=6)
    async def transfer(call: Call, account: str, amount: int) -> str:
        if account == "a-13":
            await asyncio.sleep(60)  # nobody answers: in doubt
        await asyncio.sleep(0.05 + (amount % 7) / 60)
        if account == "a-17":
            raise EffectFailed("the bank says no", code="NO_FUNDS")
        return f"receipt {call.key[:8]}"

    @transfer.reconcile
    async def find(call: Call, account: str, amount: int) -> None:
        return None

    @app.effector(idempotent=True, timeout_s=2, slots=Adaptive(start=4, low=1, high=16))
    async def send(call: Call, to: str, text: str) -> str:
        await asyncio.sleep(0.1)
        if to.startswith("flaky") and call.attempt == 1:
            raise EffectFailed("try later", retry=True)
        return "sent"

    @app.effector(idempotent=True, timeout_s=2, slots=2)
    async def trade(call: Call, symbol: str, quantity: Decimal, side: str) -> str:
        await asyncio.sleep(0.4)
        return "filled"

    app.plan(Payout)(lambda p: transfer.action(p.account, p.amount))
    app.plan(Message)(lambda m: send.action(m.to, m.text))
    app.plan(Order)(lambda o: trade.action(o.symbol, o.quantity, o.side))


async def load(node: Node, *, seed: int = 1, rounds: int | None = None, pause_s: float = 0.12) -> None:
    """Submit something of everything, round after round."""
    draw = random.Random(seed)
    n = 0
    while rounds is None or n < rounds:
        n += 1
        tenant = draw.choice(["acme", "acme", "globex"])
        small = draw.randint(5, 400)
        account = draw.choice(ACCOUNTS[8:])
        sure = draw.choice([0.55, 0.75, 0.95])
        wanted = [
            (Payout(account, small), {"source": "model-a", "confidence": sure, "key": f"inv-{seed}-{n}"}),
            (Payout(draw.choice(ACCOUNTS), small), {"source": "billing"}),
            (Message(draw.choice(["ana@x", "flaky@y"]), draw.choice(["hello", "pay now"])), {"source": "agent-7"}),
            (Order(draw.choice(["BTC", "ETH", "LATE"]), Decimal("0.5"), "buy"), {"source": "model-a"}),
        ]
        if n % 9 == 0:
            wanted.append((Payout("a-99", 40), {"source": "agent-7"}))
        if n % 12 == 1:
            amount = draw.randint(2_100, 4_900)
            wanted.append((Payout(account, amount, "new roof"), {"source": "agent-7", "key": f"roof-{seed}-{n}"}))
        if n % 15 == 2:
            wanted.append((Payout(account, 70_000), {"source": "feed"}))
        for value, options in wanted:
            await node.submit(value, tenant=tenant, **options)
        await asyncio.sleep(pause_s)


async def key(node: Node, name: str, *roles: str, **more: object) -> str:
    """A new key."""
    made = await Requests(node).answer("keys_make", {"name": name, "roles": list(roles), "by": "test", **more})
    return str(made["token"])


@asynccontextmanager
async def served(journal: str = "memory:", app: App | None = None) -> AsyncIterator[tuple[Node, HttpServer]]:
    """A node and its server on a free port."""
    async with Node(app or payouts(), journal) as node, HttpServer(node, "127.0.0.1", 0) as server:
        yield node, server


async def main() -> None:
    """Run until interrupted."""
    async with served() as (node, server):
        token = await key(node, "ana", "admin")
        print(f"{server.url}  {token}", flush=True)
        try:
            await load(node)
        except LictorError as error:
            print(error)


if __name__ == "__main__":
    asyncio.run(main())
