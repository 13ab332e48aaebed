"""What all files that are pulled have in common: rows become signals with a key and a position.

Running a file again does nothing twice, because each row has a key: the text of a column, or the file's identity and
the line. The identity is the file's name unless it is given, so a row that was corrected in place is taken up at the
next run while all others are known. A *new* file under an old name needs an identity of its own (or a key column): its
rows would be taken for the old ones where they are equal, and refused (`KEY_REUSED`) where they are not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from lictor.declarations.declared import Declared
from lictor.declarations.models import taken
from lictor.errors import DeclarationError, MalformedError
from lictor.records import Signal

from .finding import Reason, Unreadable

#: Fields of a signal that a column may give, with the type that its text is converted to.
ENVELOPE: dict[str, Any] = {
    "key": str,
    "tenant": str,
    "priority": int,
    "deadline_us": int,
    "expires_in_s": float,
    "not_before_us": int,
    "confidence": float,
    "parent": int,
    "supersedes": int,
    "sent_us": int,
    "version": int,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RowSignals:
    """Makes a signal of each row of one file. `columns` maps a column of the file to a field of the kind."""

    kind: str
    row_type: type
    source: str
    identity: str
    columns: Mapping[str, str] = field(default_factory=dict)
    #: Field of the signal -> column that gives it; see `ENVELOPE`. Times are microseconds or ISO 8601 with an offset.
    envelope: Mapping[str, str] = field(default_factory=dict)
    #: Fields of the signal that are the same for all rows.
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in self.envelope:
            if name not in ENVELOPE:
                raise DeclarationError(f"envelope: no field {name!r}", hint=", ".join(ENVELOPE))

    def typed(self, row: Mapping[str, str], fields: Mapping[str, Any], line: int) -> Signal | Unreadable:
        """A signal of text cells: `fields` are those of the payload, still text, converted to the kind's types."""
        try:
            value: Any = msgspec.convert(fields, self.row_type, strict=False, dec_hook=taken)
            return Signal(kind=self.kind, value=value, **self._frame(row, line))
        except (msgspec.ValidationError, MalformedError) as error:
            return self.unreadable(msgspec.json.encode(fields), line, str(error), row, Reason.SCHEMA)

    def raw(self, payload: bytes, content: Mapping[str, Any], line: int) -> Signal | Unreadable:
        """A signal of JSON text, which is judged at the door like any other; `content` gives key and envelope."""
        try:
            return Signal(kind=self.kind, payload=payload, **self._frame(content, line))
        except MalformedError as error:
            return self.unreadable(payload, line, str(error), content, Reason.ENVELOPE)

    def unreadable(
        self,
        payload: bytes,
        line: int,
        detail: str,
        row: Mapping[str, Any] | None = None,
        reason: Reason = Reason.UNREADABLE,
    ) -> Unreadable:
        """A row that makes no signal, with what is known of it, so that a person can correct and replay it."""
        key = self._key(row or {}, line)
        signal = Signal(source=self.source, kind=self.kind, payload=payload, key=key, position=self._position(line))
        return Unreadable(signal, detail, reason)

    def _frame(self, row: Mapping[str, Any], line: int) -> dict[str, Any]:
        """The fields of the signal besides its payload."""
        frame: dict[str, Any] = {
            **self.options,
            "source": self.source,
            "key": self._key(row, line),
            "position": self._position(line),
        }
        for name, column in self.envelope.items():
            text = row.get(column)
            if name != "key" and text is not None and text != "":
                frame[name] = _converted(name, text)
        return frame

    def _key(self, row: Mapping[str, Any], line: int) -> str:
        column = self.envelope.get("key")
        text = row.get(column) if column is not None else None
        return f"{self.identity}:{line}" if text is None or text == "" else str(text)

    def _position(self, line: int) -> str:
        return f"{self.identity}:{line}"


def _converted(name: str, text: Any) -> Any:
    """The text of a cell, as a field of the signal.

    Raises:
        MalformedError: it is no such thing.
    """
    try:
        if name.endswith("_us") and isinstance(text, str) and not text.isdigit():
            moment = msgspec.convert(text, datetime)
            if moment.tzinfo is None:
                raise MalformedError(f"{name}: {text} has no offset from UTC")
            return int(moment.timestamp()) * 1_000_000 + moment.microsecond
        return msgspec.convert(text, ENVELOPE[name], strict=False)
    except msgspec.ValidationError as error:
        raise MalformedError(f"{name}: {error}") from error


def kind_of(app: Declared, kind: type | str) -> tuple[str, type]:
    """The declared kind's name and type.

    Raises:
        DeclarationError: it is not declared.
    """
    found = app.kind_of.get(kind) if isinstance(kind, type) else app.kinds.get(kind)
    if found is None:
        name = kind.__name__ if isinstance(kind, type) else repr(kind)
        raise DeclarationError(f"{name} is no decision kind of {app.name}", hint=f"it has {', '.join(app.kinds)}")
    return found.name, found.type


def identity_of(path: Path, identity: str | None) -> str:
    """What a file is known by."""
    return path.name if identity is None else identity
