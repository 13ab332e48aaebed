"""The exchange without a network: what happens, what is told, and what a restart remembers."""

import pytest

from lictor.desks.trading.fix import wire
from lictor.desks.trading.fix.records import ExecType, Order, Status, TimeInForce
from lictor.desks.trading.market import BUY, SELL
from lictor.desks.trading.venue.book import OrderBook
from lictor.desks.trading.venue.exchange import Exchange
from lictor.desks.trading.venue.faults import Faults
from lictor.desks.trading.venue.history import recover
from lictor.desks.trading.venue.rules import Rules
from lictor.desks.trading.venue.truth import TruthLog, doubles, positions, read_truth

QTY = 10_000_000
BID, ASK = 7_831_900, 7_832_100


class Pit:
    """An exchange with one quote on each side, and everything that it told."""

    def __init__(self, path):
        self.told, self.prints, self.cuts = [], [], []
        self.path, self.faults, self.book = path, Faults(), OrderBook()
        orders, runs = recover(path)
        self.truth = TruthLog(path)
        self.truth.write("open", 0)
        self.exchange = Exchange(self.book, Rules(), self.truth, self.faults, self, orders=orders, run=runs)
        self.book.place(1_000_001, BUY, BID, QTY)
        self.book.place(1_000_002, SELL, ASK, QTY)
        self.at_us = 0

    def deliver(self, client, report):
        self.told.append(report)

    def printed(self, trade):
        self.prints.append(trade)

    def cut(self, client):
        self.cuts.append(client)

    def place(self, key, side, qty, price, client="A", **rest):
        self.at_us += 1
        self.exchange.place(client, wire.order_fields(Order(key, side, qty, price, 0, **rest)), self.at_us)
        return self.told[-1]

    def cancel(self, key, client="A"):
        self.at_us += 1
        fields = {wire.ORIG_CL_ORD_ID: key, wire.CL_ORD_ID: f"{key}/c"}
        return self.exchange.cancel(client, fields, self.at_us)

    def status(self, key, client="A"):
        self.at_us += 1
        self.exchange.status(client, {wire.CL_ORD_ID: key, wire.STATUS_REQ_ID: "?"}, self.at_us)
        return next(report for report in reversed(self.told) if report.exec_type is ExecType.STATUS)

    def kinds(self):
        return [(report.key, report.exec_type.name, report.status.name) for report in self.told]


@pytest.fixture
def pit(tmp_path):
    made = Pit(tmp_path / "truth.jsonl")
    yield made
    made.truth.close()


def test_an_order_that_crosses_is_told_of_as_new_and_then_as_filled(pit):
    report = pit.place("a", BUY, QTY, ASK)
    assert pit.kinds() == [("a", "NEW", "NEW"), ("a", "TRADE", "FILLED")]
    assert (report.last_qty, report.last_price, report.cum_money, report.maker) == (QTY, ASK, QTY * ASK, False)
    assert [(p.price, p.qty, p.side) for p in pit.prints] == [(ASK, QTY, BUY)]
    assert positions(pit.path) == {"A": {"qty": QTY, "money": -QTY * ASK}}


def test_a_resting_order_is_filled_in_parts_by_whoever_comes(pit):
    pit.place("a", SELL, QTY, ASK - 100)
    pit.place("b", BUY, QTY // 4, ASK, client="B")
    assert pit.told[-1].maker
    assert pit.told[-1].status is Status.PARTIALLY_FILLED
    placed = pit.book.place(1_000_003, BUY, ASK - 100, QTY)
    pit.exchange.traded(9, placed.matches)
    assert pit.status("a").status is Status.FILLED
    assert positions(pit.path)["A"] == {"qty": -QTY, "money": QTY * (ASK - 100)}


def test_the_same_key_is_one_order_for_ever(pit):
    pit.place("a", BUY, QTY, ASK)
    again = pit.place("a", BUY, QTY, ASK)
    assert (again.exec_type, again.code, again.status, again.cum_qty) == (
        ExecType.REJECTED, "DUPLICATE", Status.FILLED, QTY,
    )  # fmt: skip
    assert again.duplicate
    assert doubles(pit.path) == []
    assert pit.place("a", BUY, QTY, ASK + 100).code == "KEY_REUSED"
    assert doubles(pit.path) == ["A/a"]  # the same key with other contents is found even though it had no effect
    assert positions(pit.path)["A"]["qty"] == QTY


def test_keys_belong_to_their_client(pit):
    pit.place("a", BUY, QTY // 2, ASK)
    assert pit.place("a", BUY, QTY // 2, ASK, client="B").status is Status.FILLED


def test_orders_of_one_client_never_trade_with_each_other(pit):
    pit.place("a", SELL, QTY, ASK - 100)
    assert pit.place("b", BUY, QTY, ASK - 100).code == "SELF_TRADE"
    assert pit.place("c", BUY, QTY, ASK - 100, tif=TimeInForce.IOC).code == "SELF_TRADE"
    assert positions(pit.path) == {}
    assert pit.status("a").status is Status.NEW


def test_each_end_has_its_code(pit):
    pit.book.place(1_000_005, SELL, ASK + 1000, QTY)
    assert pit.place("ioc", BUY, 2 * QTY, ASK, tif=TimeInForce.IOC).code == "IOC_REMAINDER"
    assert pit.place("fok", BUY, QTY, BID + 100, tif=TimeInForce.FOK).code == "FOK_CANNOT_FILL"
    pit.book.place(1_000_002, SELL, ASK, QTY)
    assert pit.place("post", BUY, QTY, ASK, post_only=True).code == "POST_ONLY_WOULD_CROSS"
    assert pit.told[-1].exec_type is ExecType.REJECTED
    assert pit.place("both", BUY, QTY, ASK, post_only=True, tif=TimeInForce.IOC).code == "ORDER_TYPE"
    pit.exchange.closed = "HALTED"
    assert pit.place("halted", BUY, QTY, ASK).code == "HALTED"


def test_a_market_order_stops_at_the_band(pit):
    pit.book.place(1_000_004, SELL, ASK * 2, QTY)
    report = pit.place("m", BUY, 2 * QTY, None)
    assert (report.status, report.cum_qty, report.code) == (Status.CANCELED, QTY, "IOC_REMAINDER")


def test_a_cancel_ends_what_is_left_and_is_refused_after_that(pit):
    pit.place("a", BUY, QTY, BID)
    assert pit.cancel("a") == ""
    assert (pit.told[-1].code, pit.told[-1].cancel_key) == ("REQUESTED", "a/c")
    assert pit.cancel("a") == "TOO_LATE"
    assert pit.cancel("never") == "UNKNOWN_ORDER"
    assert pit.cancel("a", client="B") == "UNKNOWN_ORDER"


def test_lost_reports_stay_lost_until_the_status_is_asked(pit):
    pit.faults.arm("drop_acks", 1, after=1)
    pit.place("a", BUY, QTY // 2, ASK)
    told = len(pit.told)
    pit.place("b", BUY, QTY // 2, ASK)
    pit.place("b2", BUY, QTY, BID - 100, client="B")
    assert [report.key for report in pit.told[told:]] == ["b2"]
    answer = pit.status("b")
    assert (answer.status, answer.cum_qty, answer.cum_money) == (Status.FILLED, QTY // 2, QTY // 2 * ASK)
    assert pit.faults.fired["drop_acks"] == 1


def test_a_duplicate_report_is_the_same_event_twice(pit):
    pit.faults.arm("duplicate_reports", 2)
    pit.place("a", BUY, QTY, ASK)
    ids = [report.exec_id for report in pit.told]
    assert len(ids) == 4
    assert len(set(ids)) == 2


def test_a_late_fill_comes_after_the_cancel_that_seemed_to_win(pit):
    pit.faults.arm("late_fills", 1)
    pit.place("a", SELL, QTY, ASK - 100)
    pit.place("b", BUY, QTY, ASK - 100, client="B")
    assert pit.cancel("a") == ""
    mine = [report for report in pit.told if report.key == "a"]
    assert [report.exec_type.name for report in mine] == ["NEW", "CANCELED", "TRADE"]
    assert (mine[1].cum_qty, mine[2].cum_qty, mine[2].status) == (0, QTY, Status.FILLED)
    assert positions(pit.path)["A"]["qty"] == -QTY
    assert not [r for r in read_truth(pit.path) if r["event"] == "cancel" and r["key"] == "a"]


def test_a_late_fill_is_true_for_whoever_asks_before(pit):
    pit.faults.arm("late_fills", 1)
    pit.place("a", SELL, QTY, ASK - 100)
    pit.place("b", BUY, QTY // 2, ASK - 100, client="B")
    assert pit.status("a").cum_qty == QTY // 2
    assert pit.told[-1].exec_type is ExecType.TRADE


def test_a_cut_falls_between_accepting_and_telling(pit):
    pit.faults.arm("cut_after_accept", 1)
    pit.place("a", BUY, QTY, BID)
    assert pit.cuts == ["A"]
    assert pit.status("a").status is Status.NEW


def test_a_restart_remembers_every_key_and_ends_what_was_open(tmp_path):
    first = Pit(tmp_path / "truth.jsonl")
    first.book.place(1_000_005, SELL, ASK + 1000, QTY)
    first.place("filled", BUY, QTY, ASK)
    first.place("refused", BUY, QTY, 1)
    first.place("open", SELL, QTY, ASK)
    first.place("part", BUY, QTY // 2, ASK, client="B")
    first.truth.close()
    second = Pit(tmp_path / "truth.jsonl")
    second.exchange.end_orphans(0)
    assert [(r.key, r.code, r.cum_qty) for r in second.told] == [("open", "RESTARTED", QTY // 2)]
    for key in ("filled", "refused", "open"):
        before, after = first.exchange.order("A", key), second.status(key)
        assert (after.order_id, after.cum_qty, after.cum_money) == (before.order_id, before.cum_qty, before.cum_money)
    assert second.place("filled", BUY, QTY, ASK).code == "DUPLICATE"
    new = second.place("new", BUY, QTY // 2, ASK)
    assert new.exec_id not in {r.exec_id for r in first.told}
    assert new.order_id not in {r.order_id for r in first.told}
    second.truth.close()
