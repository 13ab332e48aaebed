"""CSV and JSON lines: what is read, what ends in quarantine, and that running a file again does nothing twice."""

import asyncio
import csv
import datetime as dt
import enum
import io
import json
import random
from dataclasses import dataclass
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.inputs.payouts import Payout, payouts
from tests.inputs.pulls import pulled, write
from tests.inputs.simulated import node_on, simulate

from lictor import CsvFile, DeclarationError, JsonLines, MalformedError, NodeStoppedError, allow
from lictor.inputs.csv_file import ROW_LINES_MAX, parse
from lictor.inputs.in_order import in_order
from lictor.inputs.lines import LINE_BYTES_MAX, Line, read_lines
from lictor.inputs.pulling import Surroundings
from lictor.journal.memory import MemoryDisk

# -- parsing ----------------------------------------------------------------------------------------------------------

cell = st.text(st.characters(codec="utf-8", exclude_characters="\r\x00"), max_size=12)


@given(st.lists(st.lists(cell, min_size=2, max_size=4), max_size=12), st.sampled_from(",;\t"))
def test_whatever_the_csv_module_writes_is_parsed_back(rows, delimiter):
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator="\n").writerows(rows)
    lines = text.getvalue().split("\n")[:-1] if text.getvalue() else []
    if any(len("".join(row).splitlines()) > ROW_LINES_MAX for row in rows):
        return
    parsed = list(parse((Line(i, line) for i, line in enumerate(lines, 1)), delimiter))
    assert [row.cells for row in parsed] == rows
    assert all(row.fault is None for row in parsed)
    assert [row.line for row in parsed] == sorted(row.line for row in parsed)


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\n\r"), max_size=20), max_size=30))
def test_any_lines_are_rows_and_no_text_is_lost(texts):
    rows = list(parse((Line(i, text) for i, text in enumerate(texts, 1)), ","))
    assert len(rows) <= len(texts)
    for row in rows:
        assert row.fault is not None or row.cells == next(
            csv.reader(io.StringIO("\n".join(texts[row.line - 1 :])), strict=True)
        )


def test_an_open_quote_costs_its_own_line_only():
    lines = [
        'a,"never closed',
        *(f"b{i},c" for i in range(3 * ROW_LINES_MAX)),
        'x,"two',
        'lines"',
    ]
    rows = list(parse((Line(i, line) for i, line in enumerate(lines, 1)), ","))
    assert rows[0].fault
    assert [row.cells[0] for row in rows[1:-1]] == [f"b{i}" for i in range(3 * ROW_LINES_MAX)]
    assert rows[-1].cells == ["x", "two\nlines"]


def test_lines_are_bounded_decoded_one_by_one_and_lose_their_mark(tmp_path):
    long = b"x" * (3 * LINE_BYTES_MAX)
    path = write(tmp_path / "a", b"\xef\xbb\xbffirst\r\n\xff\xfe\n" + long + b"\nlast")
    first, odd, cut, last = read_lines(path)
    assert (first, last) == (Line(1, "first"), Line(4, "last"))
    assert "not utf-8" in odd.fault
    assert f"{len(long)} bytes" in cut.fault.replace(str(len(long) + 1), str(len(long)))
    assert len(cut.text) < 2_000
    assert list(read_lines(write(tmp_path / "b", "Müller\n", "cp1252"), "cp1252")) == [Line(1, "Müller")]


# -- CSV --------------------------------------------------------------------------------------------------------------

CSV = """account,amount,memo,note
a1,100,rent,ignored
a2,ten,words are no amount,
a3,300
a4,400,"two
lines",x
a5, 500 ,,
a6,"6"00,quote in the middle,
a7,700,good,again
"""


def test_good_rows_are_done_and_bad_ones_wait_in_quarantine(tmp_path):
    result, done, kept = pulled(CsvFile(write(tmp_path / "pay.csv", CSV), Payout, source="bank"))
    assert done == [("a1", 100), ("a4", 400), ("a5", 500), ("a7", 700)]
    assert result.received == 7
    assert result.verdicts == {"admitted": 4, "refused": 3}
    assert result.codes == {"MALFORMED": 3}
    assert [(fault.position, fault.code) for fault in result.faults] == [
        ("pay.csv:3", "MALFORMED"),
        ("pay.csv:4", "MALFORMED"),
        ("pay.csv:8", "MALFORMED"),
    ]
    assert [entry.reason for entry in reversed(kept)] == ["schema", "unreadable", "unreadable"]
    assert "amount" in kept[2].detail
    assert "2 cells under 4 columns" in kept[1].detail
    stored = json.loads(kept[2].signal)
    assert json.loads(stored["payload"]) == {"account": "a2", "amount": "ten", "memo": "words are no amount"}
    assert stored["key"] == "pay.csv:3"


def test_running_a_file_again_does_nothing_twice_and_takes_up_what_was_corrected(tmp_path):
    disk = MemoryDisk()
    path = write(tmp_path / "pay.csv", CSV)
    source = CsvFile(path, Payout, source="bank")
    pulled(source, disk=disk)
    again, done, kept = pulled(source, disk=disk)
    assert done == []
    assert (again.duplicates, again.verdicts["admitted"], len(kept)) == (4, 4, 3)
    write(path, CSV.replace("ten", "10"))
    corrected, done, kept = pulled(source, disk=disk)
    assert done == [("a2", 10)]
    assert corrected.duplicates == 4
    changed, done, _ = pulled(CsvFile(write(path, CSV.replace("100", "101")), Payout, source="bank"), disk=disk)
    assert done == []
    assert changed.codes["KEY_REUSED"] == 1, "the same line with other content is not a new decision"
    _, done, _ = pulled(CsvFile(write(path, CSV), Payout, source="bank", identity="pay-2026-02.csv"), disk=disk)
    assert len(done) == 4, "a new file under an old name has another identity"


@pytest.mark.parametrize("seed", range(4))
def test_a_file_that_was_cut_off_is_finished_by_running_it_again(tmp_path, seed):
    rows = [f"a{i % 7},{i + 1}" for i in range(400)]
    path = write(tmp_path / "pay.csv", "account,amount\n" + "\n".join(rows) + "\n")
    disk, draw = MemoryDisk(), random.Random(seed)
    witness: list[tuple] = []
    ends = []
    for _ in range(6):
        app, done = payouts()

        async def main(clock, app=app, done=done):
            async with node_on(app, clock, disk, turn_max=11) as node:
                pulling = clock._loop.create_task(node.pull(CsvFile(path, Payout, source="bank"), ahead_max=17))
                cut = draw.randint(1, 150)
                while len(done) < cut and not pulling.done():
                    await clock.sleep(0)
                if draw.random() < 0.5:
                    pulling.cancel()
            return await asyncio.gather(pulling, return_exceptions=True)

        ends += simulate(main, seed)
        witness += done
    result, done, kept = pulled(CsvFile(path, Payout, source="bank"), disk=disk)
    witness += done
    assert sorted(witness) == sorted((f"a{i % 7}", i + 1) for i in range(400)), "each row once, over all runs"
    assert result.verdicts == {"admitted": 400}
    assert kept == []
    assert any(isinstance(end, asyncio.CancelledError | NodeStoppedError) for end in ends), "it was cut off"


class Side(enum.Enum):
    BUY = "buy"
    SELL = "sell"


@dataclass(frozen=True)
class Order:
    side: Side
    price: Decimal
    size: float
    live: bool
    on: dt.date
    at: dt.datetime | None
    count: int = 3
    tag: str | None = None


ORDERS = (
    "Side;Px;size;live;on;at;count;tag;Who;p;sent\n"
    "buy;12.50;1e3;true;2026-02-01;2026-02-01T10:00:00+01:00;5;x;acme;0.75;2026-02-01T09:00:00.25Z\n"
    "sell;1;2;0;2026-02-01;;;;;;1770000000000000\n"
    "hold;1;2;0;2026-02-01;;;;;;\n"
    "buy;NaN;2;0;2026-02-01;;;;;;\n"
    "buy;1;nan;0;2026-02-01;;;;;;\n"
    "buy;1;2;0;2026-02-01;;;;;2;\n"
    "buy;1;2;0;2026-02-01;;;;;x;\n"
    "buy;1;2;0;2026-02-01;;;;;;2026-02-01T09:00:00\n"
)


def test_cells_become_the_types_of_their_fields(tmp_path):
    app, _ = payouts()
    seen = []
    app.decision()(Order)
    app.gate(Order)(lambda order, state: seen.append(order) or allow())

    @app.effector(idempotent=True, timeout_s=1)
    async def place(call):
        return None

    app.plan(Order)(lambda order: place.action())
    source = CsvFile(
        write(tmp_path / "orders.csv", ORDERS),
        "Order",
        source="book",
        columns={"Side": "side", "Px": "price"},
        envelope={"tenant": "Who", "confidence": "p", "sent_us": "sent"},
        delimiter=";",
        expires_in_s=5,
    )

    async def main(clock):
        async with node_on(app, clock) as node:
            offered = in_order(source.signals(Surroundings(app, clock, node.journal)), node._offer, 10, set())
            handles = [handle async for _, handle in offered]
            kept = await node.quarantined()
            return handles, [entry.reason for entry in reversed(kept)]

    handles, reasons = simulate(main)
    first = Order(Side.BUY, Decimal("12.50"), 1000.0, True, dt.date(2026, 2, 1), seen[0].at, 5, "x")  # noqa: FBT003
    assert seen[0] == first
    assert seen[0].at == dt.datetime(2026, 2, 1, 9, tzinfo=dt.UTC)
    assert seen[1] == Order(Side.SELL, Decimal(1), 2.0, False, dt.date(2026, 2, 1), None, 3, None)  # noqa: FBT003
    decision = handles[0].decision
    assert (decision.tenant, decision.confidence, decision.deadline_us - decision.received_us) == (
        "acme",
        0.75,
        5_000_000,
    )
    assert handles[1].decision.tenant == "default"
    assert reasons == ["schema", "number", "number", "envelope", "schema", "schema"]


@pytest.mark.parametrize(
    ("text", "options", "match"),
    [
        ("account,sum\n", {}, "amount"),
        ("account,amount,amount\n", {}, "twice"),
        ("account,amount\n", {"envelope": {"key": "ref"}}, "ref"),
        ("account,amount\n", {"columns": {"Amount": "amount"}}, "Amount"),
        (b"\xff\xfe\n", {}, "header"),
    ],
    ids=["missing", "twice", "key", "columns", "bytes"],
)
def test_a_header_that_does_not_fit_is_said_before_anything_is_done(tmp_path, text, options, match):
    source = CsvFile(write(tmp_path / "a.csv", text), Payout, source="bank", **options)
    with pytest.raises(MalformedError, match=match):
        pulled(source)


def test_a_file_of_an_unknown_kind_or_envelope_field_or_none_at_all_is_said(tmp_path):
    path = write(tmp_path / "a.csv", "account,amount\n")
    with pytest.raises(DeclarationError, match="Order"):
        pulled(CsvFile(path, Order, source="bank"))
    with pytest.raises(DeclarationError, match="colour"):
        pulled(CsvFile(path, Payout, source="bank", envelope={"colour": "account"}))
    with pytest.raises(FileNotFoundError):
        pulled(CsvFile(tmp_path / "none.csv", Payout, source="bank"))
    assert pulled(CsvFile(write(path, ""), Payout, source="bank"))[0].received == 0


# -- JSON lines -------------------------------------------------------------------------------------------------------


def test_lines_are_judged_like_any_payload_and_bad_ones_wait_in_quarantine(tmp_path):
    lines = [
        b'{"account": "a", "amount": 1}',
        b"",
        b'{"account": "a", "amount": 1, "amount": 2}',
        b"{oops",
        b'{"account": "a", "amount": "1"}',
        b'{"account": "\xff", "amount": 1}',
        b'[{"account": "a", "amount": 1}]',
        b'{"account": "b", "amount": 7, "extra": [1, 2]}',
        b'{"account": "c", "amount": ' + b"9" * 30 + b"}",
    ]
    path = write(tmp_path / "pay.jsonl", b"\n".join(lines))
    disk = MemoryDisk()
    result, done, kept = pulled(JsonLines(path, Payout, source="feed"), disk=disk)
    assert done == [("a", 1), ("b", 7)]
    assert result.verdicts == {"admitted": 2, "refused": 6}
    assert [entry.reason for entry in reversed(kept)] == [
        "duplicate_key",
        "json",
        "schema",
        "unreadable",
        "schema",
        "number",
    ]
    assert json.loads(kept[-1].signal)["position"] == "pay.jsonl:3"
    again, done, kept = pulled(JsonLines(path, Payout, source="feed"), disk=disk)
    assert (again.duplicates, done, len(kept)) == (2, [], 6)


def test_a_key_column_makes_the_file_free_to_change(tmp_path):
    objects = [{"id": f"inv-{i}", "to": f"a{i}", "amount": i + 1, "p": 0.5} for i in range(5)]
    path = tmp_path / "pay.jsonl"
    disk = MemoryDisk()

    def source():
        return JsonLines(
            path, Payout, source="feed", columns={"to": "account"}, envelope={"key": "id", "confidence": "p"}
        )

    write(path, "\n".join(json.dumps(each) for each in objects))
    _, done, _ = pulled(source(), disk=disk)
    assert done == [(f"a{i}", i + 1) for i in range(5)]
    random.Random(1).shuffle(objects)
    objects.insert(2, {"id": 77, "to": "new", "amount": 9, "p": None})
    objects.append({"to": "no key", "amount": 8})
    write(path, "\n".join(json.dumps(each) for each in objects))
    result, done, _ = pulled(source(), disk=disk)
    assert done == [("no key", 8), ("new", 9)]
    assert result.duplicates == 5
