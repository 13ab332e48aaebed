"""How a stage tells what it saw. It returns nothing and must not raise, so that observing never steers."""

from __future__ import annotations

from typing import Any, Protocol


class Probe(Protocol):
    """Takes note of an event."""

    def note(self, event: str, /, **fields: Any) -> None:
        """Something notable happened."""
        ...


class Silent:
    """Takes no note."""

    __slots__ = ()

    def note(self, event: str, /, **fields: Any) -> None:
        """Nothing."""
