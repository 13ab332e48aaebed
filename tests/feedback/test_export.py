"""What is exported is what happened, one row a decision, and says nothing that was not known at the time."""

import asyncio
import importlib
import json
from dataclasses import dataclass, field

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.feedback.trades import node_on, simulate, trades

from lictor import App, DeclarationError, LictorError, allow, hold
from lictor.feedback import export as exporting
from lictor.feedback.export import export, note_types
from lictor.journal.memory import MemoryDisk, MemoryJournal


@dataclass(frozen=True)
class Mixed:
    name: str
    number: float | int
    flag: bool | None = None
    nested: dict[str, int] = field(default_factory=dict)
    either: int | str = 0
    huge: int = 1
    api_token: str = "CANARY"


@dataclass(frozen=True)
class Plain:
    number: int
    name: str = "plain"


def mixed():
    app = App("mixed")
    for type_ in (Mixed, Plain):
        app.decision()(type_)

        @app.gate(type_)
        def approved(value, state):
            return hold("ASK") if value.name == "hold" else allow()

        app.plan(type_)(lambda value: act.action(value.number))

    @app.effector(idempotent=True, timeout_s=5)
    async def act(call, number) -> dict[str, float]:
        return {"number": number, "password": "CANARY"}

    return app


async def lived(clock, disk):
    """A few decisions of both kinds: done, refused for their key, held and approved, cancelled, still held."""
    app = mixed()
    handles = {}
    async with node_on(app, clock, disk, learn_every_s=0.0) as node:
        for place in range(4):
            handles[f"done{place}"] = await node.submit(
                Mixed(
                    "a",
                    place + 0.5 * (place % 2),
                    either=place if place % 2 else "x",
                    nested={"a": place},
                    huge=2**61 * place,
                ),
                source="desk",
                key=f"k{place}",
                confidence=0.75,
                expects={"value": 1},
            )
            await handles[f"done{place}"].outcome()
            await clock.sleep(0.5)
        handles["reused"] = await node.submit(Plain(7), source="desk", key="k0")
        handles["plain"] = await node.submit(Plain(8), source="other")
        await handles["plain"].outcome()
        handles["approved"] = await node.submit(Mixed("hold", 9), source="desk")
        await clock.sleep(2)
        await node.approve(handles["approved"].id, by="ann")
        await handles["approved"].outcome()
        handles["cancelled"] = await node.submit(Plain(1), source="desk", not_before_us=clock.wall_us() + 20_000_000)
        await node.cancel(handles["cancelled"].id, by="bob")
        handles["waiting"] = await node.submit(Plain(2, "hold"), source="desk")
    return handles


@pytest.fixture
def world():
    disk = MemoryDisk()
    handles = simulate(lambda clock: lived(clock, disk))
    return handles, disk


def exported(disk, path, **options):
    return asyncio.run(export(MemoryJournal(disk), path, **options))


def test_json_lines_have_every_decision_once(world, tmp_path):
    handles, disk = world
    told = exported(disk, tmp_path / "all.jsonl")
    rows = [json.loads(line) for line in (tmp_path / "all.jsonl").read_text().splitlines()]
    by_id = {row["number"]: row for row in rows}
    assert told.rows == len(rows) == len(by_id) == len(handles)
    assert told.without_outcome == 2
    row = {name: by_id[handle.id] for name, handle in handles.items()}
    assert (row["done1"]["verdict"], row["done1"]["outcome"], row["done1"]["confidence"]) == (
        "admitted",
        "succeeded",
        0.75,
    )
    assert row["done1"]["payload"]["nested"] == {"a": 1}
    assert row["done1"]["value"]["number"] == 1.5
    assert (row["reused"]["verdict"], row["reused"]["code"], row["reused"]["outcome"]) == (
        "refused",
        "KEY_REUSED",
        None,
    )
    assert (row["approved"]["held"], row["approved"]["approved_by"], row["approved"]["verdict_ms"]) == (
        True,
        "ann",
        2000.0,
    )
    assert (row["cancelled"]["outcome"], row["cancelled"]["detail"]) == ("cancelled", "by bob: ")
    assert (row["waiting"]["verdict"], row["waiting"]["outcome"], rows[-1]["id"]) == (
        "held",
        None,
        row["waiting"]["id"],
    )
    assert not list(tmp_path.glob("*.part"))


def test_a_row_knows_only_what_was_known_before_it(world, tmp_path):
    handles, disk = world
    exported(disk, tmp_path / "all.jsonl")
    rows = [json.loads(line) for line in (tmp_path / "all.jsonl").read_text().splitlines()]
    done = {row["number"]: row for row in rows}
    known = [done[handles[f"done{place}"].id]["known_count"] for place in range(4)]
    assert known[0] is None
    assert known[1:] == [1, 2, 3]


def test_parquet_has_a_column_for_each_field_of_each_kind(world, tmp_path):
    handles, disk = world
    told = exported(disk, tmp_path / "all.parquet", group=3)
    file = pq.ParquetFile(tmp_path / "all.parquet")
    assert file.metadata.num_row_groups == 3
    assert (file.metadata.num_rows, told.rows) == (len(handles), len(handles))
    types = {name: str(type_) for name, type_ in zip(file.schema_arrow.names, file.schema_arrow.types, strict=True)}
    assert types["payload_number"] == "double", "int in one kind and float in the other"
    assert types["payload_either"] == types["payload_nested"] == "string"
    assert types["payload_name"] == "string"
    assert types["received_us"] == "int64"
    assert types["on_time"] == "bool"
    rows = {row["number"]: row for row in file.read().to_pylist()}
    row = rows[handles["done3"].id]
    assert (row["payload_number"], json.loads(row["payload_nested"]), row["payload_either"]) == (3.5, {"a": 3}, "3")
    assert row["payload_huge"] == 3 * 2**61
    assert rows[handles["plain"].id]["payload_nested"] is None
    assert json.loads(row["expects"]) == {"value": 1}
    assert json.loads(row["rulings"]) == [{"gate": "approved", "result": "allow"}]


def test_one_kind_alone(world, tmp_path):
    _, disk = world
    told = exported(disk, tmp_path / "plain.parquet", kind="Plain")
    assert told.rows == 4
    assert "payload_nested" not in told.columns


def test_both_forms_say_the_same(world, tmp_path):
    _, disk = world
    exported(disk, tmp_path / "a.jsonl")
    exported(disk, tmp_path / "a.parquet")
    lines = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    table = pq.read_table(tmp_path / "a.parquet").to_pylist()
    for line, row in zip(lines, table, strict=True):
        for name in (
            "id",
            "kind",
            "verdict",
            "code",
            "outcome",
            "received_us",
            "ended_us",
            "confidence",
            "known_success",
        ):
            assert line[name] == row[name]
        assert line["payload"]["number"] == row["payload_number"]


def test_a_node_exports_without_secrets(tmp_path):
    disk = MemoryDisk()

    async def main(clock):
        await lived(clock, disk)
        async with node_on(mixed(), clock, disk) as node:
            for name in ("all.jsonl", "all.parquet"):
                await node.export(tmp_path / name)

    simulate(main)
    assert "CANARY" not in (tmp_path / "all.jsonl").read_text()
    assert "CANARY" not in json.dumps(pq.read_table(tmp_path / "all.parquet").to_pylist())
    exported(disk, tmp_path / "raw.jsonl")
    assert "CANARY" in (tmp_path / "raw.jsonl").read_text(), "the canary was there"


def test_without_pyarrow_it_says_what_to_install(world, tmp_path, monkeypatch):
    _, disk = world
    real = importlib.import_module

    def missing(name):
        if name.startswith("pyarrow"):
            raise ImportError(name)
        return real(name)

    monkeypatch.setattr(exporting.importlib, "import_module", missing)
    with pytest.raises(LictorError, match=r"lictor\[export\]"):
        exported(disk, tmp_path / "all.parquet")
    assert exported(disk, tmp_path / "all.jsonl").rows


def test_a_name_that_tells_no_form_is_refused(tmp_path):
    with pytest.raises(DeclarationError, match=r"\.parquet"):
        exported(MemoryDisk(), tmp_path / "all.csv")


def test_a_broken_export_leaves_nothing(world, tmp_path):
    _, disk = world

    def broken(_value):
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        exported(disk, tmp_path / "all.jsonl", redact=broken)
    assert list(tmp_path.iterdir()) == []


def test_an_empty_journal_exports_an_empty_table(tmp_path):
    assert exported(MemoryDisk(), tmp_path / "none.parquet").rows == 0
    assert pq.read_table(tmp_path / "none.parquet").num_rows == 0


values = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=3)
    | st.lists(st.integers(), max_size=2)
)


@given(st.lists(st.dictionaries(st.sampled_from("abc"), values, max_size=3), max_size=8))
def test_every_payload_fits_the_types_that_were_noted(payloads):
    fields = {}
    for payload in payloads:
        note_types(fields, payload)
    order = {}
    for payload in reversed(payloads):
        note_types(order, payload)
    assert order == fields, "the order of history does not matter"
    for payload in payloads:
        for name, value in payload.items():
            exporting._cell(value, fields[name])


def test_superseding_ends_the_one_before(tmp_path):
    app, disk = trades(), MemoryDisk()

    async def main(clock):
        async with node_on(app, clock, disk) as node:
            await node.halt("effector:order", by="ann")
            old = await node.submit(app.Trade(1), source="desk")
            new = await node.submit(app.Trade(2), source="desk", supersedes=old.id)
            return old, new

    old, new = simulate(main)
    exported(disk, tmp_path / "all.jsonl")
    rows = {row["number"]: row for row in map(json.loads, (tmp_path / "all.jsonl").read_text().splitlines())}
    assert new.admitted
    assert (rows[old.id]["outcome"], rows[old.id]["outcome_code"]) == ("cancelled", "SUPERSEDED")
    assert rows[new.id]["outcome"] is None
