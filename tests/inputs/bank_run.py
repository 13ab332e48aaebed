"""A process that pulls a CSV file on a SQLite journal, and pays by appending to a ledger. Its parent kills it.

Usage: python -m tests.inputs.bank_run FILE JOURNAL LEDGER. Prints `paid N` at each hundredth payment, `done` at last.
"""

import asyncio
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from lictor import App, Call, CsvFile, Node, allow, report


@dataclass(frozen=True)
class Pay:
    account: str
    amount: int


def bank(ledger: Path) -> App:
    """An App whose effector appends a line to the ledger, with the key that it was given."""
    app = App("bank", version="1")
    app.decision(order_by="account", expires_in_s=3600)(Pay)
    cash = app.balance("cash", limit=10**12)
    app.gate(Pay)(lambda pay, state: allow(cash.reserve(pay.amount)))
    paid = os.open(ledger, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    count = 0

    @app.effector(idempotent=False, timeout_s=60, slots=8, poll_after_s=0.01)
    async def transfer(call: Call, account: str, amount: int) -> str:
        nonlocal count
        os.write(paid, f"{call.key} {account} {amount}\n".encode())
        count += 1
        if count % 100 == 0:
            print(f"paid {count}", flush=True)
        return call.key

    @transfer.reconcile
    async def look_up(call: Call, account: str, amount: int):
        found = any(line.split()[0] == call.key for line in ledger.read_text().splitlines())
        return report(f"looked-{call.key}", final=True, result="succeeded" if found else "absent")

    app.plan(Pay)(lambda pay: transfer.action(pay.account, pay.amount))
    return app


async def main(file: Path, journal: str, ledger: Path) -> None:
    """Pull all, and wait until all is done."""
    async with Node(bank(ledger), journal) as node:
        pulled = await node.pull(CsvFile(file, Pay, source="bank"), ahead_max=50)
        while node.journal.state.open:
            await asyncio.sleep(0.01)
        print("done", pulled.received, pulled.duplicates, dict(pulled.verdicts), flush=True)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3])))
