"""A CSV file as a source: a header, typed cells, and every bad row in quarantine instead of the end of the run.

Reads RFC 4180 with any one-character delimiter. A quoted cell may go over lines; a quote that is never closed costs the
line that it is on, not the rest of the file.
"""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from lictor.declarations.models import fields_of
from lictor.errors import MalformedError
from lictor.records import Signal

from .file_source import RowSignals, identity_of, kind_of
from .finding import Unreadable
from .lines import Line, read_lines
from .pulling import Surroundings

#: Lines of one row, at most.
ROW_LINES_MAX = 50


class Row(NamedTuple):
    """The cells that start on a line; or what is wrong with it, and its text."""

    line: int
    cells: list[str]
    fault: str | None = None


class CsvFile:
    """Rows of a CSV file as decisions of one kind, for `node.pull`.

    A cell is converted to the type of its field: text, whole and decimal numbers, booleans, dates, enumerations.
    An empty cell is the field's default, or None where it may be None, or empty text. Columns that are no field of the
    kind are not read.
    """

    def __init__(
        self,
        path: str | Path,
        kind: type | str,
        *,
        source: str,
        columns: Mapping[str, str] | None = None,
        envelope: Mapping[str, str] | None = None,
        identity: str | None = None,
        delimiter: str = ",",
        encoding: str = "utf-8",
        **options: Any,
    ) -> None:
        """Describe the file; it is opened when it is pulled.

        Args:
            path: The file.
            kind: The declared kind of its rows, or its name.
            source: Who decides.
            columns: Column of the file -> field of the kind, where their names differ.
            envelope: Field of the signal -> column that gives it, such as `{"key": "invoice", "confidence": "p"}`.
                Without a column for the key, the file's identity and the line are the key.
            identity: What the file is known by; its name unless given.
            delimiter: Between cells.
            encoding: Of the text; UTF-8 or a one-byte encoding.
            **options: Fields of the signal for all rows: `tenant`, `priority`, `expires_in_s`, ...
        """
        self.path = Path(path)
        self._kind = kind
        self._delimiter = delimiter
        self._encoding = encoding
        self._columns = dict(columns or {})
        self._make = partial(
            RowSignals,
            source=source,
            identity=identity_of(self.path, identity),
            columns=self._columns,
            envelope=dict(envelope or {}),
            options=options,
        )

    async def signals(self, around: Surroundings) -> AsyncIterator[Signal | Unreadable]:
        """The rows, in order.

        Raises:
            OSError: the file cannot be read.
            MalformedError: the header lacks a column that the kind, the key or the envelope needs.
        """
        name, type_ = kind_of(around.app, self._kind)
        make = self._make(kind=name, row_type=type_)
        with closing(read_lines(self.path, self._encoding)) as lines:
            rows = parse(lines, self._delimiter)
            header = next(rows, None)
            if header is None:
                return
            table = Table(header, make)
            for row in rows:
                yield table.signal(row)


def parse(lines: Iterator[Line], delimiter: str) -> Iterator[Row]:
    """Rows of CSV text; empty lines are none."""
    ahead: deque[Line] = deque()
    while (first := ahead.popleft() if ahead else next(lines, None)) is not None:
        if first.fault is not None:
            yield Row(first.number, [first.text], first.fault)
            continue
        if not first.text:
            continue
        cells, used = _cells([first.text], delimiter), 0
        if cells is None:  # a quote is open: it may close on one of the next lines
            cells, used = _over_lines(first, ahead, lines, delimiter)
        if cells is None:
            yield Row(first.number, [first.text], "a quote is not closed, or closed in the middle of a cell")
            continue
        for _ in range(used):
            ahead.popleft()
        yield Row(first.number, cells)


def _over_lines(first: Line, ahead: deque[Line], lines: Iterator[Line], delimiter: str) -> tuple[list[str] | None, int]:
    """The cells of a row over several lines, and how many lines of `ahead` they took; None where they never end."""
    texts = [first.text]
    for used in range(1, ROW_LINES_MAX):
        if len(ahead) < used:
            line = next(lines, None)
            if line is None:
                return None, 0
            ahead.append(line)
        line = ahead[used - 1]
        if line.fault is not None:
            return None, 0
        texts.append(line.text)
        if '"' in line.text and (cells := _cells(texts, delimiter)) is not None:
            return cells, used
    return None, 0


def _cells(texts: list[str], delimiter: str) -> list[str] | None:
    """The cells of one row; None where quotes do not match."""
    try:
        return next(
            csv.reader(("\n".join(texts),) if len(texts) == 1 else _ends(texts), delimiter=delimiter, strict=True)
        )
    except csv.Error:
        return None


def _ends(texts: list[str]) -> Iterator[str]:
    return (text + "\n" for text in texts)


class Table:
    """The header of a file, matched to the fields of a kind."""

    def __init__(self, header: Row, make: RowSignals) -> None:
        """Match them.

        Raises:
            MalformedError: a column is missing or named twice.
        """
        if header.fault is not None:
            raise MalformedError(f"the header cannot be read: {header.fault}")
        self._make = make
        self.names = [name.strip() for name in header.cells]
        if len(set(self.names)) != len(self.names):
            raise MalformedError(f"the header names a column twice: {', '.join(self.names)}")
        fields = {field.encode_name: field for field in _fields(make.row_type)}
        self._empty = {name: _empty(field) for name, field in fields.items()}
        self._field = {i: to for i, name in enumerate(self.names) if (to := make.columns.get(name, name)) in fields}
        needed = {name for name, field in fields.items() if field.required} - set(self._field.values())
        needed |= {*make.envelope.values(), *make.columns} - set(self.names)
        if needed:
            raise MalformedError(f"the header has no column for {', '.join(sorted(needed))}", hint="see `columns`")

    def signal(self, row: Row) -> Signal | Unreadable:
        """The signal of a row."""
        if row.fault is None and len(row.cells) != len(self.names):
            row = row._replace(fault=f"{len(row.cells)} cells under {len(self.names)} columns")
        if row.fault is not None:
            return self._make.unreadable(msgspec.json.encode(row.cells), row.line, row.fault)
        cells = [cell.strip() for cell in row.cells]
        fields: dict[str, Any] = {}
        for index, name in self._field.items():
            cell: Any = cells[index] or self._empty[name]
            if cell is not OMIT:
                fields[name] = cell
        return self._make.typed(dict(zip(self.names, cells, strict=True)), fields, row.line)


#: An empty cell of a field that has a default.
OMIT = object()


def _fields(type_: type) -> tuple[msgspec.inspect.Field, ...]:
    if found := fields_of(type_):
        return found
    raise MalformedError(f"{type_.__name__} has no fields that columns could fill")


def _empty(field: msgspec.inspect.Field) -> Any:
    """What an empty cell means."""
    if not field.required:
        return OMIT
    options = field.type.types if isinstance(field.type, msgspec.inspect.UnionType) else (field.type,)
    return None if any(isinstance(option, msgspec.inspect.NoneType) for option in options) else ""
