"""A desk as a process of its own, to be killed: `python desk.py PORT STATE COMPID MODE KEY SIDE QTY PRICE`.

Modes: `rest` places the order, prints its reports and stays; `die` kills itself in the callback of its first fill,
before the session has settled it; `trade` sends market orders without end, several at a time, KEY being the start of
their keys. Prints each report, and appends it to `STATE/booked` before the session settles it.
"""

import asyncio
import os
import signal
import sys
from itertools import count
from pathlib import Path

from lictor.desks.trading.fix import ExecType, FixClient, Order, Report


async def trade(client: FixClient, lane: str, side: int, qty: int) -> None:
    for number in count():
        await client.submit(Order(f"{lane}-{number}", side, qty, None, number), within_s=10)


async def main() -> None:
    port, state, name, mode, key, side, qty, price = sys.argv[1:]
    Path(state).mkdir(parents=True, exist_ok=True)
    booked = os.open(Path(state) / "booked", os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def on_report(report: Report) -> None:
        line = f"{report.key} {report.exec_type.name} {report.exec_id} {report.side * report.last_qty}\n"
        os.write(booked, line.encode())
        print(line, end="", flush=True)
        if mode == "die" and report.exec_type is ExecType.TRADE:
            os.kill(os.getpid(), signal.SIGKILL)

    async with FixClient("127.0.0.1", int(port), Path(state), sender=name, on_report=on_report) as client:
        await client.ready(10)
        if mode == "trade":
            await asyncio.gather(*(trade(client, f"{key}-{lane}", int(side), int(qty)) for lane in range(4)))
        await client.submit(Order(key, int(side), int(qty), int(price), 0), within_s=10)
        await asyncio.Event().wait()


asyncio.run(main())
