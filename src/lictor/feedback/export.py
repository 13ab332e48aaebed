"""Writes decisions joined with verdicts, outcomes and lessons to one file, ready for training: Parquet or JSON lines.

Streams: at most `GROUP` rows and what is open are in memory. Parquet has one column for each top-level field of a
payload (`payload_amount`); its type is found in a first pass over history, and fields whose values differ in type
are JSON text. Needs the extra `lictor[export]`. The file appears under its name when it is complete.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal, Protocol

import msgspec

from lictor.errors import DeclarationError, LictorError
from lictor.journal.port import Journal

from .dataset import COLUMNS, NESTED, TYPES, Redact, rows

#: Rows of one row group.
GROUP = 10_000
#: Payload fields that get a column; what is beyond is in `payload_rest`.
FIELDS_MAX = 500
_INT64 = 1 << 63

Form = Literal["parquet", "jsonl"]

_encode = msgspec.json.Encoder(decimal_format="string", enc_hook=str).encode


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written: rows, of these without an outcome (refused or open), payload columns, bytes."""

    path: Path
    rows: int
    without_outcome: int
    columns: tuple[str, ...]
    bytes: int


def _size(path: Path) -> int:
    return path.stat().st_size


class Sink(Protocol):
    """Where rows go."""

    columns: tuple[str, ...]

    def write(self, batch: list[dict[str, Any]]) -> None:
        """A group of rows."""
        ...

    def close(self) -> None:
        """No more."""
        ...


async def export(
    journal: Journal,
    path: str | Path,
    *,
    form: Form | None = None,
    kind: str | None = None,
    redact: Redact | None = None,
    group: int = GROUP,
) -> Exported:
    """Write all decisions of a journal, or those of one kind; the form follows from the file's name unless given.

    Raises:
        DeclarationError: the file's name tells no form.
        LictorError: Parquet needs pyarrow, which is not installed.
    """
    target = Path(path)
    form = form or _form_of(target)
    part = target.with_name(f"{target.name}.part")
    until: int | None = None
    if form == "parquet":
        parquet = _pyarrow()
        fields: dict[str, str] = {}
        until = 0
        async for seq, row in rows(journal, kind=kind, redact=redact):
            until = max(until, seq)
            note_types(fields, row["payload"])
        sink: Sink = ParquetSink(parquet, part, fields)
    else:
        sink = LinesSink(part)
    try:
        with closing(sink):
            count, without = await _pour(journal, sink, kind, redact, until, group)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    part.replace(target)
    return Exported(target, count, without, sink.columns, _size(target))


async def _pour(
    journal: Journal, sink: Sink, kind: str | None, redact: Redact | None, until: int | None, group: int
) -> tuple[int, int]:
    """All rows into the sink, a group at a time; how many, and how many of them have no outcome."""
    batch: list[dict[str, Any]] = []
    count = without = 0
    async for _, row in rows(journal, kind=kind, redact=redact, until=until):
        batch.append(row)
        count += 1
        without += row["outcome"] is None
        if len(batch) >= group:
            sink.write(batch)
            batch = []
    if batch:
        sink.write(batch)
    return count, without


class LinesSink:
    """One JSON object a line, nested data as it is."""

    def __init__(self, path: Path) -> None:
        self.columns: tuple[str, ...] = (*COLUMNS, "payload")
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file: IO[bytes] = path.open("wb")

    def write(self, batch: list[dict[str, Any]]) -> None:
        self._file.writelines(_encode(row) + b"\n" for row in batch)

    def close(self) -> None:
        self._file.close()


class ParquetSink:
    """One row group for each batch."""

    def __init__(self, pyarrow: Any, path: Path, fields: dict[str, str]) -> None:
        self._arrow = pyarrow
        self._fields = dict(list(fields.items())[:FIELDS_MAX])
        self._rest = len(fields) > FIELDS_MAX
        types = {"int": pyarrow.int64(), "float": pyarrow.float64(), "bool": pyarrow.bool_(), "text": pyarrow.string()}
        columns = {name: types[TYPES.get(name, "text")] for name in COLUMNS}
        columns |= {f"payload_{name}": types.get(type_, types["text"]) for name, type_ in self._fields.items()}
        if self._rest:
            columns["payload_rest"] = types["text"]
        self._schema = pyarrow.schema(list(columns.items()))
        self.columns = tuple(columns)
        path.parent.mkdir(parents=True, exist_ok=True)
        parquet = importlib.import_module("pyarrow.parquet")
        self._writer = parquet.ParquetWriter(str(path), self._schema, compression="zstd")

    def write(self, batch: list[dict[str, Any]]) -> None:
        columns: dict[str, list[Any]] = {}
        for name in COLUMNS:
            values = (row[name] for row in batch)
            columns[name] = [_json(value) for value in values] if name in NESTED else list(values)
        payloads = [row["payload"] if isinstance(row["payload"], dict) else {} for row in batch]
        for name, type_ in self._fields.items():
            columns[f"payload_{name}"] = [_cell(payload.get(name), type_) for payload in payloads]
        if self._rest:
            columns["payload_rest"] = [
                _json({name: value for name, value in payload.items() if name not in self._fields})
                for payload in payloads
            ]
        self._writer.write_table(self._arrow.Table.from_pydict(columns, schema=self._schema))

    def close(self) -> None:
        self._writer.close()


def note_types(fields: dict[str, str], payload: Any) -> None:
    """Widen the type of each payload field so that this payload fits: int to float, anything else to JSON."""
    for name, value in payload.items() if isinstance(payload, dict) else ():
        type_ = _type_of(value)
        before = fields.get(name, "null")
        if type_ in {"null", before}:
            fields.setdefault(name, "null")
        elif before == "null":
            fields[name] = type_
        else:
            fields[name] = "float" if {before, type_} == {"int", "float"} else "json"


def _type_of(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        return "int" if -_INT64 <= value < _INT64 else "json"
    return "float" if isinstance(value, float) else "text" if isinstance(value, str) else "json"


def _cell(value: Any, type_: str) -> Any:
    return _json(value) if type_ == "json" else float(value) if type_ == "float" and value is not None else value


def _json(value: Any) -> str | None:
    return None if value is None else _encode(value).decode()


def _form_of(path: Path) -> Form:
    forms: Iterable[tuple[str, Form]] = ((".parquet", "parquet"), (".jsonl", "jsonl"), (".ndjson", "jsonl"))
    for ending, form in forms:
        if path.name.endswith(ending):
            return form
    raise DeclarationError(f"{path.name}: cannot tell the form", hint="end it in .parquet or .jsonl, or name the form")


def _pyarrow() -> Any:
    try:
        importlib.import_module("pyarrow.parquet")
        return importlib.import_module("pyarrow")
    except ImportError as error:
        hint = "pip install 'lictor[export]'"
        raise LictorError("Parquet needs pyarrow, which is not installed", hint=hint) from error
