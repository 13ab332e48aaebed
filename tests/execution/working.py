"""Functions that a worker process imports by their names: the App of test_worker_process.py is made of them."""

import os
import signal
from dataclasses import dataclass
from decimal import Decimal

from lictor import App, Balance, Call, EffectFailed, allow, pending, report

CASH = Balance("cash", 1_000, "all", None)


@dataclass(frozen=True)
class Work:
    """What the tests decide."""

    how: str
    amount: Decimal = Decimal(1)


def work(call: Call, how: str, amount: Decimal):
    """Behaves as it is told."""
    call.settle(CASH, 7)
    if how == "spin":
        while True:
            pass
    if how == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "raise":
        raise ValueError("something else")
    if how == "fail":
        raise EffectFailed("no", code="NO_FUNDS")
    if how == "busy" and call.attempt == 1:
        raise EffectFailed("later", retry_after_s=0.01)
    if how == "pend":
        return pending(f"ref-{call.key}", poll_after_s=0.01)
    return {"pid": os.getpid(), "key": call.key, "twice": str(amount * 2), "type": type(amount).__name__}


def built(**options) -> App:
    """An App whose one effector runs `work` in processes."""
    app = App("working")
    app.decision(expires_in_s=120)(Work)
    app.gate(Work)(lambda value, state: allow())
    app.balances["cash"] = CASH
    declared = {"idempotent": False, "timeout_s": 60, "slots": 2, "runs_in": "process"} | options
    effector = app.effector(**declared)(work)

    @effector.reconcile
    def ask(call: Call, how: str, amount: Decimal):
        return report("found", final=True, result="succeeded", value=f"asked {how} in {os.getpid()}")

    app.plan(Work)(lambda value: effector.action(value.how, value.amount))
    return app
