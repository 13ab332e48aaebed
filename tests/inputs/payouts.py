"""A small App that the tests of the door submit to, and its witness: what the effector was really asked to do."""

from dataclasses import dataclass
from decimal import Decimal

from lictor import App, Quality, allow


@dataclass(frozen=True)
class Payout:
    account: str
    amount: int
    memo: str = ""
    price: float | None = None
    number: int | None = None
    fee: Decimal | None = None


def payouts(quality: Quality | None = None, *, slots: int = 64, limit: int = 10**15) -> tuple[App, list[tuple]]:
    """The App, and the list to which its effector adds (account, amount)."""
    app = App("payouts", version="1")
    done: list[tuple] = []
    cash = app.balance("cash", limit=limit, per="tenant")

    app.decision(order_by="account", expires_in_s=3600)(Payout)
    if quality is not None:
        app.source("feed", quality=quality)
        app.source("other")

    @app.gate(Payout, family="resources")
    def affordable(payout, state):
        return allow(cash.reserve(payout.amount))

    @app.effector(idempotent=False, timeout_s=5, slots=slots)
    async def transfer(call, account: str, amount: int) -> str:
        done.append((account, amount))
        call.settle(cash, amount)
        return call.key

    @app.plan(Payout)
    def pay(payout):
        return transfer.action(payout.account, payout.amount)

    return app, done
