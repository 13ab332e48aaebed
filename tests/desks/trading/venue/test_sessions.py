"""Orders over real TCP between real processes, with real kills and the faults that a venue has."""

import asyncio
import os
import signal
import subprocess
import sys
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path

import pytest
from tests.desks.trading.venue.process import VenueProcess

from lictor.desks.trading.fix import (
    CancelRefused,
    ExecType,
    FixClient,
    Order,
    OrderInDoubt,
    OrderNotSent,
    Status,
    TimeInForce,
)
from lictor.desks.trading.market import BUY, SELL
from lictor.desks.trading.venue.truth import doubles, positions, read_truth

QTY = 1_000_000
NAMES = [f"T{number}" for number in range(40)]
CLIENTS = [option for name in NAMES for option in ("--client", name)]
DESK = Path(__file__).with_name("desk.py")
SOON_S = 20
WIDE_S = "146.4"  # a moment of the capture with five ticks between bid and ask, so that there is room for a quote


@pytest.fixture(scope="module")
def venue(tmp_path_factory):
    """A venue whose market stands still, for tests that do not harm it."""
    with VenueProcess(tmp_path_factory.mktemp("venue"), *CLIENTS, "--skip-s", WIDE_S) as running:
        yield running


@pytest.fixture(scope="module")
def names():
    free = iter(NAMES)
    return lambda: next(free)


class Reports(list):
    """What a client was told, and a way to wait until something is."""

    def __init__(self):
        super().__init__()
        self._news = asyncio.Event()

    def __call__(self, report):
        self.append(report)
        self._news.set()

    async def until(self, condition):
        async with asyncio.timeout(SOON_S):
            while not condition(self):
                self._news.clear()
                await self._news.wait()


@asynccontextmanager
async def desk(venue, state, name, **options):
    reports = Reports()
    async with FixClient("127.0.0.1", venue.port, state, sender=name, on_report=reports, **options) as client:
        await client.ready(SOON_S)
        yield client, reports


def arrivals(venue, name):
    return [r for r in read_truth(venue.truth) if r["event"] == "arrival" and r["client"] == name]


def test_an_order_all_the_way(venue, names, tmp_path):
    async def main():
        name = names()
        bid, ask = venue.best()
        async with desk(venue, tmp_path, name) as (client, reports):
            rested = await client.submit(Order("rest", BUY, QTY, bid - 1000, 5))
            assert (rested.exec_type, rested.status, rested.leaves_qty) == (ExecType.NEW, Status.NEW, QTY)
            await client.submit(Order("cross", BUY, QTY, ask, 5, TimeInForce.IOC))
            await reports.until(lambda told: told[-1].exec_type is ExecType.TRADE)
            assert (reports[-1].last_price, reports[-1].cum_money) == (ask, QTY * ask)
            cancelled = await client.cancel("rest", BUY, 6)
            assert (cancelled.status, cancelled.code) == (Status.CANCELED, "REQUESTED")
            with pytest.raises(CancelRefused) as refused:
                await client.cancel("rest", BUY, 7)
            assert (refused.value.code, refused.value.status) == ("TOO_LATE", Status.CANCELED)
            assert (await client.order_status("cross")).status is Status.FILLED
            assert await client.order_status("never") is None
        assert positions(venue.truth)[name] == {"qty": QTY, "money": -QTY * ask}
        assert len({report.exec_id for report in reports}) == len(reports)

    asyncio.run(main())


def test_each_refusal_has_its_code(venue, names, tmp_path):
    async def main():
        name, key = names(), count()
        bid, _ = venue.best()
        good = {"side": BUY, "qty": QTY, "price": bid - 500, "at_us": 0}
        async with desk(venue, tmp_path, name) as (client, _):

            async def code(**changed):
                return (await client.submit(Order(f"k{next(key)}", **(good | changed)))).code

            assert await code() == ""
            assert await code(qty=QTY + 1) == "LOT"
            assert await code(price=bid - 501) == "TICK"
            assert await code(price=bid // 2) == "PRICE_BAND"
            assert await code(qty=2_000_000_000) == "QTY_MAX"
            assert await code(qty=1000) == "NOTIONAL_MIN"
            assert await code(symbol="ETH/USD") == "SYMBOL"
            assert await code(price=bid + 100_000, post_only=True) == "POST_ONLY_WOULD_CROSS"
            venue.tell("halt")
            assert await code() == "HALTED"
            venue.tell("resume")
            assert await code() == ""

    asyncio.run(main())


def test_a_lost_acknowledgement_is_in_doubt_and_its_order_exists_once(venue, names, tmp_path):
    async def main():
        name = names()
        bid, _ = venue.best()
        order = Order("a", BUY, QTY, bid - 1000, 5)
        async with desk(venue, tmp_path, name) as (client, reports):
            venue.tell("fault", kind="drop_acks", count=1)
            with pytest.raises(OrderInDoubt):
                await client.submit(order, within_s=0.3)
            assert reports == []
            status = await client.order_status("a")
            assert (status.status, status.leaves_qty) == (Status.NEW, QTY)
            again = await client.submit(order)
            assert again.duplicate
            assert again.order_id == status.order_id
        assert [arrival["answer"] for arrival in arrivals(venue, name)] == ["accepted", "DUPLICATE"]
        assert len({arrival["digest"] for arrival in arrivals(venue, name)}) == 1
        assert not [double for double in doubles(venue.truth) if double.startswith(name)]

    asyncio.run(main())


def test_a_connection_cut_after_the_order_was_accepted(venue, names, tmp_path):
    async def main():
        name = names()
        bid, _ = venue.best()
        async with desk(venue, tmp_path, name) as (client, reports):
            venue.tell("fault", kind="cut_after_accept", count=1)
            with pytest.raises(OrderInDoubt):
                await client.submit(Order("a", BUY, QTY, bid - 1000, 5), within_s=SOON_S)
            with pytest.raises(OrderNotSent):
                await client.submit(Order("b", BUY, QTY, bid - 1000, 5))
            await client.ready(SOON_S)
            status = await client.order_status("a")
            assert (status.status, status.code) == (Status.CANCELED, "DISCONNECTED")
            assert await client.order_status("b") is None
            await reports.until(lambda told: len(told) == 2)
            assert [report.exec_type for report in reports] == [ExecType.NEW, ExecType.CANCELED]
        assert [arrival["key"] for arrival in arrivals(venue, name)] == ["a"]

    asyncio.run(main())


def test_duplicate_reports_carry_the_same_id(venue, names, tmp_path):
    async def main():
        _, ask = venue.best()
        async with desk(venue, tmp_path, names()) as (client, reports):
            venue.tell("fault", kind="duplicate_reports", count=2)
            await client.submit(Order("a", BUY, QTY, ask, 5))
            await reports.until(lambda told: len(told) == 4)
            assert [r.exec_id for r in reports[::2]] == [r.exec_id for r in reports[1::2]]
            assert len({r.exec_id for r in reports}) == 2

    asyncio.run(main())


def test_a_fill_may_be_told_after_the_cancel(venue, names, tmp_path):
    async def main():
        bid, _ = venue.best()
        async with (
            desk(venue, tmp_path / "a", names()) as (resting, told),
            desk(venue, tmp_path / "b", names()) as (crossing, _),
        ):
            venue.tell("fault", kind="late_fills", count=1)
            inside = bid + 100
            await resting.submit(Order("rest", BUY, QTY, inside, 5))
            await crossing.submit(Order("cross", SELL, QTY, inside, 5, TimeInForce.IOC))
            cancelled = await resting.cancel("rest", BUY, 6)
            assert cancelled.cum_qty == 0
            await told.until(lambda reports: reports[-1].exec_type is ExecType.TRADE)
            assert (told[-1].status, told[-1].cum_qty) == (Status.FILLED, QTY)

    asyncio.run(main())


def test_a_client_that_is_logged_off_sends_nothing(venue, names, tmp_path):
    async def main():
        name = names()
        client = FixClient("127.0.0.1", venue.port, tmp_path, sender=name)
        order = Order("a", BUY, QTY, venue.best()[0] - 1000, 5)
        with pytest.raises(OrderNotSent):
            await client.submit(order)
        await client.start()
        await client.ready(SOON_S)
        assert (await client.submit(order)).status is Status.NEW
        await client.stop()
        with pytest.raises(OrderNotSent):
            await client.send(order)
        assert len(arrivals(venue, name)) == 1

    asyncio.run(main())


def test_a_second_connection_does_not_take_over_a_session(venue, names, tmp_path):
    async def main():
        name = names()
        async with (
            desk(venue, tmp_path / "first", name) as (first, _),
            FixClient("127.0.0.1", venue.port, tmp_path / "second", sender=name) as second,
        ):
            with pytest.raises(TimeoutError):
                await second.ready(0.3)
            assert (await first.submit(Order("a", BUY, QTY, venue.best()[0] - 1000, 5))).status is Status.NEW

    asyncio.run(main())


def test_whoever_is_not_expected_does_not_get_in(venue, tmp_path):
    async def main():
        async with FixClient("127.0.0.1", venue.port, tmp_path, sender="STRANGER") as stranger:
            with pytest.raises(TimeoutError):
                await stranger.ready(0.3)

    asyncio.run(main())


def test_nonsense_ends_its_own_connection_and_nothing_else(venue, names, tmp_path):
    async def main():
        async with desk(venue, tmp_path, names()) as (client, _):
            logon = b"8=FIX.4.4\x019=5\x0135=A\x0110=000\x01"
            for nonsense in (b"GET / HTTP/1.1\r\n\r\n", b"8=FIX.4.4\x019=-3\x01", logon, os.urandom(5000)):
                reader, writer = await asyncio.open_connection("127.0.0.1", venue.port)
                writer.write(nonsense)
                writer.write_eof()
                assert await asyncio.wait_for(reader.read(), SOON_S) == b""
                writer.close()
                await writer.wait_closed()
            assert await client.order_status("never") is None

    asyncio.run(main())


def killed_desk(venue, state, name, *order, mode="rest"):
    """A desk that placed its order and was killed, by itself or by us, and what it had printed."""
    command = [sys.executable, str(DESK), str(venue.port), str(state), name, mode, *map(str, order)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    printed = [process.stdout.readline().split()]
    if mode == "rest":
        process.kill()
    return process, printed


def ended(process):
    rest = process.stdout.read().splitlines()
    process.stdout.close()
    assert process.wait() == -signal.SIGKILL
    return rest


def test_a_killed_client_has_its_resting_orders_cancelled_and_is_told_when_it_returns(venue, names, tmp_path):
    async def main():
        name = names()
        process, printed = killed_desk(venue, tmp_path, name, "a", BUY, QTY, venue.best()[0] - 1000)
        ended(process)
        assert printed[0][:2] == ["a", "NEW"]
        async with desk(venue, tmp_path, name) as (client, reports):
            await reports.until(lambda told: told and told[-1].exec_type is ExecType.CANCELED)
            assert (reports[-1].code, reports[-1].cum_qty) == ("DISCONNECTED", 0)
            assert (await client.order_status("a")).status is Status.CANCELED

    asyncio.run(main())


def test_fills_made_while_the_client_was_dead_are_delivered_after_its_log_on(tmp_path):
    async def main():
        options = (*CLIENTS, "--skip-s", WIDE_S, "--keep-on-disconnect")
        with VenueProcess(tmp_path / "venue", *options) as venue:
            inside = venue.best()[0] + 100
            process, _ = killed_desk(venue, tmp_path / "a", "T0", "a", BUY, 5 * QTY, inside)
            ended(process)
            async with desk(venue, tmp_path / "b", "T1") as (other, _):
                for number in range(5):
                    await other.submit(Order(f"b{number}", SELL, QTY, inside, 5, TimeInForce.IOC))
            async with desk(venue, tmp_path / "a", "T0") as (client, reports):
                await reports.until(lambda told: sum(r.exec_type is ExecType.TRADE for r in told) == 5)
                assert [r.cum_qty for r in reports if r.last_qty] == [QTY, 2 * QTY, 3 * QTY, 4 * QTY, 5 * QTY]
                assert (await client.order_status("a")).status is Status.FILLED
                assert positions(venue.truth)["T0"]["qty"] == 5 * QTY

    asyncio.run(main())


def test_a_report_that_the_client_died_on_comes_again(venue, names, tmp_path):
    """The engine counts a message as received before the application sees it; our store does not."""

    async def main():
        name = names()
        _, ask = venue.best()
        process, printed = killed_desk(venue, tmp_path, name, "a", BUY, QTY, ask, mode="die")
        printed += [line.split() for line in ended(process)]
        assert [line[1] for line in printed] == ["NEW", "TRADE"]
        async with desk(venue, tmp_path, name) as (_, reports):
            await reports.until(lambda told: any(r.exec_type is ExecType.TRADE for r in told))
            again = next(report for report in reports if report.exec_type is ExecType.TRADE)
            assert (again.exec_id, again.resent) == (printed[1][2], True)

    asyncio.run(main())


def test_no_fill_is_lost_or_booked_twice_however_often_the_client_is_killed(venue, names, tmp_path):
    """Killed after each of some numbers of reports; its next life gets the rest, its books end as the venue's are."""

    async def main():
        name = names()
        for run, reports_until_death in enumerate([1, 7, 30, 64]):
            side = BUY if run % 2 else SELL
            command = [sys.executable, str(DESK), str(venue.port), str(tmp_path), name, "trade", f"r{run}"]
            process = subprocess.Popen([*command, str(side), "100000", "0"], stdout=subprocess.PIPE, text=True)
            for _ in range(reports_until_death):
                process.stdout.readline()
            process.kill()
            ended(process)
        booked = {}
        for line in (tmp_path / "booked").read_text().splitlines():
            _, _, exec_id, filled = line.split()
            booked[exec_id] = int(filled)
        async with desk(venue, tmp_path, name) as (client, reports):
            sent = [arrival["key"] for arrival in arrivals(venue, name)]
            known = await client.reconcile(sent, within_s=SOON_S)  # the answers come after all that was waiting
            assert all(report is not None and not report.status.open for report in known.values())
            booked |= {report.exec_id: report.side * report.last_qty for report in reports}
        true = [r for r in read_truth(venue.truth) if r["event"] == "fill" and r["client"] == name]
        assert len(true) > 30
        assert {r["exec_id"]: r["side"] * r["qty"] for r in true} == {
            i: filled for i, filled in booked.items() if filled
        }
        assert not [double for double in doubles(venue.truth) if double.startswith(name)]

    asyncio.run(main())


def test_orders_on_their_way_to_a_dying_venue_are_never_replayed_to_its_successor(tmp_path):
    """The engine's own session would send them again after the reconnect, and the venue would accept them."""

    async def main():
        state = tmp_path / "venue"
        with VenueProcess(state, "--skip-s", WIDE_S) as first:
            bid, _ = first.best()
            lost = asyncio.Event()
            options = {"on_session": lambda up: up or lost.set()}
            async with desk(first, tmp_path / "a", "DESK", **options) as (client, _):
                assert (await client.submit(Order("before", BUY, QTY, bid - 1000, 5))).status is Status.NEW
                os.kill(first.process.pid, signal.SIGSTOP)
                for number in range(3):
                    await client.send(Order(f"stale{number}", BUY, QTY, bid - 1000, 5))
                first.kill()
                await lost.wait()
                with VenueProcess(state, "--skip-s", WIDE_S, "--port", str(first.port)) as second:
                    await client.ready(SOON_S)
                    known = await client.reconcile(["before", "stale0", "stale1", "stale2"], within_s=SOON_S)
                    assert known.pop("before").code == "RESTARTED"
                    assert list(known.values()) == [None, None, None]
                    assert (await client.submit(Order("after", BUY, QTY, bid - 1000, 5))).status is Status.NEW
                    assert [arrival["key"] for arrival in arrivals(second, "DESK")] == ["before", "after"]

    asyncio.run(main())


def test_a_client_that_lost_its_files_goes_on_from_where_the_venue_is(venue, names, tmp_path):
    async def main():
        name = names()
        bid, _ = venue.best()
        async with desk(venue, tmp_path / "a", name) as (client, _):
            await client.submit(Order("a", BUY, QTY, bid - 1000, 5))
        async with desk(venue, tmp_path / "empty", name) as (client, _):
            assert (await client.order_status("a")).code == "DISCONNECTED"

    asyncio.run(main())
