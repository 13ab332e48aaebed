"""The Merkle tree of RFC 6962: hashes, and proofs that an entry is in it and that one tree grew from another. Pure.

A tree is never held here. Whoever has its hashes gives them by span: the hash over the entries from one position up to
another. A span that is whole (its length a power of two, its start a multiple of that) never changes again, so that a
store can keep the hashes of some of them and make all others from these.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256

#: The hash over the entries [start, end) of a tree.
Spans = Callable[[int, int], bytes]

#: The hash of a tree without entries.
EMPTY = sha256(b"").digest()
HASH_BYTES = 32


def entry_hash(entry: bytes) -> bytes:
    """The hash of a tree that has one entry."""
    return sha256(b"\0" + entry).digest()


def joined(left: bytes, right: bytes) -> bytes:
    """The hash of a tree whose two halves have these hashes."""
    return sha256(b"\1" + left + right).digest()


def split(size: int) -> int:
    """Where a tree of two or more entries divides: the largest power of two below its size."""
    return 1 << (size - 1).bit_length() - 1


def whole(hashes: Sequence[bytes]) -> bytes:
    """The hash over spans side by side, as many as a power of two."""
    row = hashes
    while len(row) > 1:
        row = [sha256(b"\1" + row[at] + row[at + 1]).digest() for at in range(0, len(row), 2)]
    return row[0]


class Frontier:
    """A tree that only grows, of which no more is kept than the hashes of its whole spans: one a bit of its size."""

    def __init__(self) -> None:
        self.size = 0
        self._spans: list[bytes] = []

    def add(self, entry: bytes) -> None:
        """One more entry."""
        found, size = entry_hash(entry), self.size
        while size & 1:
            found = joined(self._spans.pop(), found)
            size >>= 1
        self._spans.append(found)
        self.size += 1

    def root(self) -> bytes:
        """The hash over all entries so far."""
        return _folded(reversed(self._spans)) if self._spans else EMPTY


def _folded(hashes: Iterable[bytes]) -> bytes:
    """Spans from right to left, each the left half of what it is joined to."""
    found = b""
    for one in hashes:
        found = joined(one, found) if found else one
    return found


def inclusion(index: int, size: int, spans: Spans) -> tuple[bytes, ...]:
    """The proof that the tree of the first `size` entries has the entry at `index` (from 0): RFC 6962, 2.1.1."""
    if not 0 <= index < size:
        raise ValueError(f"no entry {index} in a tree of {size}")
    path: list[bytes] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + split(end - start)
        if index < middle:
            path.append(spans(middle, end))
            end = middle
        else:
            path.append(spans(start, middle))
            start = middle
    return tuple(reversed(path))


def consistency(old: int, new: int, spans: Spans) -> tuple[bytes, ...]:
    """The proof that the tree of `new` entries begins with that of `old`: RFC 6962, 2.1.2. Empty for an empty tree."""
    if not 0 <= old <= new:
        raise ValueError(f"a tree of {new} does not begin with one of {old}")
    path: list[bytes] = []
    start, end, known = 0, new, True  # `known`: who checks has the hash of the old tree over this span
    while old not in (0, end - start):
        middle = split(end - start)
        if old <= middle:
            path.append(spans(start + middle, end))
            end = start + middle
        else:
            path.append(spans(start, start + middle))
            start, old, known = start + middle, old - middle, False
    if old and not known:
        path.append(spans(start, end))
    return tuple(reversed(path))


def includes(leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> bool:
    """Whether a proof shows that the tree of this size and root has an entry of hash `leaf` at `index`: RFC 9162."""
    if not 0 <= index < size:
        return False
    found, at, last = leaf, index, size - 1
    for one in path:
        if last == 0:
            return False
        if at & 1 or at == last:
            found = joined(one, found)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            found = joined(found, one)
        at, last = at >> 1, last >> 1
    return last == 0 and found == root


def extends(old: int, new: int, path: Sequence[bytes], old_root: bytes, new_root: bytes) -> bool:
    """Whether a proof shows that the tree of `new` entries begins with that of `old`: RFC 9162, 2.1.4.2."""
    if not 0 <= old <= new:
        return False
    if old == 0:
        return not path and old_root == EMPTY
    if old == new:
        return not path and old_root == new_root
    rest = list(path)
    if old & (old - 1) == 0:
        rest.insert(0, old_root)
    if not rest:
        return False
    at, last = old - 1, new - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    before = after = rest[0]
    for one in rest[1:]:
        if last == 0:
            return False
        if at & 1 or at == last:
            before, after = joined(one, before), joined(one, after)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            after = joined(after, one)
        at, last = at >> 1, last >> 1
    return last == 0 and before == old_root and after == new_root
