"""A file of JSON lines as a source: one object a line, and each bad line in quarantine instead of the end of it all."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from lictor.records import Signal

from .file_source import RowSignals, identity_of, kind_of
from .finding import Unreadable
from .limits import read
from .lines import Line, read_lines
from .pulling import Surroundings


class JsonLines:
    """Lines of a file as decisions of one kind, for `node.pull`.

    A line is judged at the door like any other payload.
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
        **options: Any,
    ) -> None:
        """Describe the file; it is opened when it is pulled.

        Args:
            path: The file, in UTF-8.
            kind: The declared kind of its lines, or its name.
            source: Who decides.
            columns: Key of the object -> field of the kind, where their names differ.
            envelope: Field of the signal -> key of the object that gives it, such as `{"key": "id", "tenant": "who"}`.
                Without one for the key, the file's identity and the line are the key.
            identity: What the file is known by; its name unless given.
            **options: Fields of the signal for all lines: `tenant`, `priority`, `expires_in_s`, ...
        """
        self.path = Path(path)
        self._kind = kind
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
        """The lines, in order; empty ones are none.

        Raises:
            OSError: the file cannot be read.
        """
        name, type_ = kind_of(around.app, self._kind)
        make = self._make(kind=name, row_type=type_)
        with closing(read_lines(self.path)) as lines:
            for line in lines:
                if line.text or line.fault:
                    yield self._signal(line, make)

    def _signal(self, line: Line, make: RowSignals) -> Signal | Unreadable:
        payload = line.text.encode()
        if line.fault is not None:
            return make.unreadable(payload, line.number, line.fault)
        if not (make.envelope or make.columns):
            return make.raw(payload, {}, line.number)
        finding, content = read(payload)
        if finding is not None or not isinstance(content, dict):
            return make.raw(payload, {}, line.number)  # the door says what is wrong
        if self._columns:
            renamed = {self._columns.get(name, name): value for name, value in content.items()}
            payload = msgspec.json.encode(renamed)
        return make.raw(payload, content, line.number)
