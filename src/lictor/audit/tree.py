"""What a store that keeps a tree over its history must offer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import msgspec

from .checkpoint import SignedCheckpoint
from .entry import Fact
from .history import Content


class Kept(msgspec.Struct, frozen=True, gc=False):
    """A signed checkpoint of the tree over history, as it is kept; numbers only grow."""

    number: int
    at_us: int
    signed: SignedCheckpoint


class Tree(Protocol):
    """The Merkle tree over all facts of a history (I14), and what was signed of it. Positions are from 1."""

    @property
    def size(self) -> int:
        """How many facts there are."""
        ...

    @property
    def grown(self) -> int:
        """How many of them the stored tree is over; what is beyond is made when it is asked for."""
        ...

    def spans(self, start: int, end: int) -> bytes:
        """The hash over the facts after position `start` up to `end`."""
        ...

    def facts(self, first: int, last: int, content: Content) -> Iterator[Fact]:
        """The facts at these positions, as much of each as is asked for and still there."""
        ...

    def newest(self) -> Kept | None:
        """The last checkpoint that was signed."""
        ...

    def over(self, size: int) -> Kept | None:
        """The first checkpoint that covers so many facts."""
        ...

    def checkpoints(self, before: int, limit: int) -> list[Kept]:
        """Checkpoints below a number, newest first."""
        ...

    def handed_over(self) -> list[Kept]:
        """Those at which one key handed over to another, oldest first."""
        ...

    def all_checkpoints(self) -> Iterator[Kept]:
        """All of them, oldest first."""
        ...
