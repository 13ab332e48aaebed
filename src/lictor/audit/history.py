r"""A history outside its journal: facts and signed checkpoints, a line each; its check by public keys alone.

    {"lictor":"history","version":1,"origin":"lictor/...","size":2,"checkpoints":1,"content":"facts"}
    {"lictor":"fact","seq":1,"commit":1,"at_us":...,"leaf":"...","event":"epoch","body":"..."}
    {"lictor":"fact","seq":2,...}
    {"lictor":"checkpoint","note":"lictor/...\n2\n...\n\n(signatures)\n"}

A checkpoint stands behind the last fact that it covers, and the last covers all. Bytes are base64. A line is written in
one way: whatever differs from that by a byte is found, inside of what is hashed or outside of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import IO, Any, Literal

import msgspec

from lictor.errors import MalformedError

from .checkpoint import SignedCheckpoint, Trust
from .entry import Fact
from .merkle import Frontier
from .note import PublicKey

VERSION = 1
#: One cause can break much; beyond this many findings the rest is counted, not listed.
LISTED_MAX = 100
#: What of each fact is shown: nothing but its leaf, its body, or its body and its payload.
Content = Literal["leaves", "facts", "payloads"]


class Header(msgspec.Struct, frozen=True, tag="history", tag_field="lictor", forbid_unknown_fields=True):
    """The first line."""

    version: int
    origin: str
    size: int
    checkpoints: int
    content: Content


class Signed(msgspec.Struct, frozen=True, tag="checkpoint", tag_field="lictor", forbid_unknown_fields=True):
    """A checkpoint."""

    note: str


class Checked(msgspec.Struct, frozen=True):
    """What the check of an export or a proof found."""

    origin: str
    facts: int
    checkpoints: int
    findings: tuple[str, ...]
    more: int = 0

    @property
    def clean(self) -> bool:
        """All is as it was signed."""
        return not self.findings


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Header | Fact | Signed).decode


def write(
    file: IO[bytes], header: Header, facts: Iterable[Fact], checkpoints: Iterable[SignedCheckpoint]
) -> tuple[int, int]:
    """Write a history; how many facts and checkpoints it has."""
    file.write(_encode(header) + b"\n")
    waiting = iter([*checkpoints, None])
    following = next(waiting)
    count = signed = 0
    for fact in facts:
        file.write(_encode(fact) + b"\n")
        count += 1
        while following is not None and following.checkpoint.size <= count:
            file.write(_encode(Signed(following.write())) + b"\n")
            signed += 1
            following = next(waiting)
    return count, signed


class _Check:
    """One run over one export."""

    def __init__(self, keys: Sequence[PublicKey], known: Sequence[SignedCheckpoint]) -> None:
        self.keys = keys
        self.findings: list[str] = []
        self.more = 0
        self.tree = Frontier()
        self.signed: list[SignedCheckpoint] = []
        self.covered = 0
        self.last: tuple[int, int] = (0, 0)
        self.header = Header(VERSION, "", 0, 0, "leaves")
        self.known = sorted(known, key=lambda one: one.checkpoint.size)
        self._known = iter([*self.known, None])
        self._next_known = next(self._known)

    def note(self, detail: str) -> None:
        """Something is wrong."""
        if len(self.findings) < LISTED_MAX:
            self.findings.append(detail)
        else:
            self.more += 1

    def read(self, number: int, line: bytes) -> None:
        """One line."""
        try:
            found = _decode(line)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            self.note(f"line {number} is none of an export: {error}")
            return
        if _encode(found) + b"\n" != line:
            self.note(f"line {number} is not written as it was")
        if (number == 1) != isinstance(found, Header):
            self.note(f"line {number}: the first line, and only that, says what the export is")
        elif isinstance(found, Fact):
            self._fact(found)
        elif isinstance(found, Signed):
            self._checkpoint(number, found)
        else:
            self.header = found

    def _fact(self, fact: Fact) -> None:
        wanted = self.tree.size + 1
        if fact.seq != wanted:
            self.note(f"fact {fact.seq} stands where fact {wanted} should")
        if (why := fact.fault()) is not None:
            self.note(f"fact {fact.seq} {why}")
        if (fact.commit, fact.at_us) < self.last or fact.at_us < self.last[1]:
            self.note(f"fact {fact.seq} is of commit {fact.commit} at {fact.at_us}, after {self.last}")
        if why != "is no fact":
            self.last = (fact.commit, fact.at_us)
            self.tree.add(fact.entry())
        self._compare_known()

    def _compare_known(self) -> None:
        """The tree where someone has kept a checkpoint of it."""
        while (one := self._next_known) is not None and one.checkpoint.size <= self.tree.size:
            checkpoint = one.checkpoint
            if checkpoint.size == self.tree.size and checkpoint.root != self.tree.root():
                self.note(f"the first {checkpoint.size} facts are not those of the checkpoint that was kept")
            self._next_known = next(self._known)

    def _checkpoint(self, number: int, line: Signed) -> None:
        try:
            one = SignedCheckpoint.read(line.note)
        except MalformedError as error:
            self.note(f"line {number}: {error.message}")
            return
        self.signed.append(one)
        checkpoint = one.checkpoint
        if checkpoint.origin != self.header.origin:
            self.note(f"line {number}: a checkpoint of {checkpoint.origin}")
        if (checkpoint.size, checkpoint.root) != (self.tree.size, self.tree.root()):
            self.note(f"line {number}: the {self.tree.size} facts before it are not those that were signed")
        else:
            self.covered = checkpoint.size

    def end(self) -> Checked:
        """All lines were read."""
        size = self.tree.size
        header = self.header
        if (header.version, header.size, header.checkpoints) != (VERSION, size, len(self.signed)):
            told = f"{header.size} facts and {header.checkpoints} checkpoints in version {header.version}"
            self.note(f"the first line tells of {told}; here are {size} and {len(self.signed)}")
        if self.covered != size or not self.signed:
            self.note(f"no checkpoint covers the {size - self.covered} facts after fact {self.covered}")
        trust = Trust(self.keys, self.signed)
        for one in self.signed:
            if not trust.accepts(one):
                self.note(f"the checkpoint of {one.checkpoint.size} facts is not signed by a key that was given")
        trust = Trust(self.keys, [*self.signed, *self.known])
        for one in self.known:
            if one.checkpoint.origin != self.header.origin or not trust.accepts(one):
                self.note(f"the checkpoint of {one.checkpoint.size} facts that was kept is of another history")
            elif one.checkpoint.size > size:
                self.note(f"history was cut: a checkpoint of {one.checkpoint.size} facts was kept, here are {size}")
        return Checked(self.header.origin, size, len(self.signed), tuple(self.findings), self.more)


def check(lines: Iterable[bytes], keys: Sequence[PublicKey], known: Sequence[SignedCheckpoint] = ()) -> Checked:
    """Check an export against public keys, and against checkpoints that were kept elsewhere; reads nothing else.

    Any key of the history is enough: where one hands over to another, both have signed that. Facts behind the last
    checkpoint that anyone has kept can be cut off, with their own checkpoints, without a trace: hence `known`.
    """
    run = _Check(keys, known)
    for number, line in enumerate(lines, 1):
        run.read(number, line)
    return run.end()


def facts_of(lines: Iterable[bytes]) -> Iterator[Fact]:
    """The facts of an export, for whoever goes on from there; nothing is checked."""
    return (found for line in lines if isinstance(found := _decode(line), Fact))


def plain(found: Checked) -> dict[str, Any]:
    """As plain data, for reports."""
    return {**msgspec.to_builtins(found), "clean": found.clean}
