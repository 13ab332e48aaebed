"""The captured participants on the virtual clock: what a client sees of them, and how the run ends."""

import asyncio
import json
import os
import socket
import subprocess
import sys

from tests.desks.trading.venue.process import VenueProcess

from lictor.desks.trading.fix import ExecType, FixClient, Order, Status
from lictor.desks.trading.market import BUY, Print
from lictor.desks.trading.venue import sample
from lictor.desks.trading.venue.truth import read_truth

SECOND_US = 1_000_000


def test_a_client_sees_at_any_speed_exactly_the_market_that_a_model_was_fitted_on(capture, tmp_path):
    async def main():
        seen, enough = [], asyncio.Event()

        def on_market(snapshot, prints):
            seen.append((snapshot, prints))
            if len(seen) > 60:
                enough.set()

        with VenueProcess(tmp_path / "venue", "--skip-s", "800", speed=100) as venue:
            async with FixClient("127.0.0.1", venue.port, tmp_path / "desk", on_market=on_market) as client:
                await client.ready(20)
                await client.subscribe(5)
                await asyncio.wait_for(enough.wait(), 60)
        at_once, first, *rest = seen  # the answer to the subscription comes at any moment, without trades
        assert at_once[1] == []
        expected, prints = {}, []
        for event in sample(capture, SECOND_US, 5, rest[-1][0].time_us):
            if isinstance(event, Print):
                prints.append(event)
            else:
                expected[event.time_us] = (event, prints)
                prints = []
        assert first[0] == expected[first[0].time_us][0]
        times = [snapshot.time_us for snapshot, _ in rest]
        assert times == [first[0].time_us + SECOND_US * k for k in range(1, len(rest) + 1)]
        assert [expected[time_us] for time_us in times] == rest
        assert sum(len(found) for _, found in rest) > 0

    asyncio.run(main())


def test_at_the_end_of_the_capture_the_venue_closes_what_rests_and_ends(capture, tmp_path):
    async def main():
        reports, closed = [], asyncio.Event()

        def on_report(report):
            reports.append(report)
            if report.code == "CLOSED":
                closed.set()

        with VenueProcess(tmp_path / "venue", "--skip-s", "1790", "--exit-at-close", speed=5) as venue:
            bid, _ = venue.best()
            async with FixClient("127.0.0.1", venue.port, tmp_path / "desk", on_report=on_report) as client:
                await client.ready(20)
                order = Order("rest", BUY, 1_000_000, bid - 100_000, 5)
                assert (await client.submit(order)).status is Status.NEW
                await asyncio.wait_for(closed.wait(), 30)
            last = venue.stop()
        assert (reports[-1].exec_type, reports[-1].at_us) == (ExecType.CANCELED, capture.ends_at_us)
        assert last["at_us"] == capture.ends_at_us
        assert [r["event"] for r in read_truth(venue.truth)][-2:] in (["close", "logout"], ["cancel", "close"])

    asyncio.run(main())


def test_a_delayed_report_leaves_that_much_virtual_time_later(tmp_path):
    async def main():
        with VenueProcess(tmp_path / "venue", "--skip-s", "60", "--fault", "delay_us=2000000", speed=20) as venue:
            async with FixClient("127.0.0.1", venue.port, tmp_path / "desk") as client:
                await client.ready(20)
                bid, _ = venue.best()
                report = await client.submit(Order("a", BUY, 1_000_000, bid - 100_000, 5), within_s=20)
                assert venue.now_us() >= report.at_us + 2_000_000

    asyncio.run(main())


def test_a_venue_that_follows_its_parent_ends_with_it(tmp_path):
    starter = (
        "import subprocess, sys; venue = subprocess.Popen(sys.argv[1:], stdout=subprocess.PIPE);"
        "print(venue.pid, venue.stdout.readline().decode(), flush=True)"
    )
    command = [sys.executable, "-m", "lictor.desks.trading.venue", "--state", str(tmp_path), "--follow-parent"]
    printed = subprocess.check_output([sys.executable, "-c", starter, *command], text=True)
    pid, ready = printed.split(maxsplit=1)
    # its listening socket goes with it: a connection that stays open until then is closed by its end
    with socket.create_connection(("127.0.0.1", json.loads(ready)["control_port"])) as control:
        control.settimeout(20)
        assert control.recv(1) == b""
    assert pid.isdecimal()


def test_the_venue_alone_makes_the_same_trades_on_each_run():
    """268 +- 3 trades are asked for, whatever order Python's hashes put things in."""
    command = [sys.executable, "-m", "lictor.desks.trading.venue", "--replay-only"]
    runs = [
        json.loads(subprocess.check_output(command, env={**os.environ, "PYTHONHASHSEED": seed})) for seed in ("1", "2")
    ]
    assert runs[0] == runs[1]
    assert 265 <= runs[0]["trades"] <= 271
    assert runs[0]["same_orders_as_real"] == runs[0]["trades"]
