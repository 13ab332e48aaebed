"""The venue's FIX against QuickFIX, which shares no code with the engine on our side."""

import json
import queue
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from tests.desks.trading.venue.process import VenueProcess

from lictor.desks.trading.fix import wire
from lictor.desks.trading.fix.records import ExecType, Order, Status, TimeInForce
from lictor.desks.trading.market import BUY, SELL
from lictor.desks.trading.venue.truth import positions

pytest.importorskip("quickfix", reason="its wheels exist for Linux only")

DESK = Path(__file__).with_name("quickfix_desk.py")
QTY = 1_000_000
SOON_S = 20


class QuickDesk:
    """One run of the QuickFIX process. `state` keeps its sequence numbers from run to run."""

    def __init__(self, venue: VenueProcess, state: Path, name: str) -> None:
        command = [sys.executable, str(DESK), str(venue.port), str(state), name]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.lines: queue.Queue[dict[str, Any]] = queue.Queue()
        self.reader = threading.Thread(target=self._read)
        self.reader.start()

    def _read(self) -> None:
        for line in self.process.stdout:
            self.lines.put(json.loads(line))

    def until(self, event, **wanted):
        """The next event of that kind whose fields are these; what comes before it is dropped."""
        while True:
            found = self.lines.get(timeout=SOON_S)
            fields = found.get("fields", {})
            if found["event"] == event and all(fields.get(tag) == value for tag, value in wanted.items()):
                return fields

    def send(self, kind, fields):
        command = {"send": kind, "fields": {str(tag): value for tag, value in fields.items()}}
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()

    def order(self, order):
        self.send("D", wire.order_fields(order))

    def report(self, **wanted):
        fields = self.until("message", **{"35": "8", **{tag.strip("_"): value for tag, value in wanted.items()}})
        return wire.read_report({int(tag): value for tag, value in fields.items()}, resent=fields.get("43") == "Y")

    def kill(self):
        self.process.kill()
        self._end()

    def stop(self):
        self.process.stdin.close()
        self._end()

    def _end(self):
        self.process.wait()
        self.reader.join()
        self.process.stdout.close()
        if not self.process.stdin.closed:
            self.process.stdin.close()


@pytest.fixture(scope="module")
def venue(tmp_path_factory):
    clients = [option for name in ("Q1", "Q2", "Q3") for option in ("--client", name)]
    options = (*clients, "--skip-s", "146.4", "--keep-on-disconnect")
    with VenueProcess(tmp_path_factory.mktemp("venue"), *options) as running:
        yield running


def test_orders_fills_cancels_and_status(venue, tmp_path):
    desk = QuickDesk(venue, tmp_path / "q", "Q1")
    desk.until("logon")
    bid, ask = venue.best()
    desk.order(Order("rest", BUY, QTY, bid - 1000, 7))
    assert desk.report(_11="rest").status is Status.NEW
    desk.order(Order("cross", BUY, QTY, ask, 7, TimeInForce.IOC))
    filled = desk.report(_11="cross", _150=ExecType.TRADE.value)
    assert (filled.status, filled.last_qty, filled.last_price, filled.leaves_qty) == (Status.FILLED, QTY, ask, 0)

    venue.tell("fault", kind="duplicate_reports", count=1)
    desk.order(Order("cross", BUY, QTY, ask, 7, TimeInForce.IOC))
    twice = [desk.report(_11="cross", _150=ExecType.REJECTED.value) for _ in range(2)]
    assert twice[0] == twice[1]
    assert (twice[0].code, twice[0].status, twice[0].order_id) == ("DUPLICATE", Status.FILLED, filled.order_id)

    desk.send("H", {11: "cross", 55: "BTC/USD", 54: "1", 790: "question"})
    status = desk.report(_790="question")
    assert (status.exec_type, status.status, status.cum_money) == (ExecType.STATUS, Status.FILLED, QTY * ask)

    cancel = {11: "rest/c", 41: "rest", 55: "BTC/USD", 54: "1", 60: wire.timestamp(8)}
    desk.send("F", cancel)
    assert desk.report(_41="rest").status is Status.CANCELED
    desk.send("F", cancel)
    assert desk.until("message", **{"35": "9"})["58"] == "TOO_LATE"

    desk.order(Order("bad", BUY, QTY + 1, bid, 7))
    assert desk.report(_11="bad").code == "LOT"
    desk.send("D", {55: "BTC/USD"})
    assert desk.until("message", **{"35": "j"})["372"] == "D"
    desk.send("V", {262: "m", 263: "0", 264: "3", 265: "0", 267: "1", 269: "0", 146: "1", 55: "BTC/USD"})
    snapshot = desk.until("message", **{"35": "W"})
    assert snapshot["268"] == "6"
    desk.send("V", {262: "n", 263: "1", 264: "x", 265: "0", 267: "1", 269: "0", 146: "1", 55: "BTC/USD"})
    assert desk.until("message", **{"35": "Y"})["262"] == "n"
    desk.stop()
    assert positions(venue.truth)["Q1"]["qty"] == QTY


def forget_all_but_the_logon(state):
    """As if QuickFIX had been killed before it had counted what it received after that."""
    (numbers,) = state.glob("*.seqnums")
    sender, _, target = numbers.read_text().partition(" : ")
    numbers.write_text(f"{sender} : {2:0{len(target)}}")


def test_sequence_numbers_and_reports_survive_a_kill(venue, tmp_path):
    state = tmp_path / "q"
    first = QuickDesk(venue, state, "Q2")
    first.until("logon")
    inside = venue.best()[0] + 100
    first.order(Order("rest", BUY, 3 * QTY, inside, 7))
    told = first.report(_11="rest")
    first.kill()
    forget_all_but_the_logon(state)

    other = QuickDesk(venue, tmp_path / "other", "Q3")
    other.until("logon")
    for number in range(3):
        other.order(Order(f"hit{number}", SELL, QTY, inside, 7, TimeInForce.IOC))
        other.report(_11=f"hit{number}", _150=ExecType.TRADE.value)
    other.stop()

    second = QuickDesk(venue, state, "Q2")
    logon = second.until("admin", **{"35": "A"})
    assert int(logon["34"]) > 1  # neither side began anew
    again = second.report(_11="rest", _150=ExecType.NEW.value)
    assert (again.exec_id, again.resent) == (told.exec_id, True)
    fills = [second.report(_11="rest", _150=ExecType.TRADE.value) for _ in range(3)]
    assert [fill.cum_qty for fill in fills] == [QTY, 2 * QTY, 3 * QTY]
    assert {fill.order_id for fill in fills} == {told.order_id}
    second.send("H", {11: "rest", 55: "BTC/USD", 54: "1", 790: "after"})
    assert second.report(_790="after").status is Status.FILLED
    second.stop()
