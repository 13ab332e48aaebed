"""A desk as a process of its own, to be killed: `python desk.py PORT STATE COMPID MODE KEY SIDE QTY PRICE`.

Modes: `rest` places the order, prints its reports and stays; `die` kills itself in the callback of its first fill,
before the session has settled it.
"""

import asyncio
import os
import signal
import sys
from pathlib import Path

from lictor.desks.trading.fix import ExecType, FixClient, Order, Report


async def main() -> None:
    port, state, name, mode, key, side, qty, price = sys.argv[1:]

    def on_report(report: Report) -> None:
        print(report.key, report.exec_type.name, report.exec_id, flush=True)
        if mode == "die" and report.exec_type is ExecType.TRADE:
            os.kill(os.getpid(), signal.SIGKILL)

    async with FixClient("127.0.0.1", int(port), Path(state), sender=name, on_report=on_report) as client:
        await client.ready(10)
        await client.submit(Order(key, int(side), int(qty), int(price), 0), within_s=10)
        await asyncio.Event().wait()


asyncio.run(main())
