"""Server-sent events, line by line, as https://html.spec.whatwg.org/multipage/server-sent-events.html has them."""

from __future__ import annotations

from typing import Any

import msgspec

from .answers import Event


class Reading:
    """Puts lines together to events. `last_id` and `retry_s` are what to come back with, and when."""

    def __init__(self) -> None:
        self.last_id: str | None = None
        self.retry_s: float | None = None
        self._name = ""
        self._data: list[str] = []

    def line(self, line: str) -> Event | None:
        """The event that this line ends, if it ends one."""
        if line:
            self._field(line)
            return None
        name, data = self._name or "message", self._data
        self._name, self._data = "", []
        return Event(name=name, data=_decoded("\n".join(data)), id=self.last_id) if data else None

    def _field(self, line: str) -> None:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self._data.append(value)
        elif name == "event":
            self._name = value
        elif name == "id" and "\0" not in value:
            self.last_id = value
        elif name == "retry" and value.isdecimal():
            self.retry_s = int(value) / 1_000


def _decoded(text: str) -> Any:
    try:
        return msgspec.json.decode(text.encode())
    except msgspec.DecodeError:
        return text
