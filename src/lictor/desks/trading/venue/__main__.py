"""`python -m lictor.desks.trading.venue`: the venue as a process; prints a JSON line when it listens and ends."""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import resource
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

from lictor.desks.trading.venue.capture import CaptureMissing, read_capture
from lictor.desks.trading.venue.control import Control
from lictor.desks.trading.venue.faults import ALL, Faults
from lictor.desks.trading.venue.floor import VenueFloor, VirtualClock
from lictor.desks.trading.venue.replay import replay_all
from lictor.desks.trading.venue.rules import Rules

PARENT_EVERY_S = 0.5


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    rules = Rules()
    parser = argparse.ArgumentParser(prog="python -m lictor.desks.trading.venue", description=__doc__)
    parser.add_argument(
        "--replay-only", action="store_true", help="run the capture with no client, print the trades, end"
    )
    parser.add_argument("--state", type=Path, default=Path("out/venue"), help="folder of the venue's files (out/venue)")
    parser.add_argument("--port", type=int, default=0, help="of the FIX acceptor on 127.0.0.1; 0: a free one, printed")
    parser.add_argument("--control-port", type=int, default=0, help="of the control socket, likewise")
    parser.add_argument("--client", action="append", default=[], help="CompID that may log on; repeatable (DESK)")
    parser.add_argument("--speed", type=float, default=30.0, help="virtual seconds a second (30)")
    parser.add_argument("--skip-s", type=float, default=0.0, help="start this many virtual seconds into the capture")
    parser.add_argument("--origin-wall-us", type=int, help="virtual time at the origin (start of capture + skip)")
    parser.add_argument("--origin-monotonic", type=float, help="time.monotonic() at the origin (when it listens)")
    parser.add_argument("--market-every-ms", type=int, default=1000, help="virtual time between market data (1000)")
    parser.add_argument("--band-bps", type=float, default=rules.band_bps, help="price band around the mid (500)")
    parser.add_argument("--lot", type=int, default=rules.lot, help="smallest step of quantity in 1e-8 BTC (1000)")
    parser.add_argument("--open-orders-max", type=int, default=rules.open_orders_max, help="of one client (200)")
    parser.add_argument("--keep-on-disconnect", action="store_true", help="let orders rest when their client goes")
    parser.add_argument("--fault", action="append", default=[], metavar="KIND=COUNT[@AFTER]", help=", ".join(ALL))
    parser.add_argument("--follow-parent", action="store_true", help="end when the process that started it is gone")
    parser.add_argument("--exit-at-close", action="store_true", help="end when the capture does, not only when stopped")
    return parser


def say(line: dict[str, object]) -> None:
    """One line for whoever started this process, if it still reads."""
    try:
        print(json.dumps(line), flush=True)
    except BrokenPipeError:  # the interpreter must not try again at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


async def follow(parent: int, stop: asyncio.Event) -> None:
    """Stop when the parent process is no longer that one."""
    while os.getppid() == parent:  # noqa: ASYNC110  (nothing tells a child that its parent ended)
        await asyncio.sleep(PARENT_EVERY_S)
    stop.set()


async def run(options: argparse.Namespace) -> None:
    """Serve until stopped by a signal, the control socket or, if asked for, the close."""
    parent = os.getppid()
    capture = read_capture()
    faults = Faults()
    for text in options.fault:
        faults.arm_text(text)
    floor = VenueFloor(
        capture,
        Rules(band_bps=options.band_bps, lot=options.lot, open_orders_max=options.open_orders_max),
        faults,
        options.state,
        clients=options.client or ["DESK"],
        market_every_us=options.market_every_ms * 1000,
        cancel_on_disconnect=not options.keep_on_disconnect,
    )
    origin_us = options.origin_wall_us or capture.starts_at_us + int(options.skip_s * 1e6)
    floor.prepare(origin_us)
    gc.collect()
    gc.freeze()  # the capture never goes away; without this every full collection walks it
    clock = VirtualClock(options.origin_monotonic or time.monotonic(), origin_us, options.speed)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    port = await floor.open(clock, options.port)
    control = Control(floor, stop)
    control_port = await control.listen(options.control_port)
    ready = {
        "ready": True,
        "port": port,
        "control_port": control_port,
        "clock": {"origin_monotonic": clock.origin_monotonic, "origin_wall_us": origin_us, "speed": clock.speed},
        "starts_at_us": capture.starts_at_us,
        "ends_at_us": capture.ends_at_us,
        "truth": str(options.state / "truth.jsonl"),
    }
    say(ready)
    runner = asyncio.create_task(floor.run())
    if options.follow_parent:
        asyncio.create_task(follow(parent, stop))  # noqa: RUF006  (ends with the loop, or ends it)
    waits = [asyncio.create_task(stop.wait())] + [asyncio.create_task(floor.closed.wait())] * options.exit_at_close
    await asyncio.wait([runner, *waits], return_when=asyncio.FIRST_COMPLETED)
    if runner.done():
        runner.result()  # raises what broke the venue
    runner.cancel()
    await control.close()
    used = resource.getrusage(resource.RUSAGE_SELF)
    ended = {"ended": True, **await floor.close(), "cpu_s": round(used.ru_utime + used.ru_stime, 2)}
    say(ended)


def main() -> int:
    """Returns the exit code."""
    options = arguments().parse_args()
    try:
        if options.replay_only:
            print(json.dumps(replay_all(read_capture()), indent=2))
        else:
            with suppress(KeyboardInterrupt):
                asyncio.run(run(options))
    except (CaptureMissing, KeyError, ValueError) as problem:
        print(f"venue: {problem}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
