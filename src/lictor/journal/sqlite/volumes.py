"""Filters over closed decisions, answered the same way however many there are and however few match.

Decisions are gathered in volumes as they close. For each volume and each value that a filter can name, `lists` has the
places of the decisions that have it, as bits; a filter is the bits of its values, or-ed and and-ed. Who asks goes
through the volumes from the newest id downwards, reads a row for each place that is left, and stops when it has enough.
What closed since the last volume is looked through one by one. Volumes are made behind the commits, never by them;
docs/adr/0012 says why it is this and no plain index.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from struct import pack as packed
from struct import unpack
from typing import Any, NamedTuple
from zlib import crc32

import apsw

from lictor.journal import port
from lictor.journal.listing import Matcher

from .queries import QUERIES

VOLUME_DECISIONS = 4_096
#: So many places are stored as such; more as bits.
_FEW = 64
_BITS_BYTES = VOLUME_DECISIONS // 8
ID_MAX = (1 << 63) - 1
#: Decisions that one fact ends, at most: its own and the one that it supersedes.
ENDED_MAX = 2
#: Rows read in one step on the way to a volume, so that nobody waits long.
STEP_ROWS = 512

#: The fields that have lists, by number, as `to_list` names them after id, time and key.
FIELDS = ("state", "kind", "tenant", "source", "code", "parent")
#: In this order they are asked for: the one that most often matches nothing comes first.
_NARROW_FIRST = ("parent", "code", "source", "tenant", "kind", "state")

#: (last fact, id, received, key, then one value for each field)
ListedRow = tuple[Any, ...]


class Volume(NamedTuple):
    """What is known of a volume without reading it."""

    number: int
    last_seq: int
    earliest_us: int
    latest_us: int
    size: int
    least_id: int
    most_id: int


class Volumes:
    """Reads them; `db` is a connection that reads."""

    def __init__(self, db: apsw.Connection) -> None:
        self._db = db
        self._known: list[Volume] = []

    def forget(self) -> None:
        """Some may be gone."""
        self._known = []

    def decisions(self, wanted: port.Filter) -> list[port.DecisionRow]:
        """Closed decisions that match, newest first."""
        matcher = Matcher(wanted)
        before = ID_MAX if wanted.before is None else wanted.before
        if matcher.takes_all:
            return [port.DecisionRow(*row) for row in self._db.execute(QUERIES["decisions"], (before, wanted.limit))]
        volumes = self._all()
        found = self._since(volumes[-1].last_seq if volumes else 0, wanted, matcher, before)
        for volume in sorted(volumes, key=lambda volume: -volume.most_id):
            if len(found) >= wanted.limit and volume.most_id < found[-1].id:
                break
            rows = self._in(volume, matcher, before, wanted.limit)
            if rows:
                found = sorted([*found, *rows], key=lambda row: -row.id)[: wanted.limit]
        return found

    def _all(self) -> list[Volume]:
        """Every volume, in the order in which they were made; those that are new since the last time are read."""
        after = self._known[-1].number if self._known else 0
        for number, last_seq, earliest, latest, size, least, most in self._db.execute(QUERIES["volumes"], (after,)):
            ids = int.from_bytes(least), int.from_bytes(most)
            self._known.append(Volume(number, last_seq, earliest, latest, size, *ids))
        return self._known

    def _since(self, seq: int, wanted: port.Filter, matcher: Matcher, before: int) -> list[port.DecisionRow]:
        """Those that are in no volume yet."""
        fields = matcher.as_json("state", "kind", "tenant", "source", "code")
        limits = (matcher.since_us, matcher.until_us, wanted.limit)
        asked = (seq, before, *fields, wanted.key, wanted.parent, *limits)
        return [port.DecisionRow(*row) for row in self._db.execute(QUERIES["closed_since"], asked)]

    def _in(self, volume: Volume, matcher: Matcher, before: int, limit: int) -> list[port.DecisionRow]:
        """Those of a volume."""
        if volume.least_id >= before or volume.latest_us < matcher.since_us or volume.earliest_us > matcher.until_us:
            return []
        bits = self._bits(volume, matcher)
        if not bits:
            return []
        ids = self._db.execute(QUERIES["volume_ids"], (volume.number,)).get
        if ids is None:  # archived meanwhile
            return []
        if volume.most_id >= before:
            numbers = unpack(f">{len(ids) // 8}q", ids)
            bits &= (1 << bisect_left(numbers, before)) - 1
        rows: list[port.DecisionRow] = []
        while bits and len(rows) < limit:
            place = bits.bit_length() - 1
            bits ^= 1 << place
            values = self._db.execute(QUERIES["decision_row"], (int.from_bytes(ids[8 * place : 8 * place + 8]),))
            row = next((port.DecisionRow(*found) for found in values), None)
            if row is not None and matcher.takes(row):  # none: archived
                rows.append(row)
        return rows

    def _bits(self, volume: Volume, matcher: Matcher) -> int:
        """The places that may match: all conditions but those on time, and a key by its hash."""
        bits = (1 << volume.size) - 1
        for name in _NARROW_FIRST:
            values = matcher.values.get(name)
            if values is not None:
                bits &= self._listed(volume.number, FIELDS.index(name), values)
                if not bits:
                    return 0
        if matcher.key is not None:
            bits &= self._keyed(volume.number, matcher.key)
        return bits

    def _listed(self, number: int, field: int, values: Sequence[str | int]) -> int:
        bits = 0
        for value in values:
            places = self._db.execute(QUERIES["places"], (number, field, value)).get
            if places is not None:
                bits |= bits_of(places)
        return bits

    def _keyed(self, number: int, key: str) -> int:
        hashes = self._db.execute(QUERIES["volume_keys"], (number,)).get or b""
        wanted, bits, at = key_hash(key), 0, -1
        while (at := hashes.find(wanted, at + 1)) >= 0:
            if at % 4 == 0:
                bits |= 1 << at // 4
        return bits


def key_hash(key: str | None) -> bytes:
    """Four bytes to look for; a row that they lead to is compared as a whole."""
    return bytes(4) if key is None else crc32(key.encode()).to_bytes(4)


def places_of(places: Sequence[int]) -> bytes:
    """Places as they are stored."""
    if len(places) < _FEW:
        return packed(f">{len(places)}H", *places)
    bits = bytearray(_BITS_BYTES)
    for place in places:
        bits[place >> 3] |= 1 << (place & 7)
    return bytes(bits)


def bits_of(stored: bytes) -> int:
    """Stored places, as bits."""
    if len(stored) == _BITS_BYTES:
        return int.from_bytes(stored, "little")
    bits = 0
    for place in unpack(f">{len(stored) // 2}H", stored):
        bits |= 1 << place
    return bits


class Made(NamedTuple):
    """A volume as it is stored, but for its number."""

    volume: tuple[int, int, int, int, bytes, bytes]
    #: (field, value, places)
    lists: list[tuple[int, Any, bytes]]


def made(rows: Sequence[ListedRow]) -> Made:
    """The volume of some decisions, in the order of `to_list`."""
    first_seq, last_seq = rows[0][0], rows[-1][0]
    by_id = sorted(rows, key=lambda row: row[1])
    _, ids, received, keys, *columns = zip(*by_id, strict=True)
    lists = []
    for field, column in enumerate(columns):
        found: dict[Any, list[int]] = {}
        for place, value in enumerate(column):
            if value in found:
                found[value].append(place)
            elif value is not None:
                found[value] = [place]
        lists += [(field, value, places_of(found[value])) for value in sorted(found)]
    hashes = b"".join(map(key_hash, keys))
    stored = (first_seq, last_seq, min(received), max(received), packed(f">{len(ids)}q", *ids), hashes)
    return Made(stored, lists)


class Binder:
    """Makes volumes, step by step, on the connection that writes."""

    def __init__(self, db: apsw.Connection) -> None:
        self._db = db
        self._rows: list[ListedRow] = []
        last: tuple[int, int] | None = db.execute(QUERIES["last_volume"]).fetchone()
        self._number, self._bound_to = last or (0, 0)
        self._made: Made | None = None

    def waiting(self, limit: int) -> int:
        """How many decisions are in no volume yet, counted up to a limit."""
        return int(self._db.execute(QUERIES["count_to_list"], (self._bound_to, limit)).get)

    def step(self) -> bool:
        """Do a part of the next volume; whether there is more to do now. Stores within a transaction of its own."""
        if self._made is not None:
            self._store(self._made)
            return True
        if len(self._rows) > VOLUME_DECISIONS - ENDED_MAX:
            self._made = made(self._rows)
            return True
        after = self._rows[-1][0] if self._rows else self._bound_to
        if not self._rows and self.waiting(VOLUME_DECISIONS) < VOLUME_DECISIONS:
            return False
        room = min(STEP_ROWS, VOLUME_DECISIONS - len(self._rows))
        rows = list(self._db.execute(QUERIES["to_list"], (after, room + 1)))
        if len(rows) > room:  # what the last fact of them ended may be cut in two: it goes whole with the next
            rows = [row for row in rows if row[0] != rows[-1][0]]
        self._rows += rows
        return True

    def _store(self, volume: Made) -> None:
        self._number += 1
        self._db.execute(QUERIES["add_volume"], (self._number, *volume.volume))
        self._db.executemany(QUERIES["add_list"], [(self._number, *row) for row in volume.lists])
        self._bound_to = volume.volume[1]
        self._rows, self._made = [], None


def drop_archived(db: apsw.Connection, before_seq: int) -> None:
    """Let go of the volumes before a position all of whose decisions are archived; within a transaction."""
    for (number,) in list(db.execute(QUERIES["drop_volumes"], (before_seq,))):
        db.execute(QUERIES["drop_lists"], (number,))


def wrong(db: apsw.Connection) -> Iterator[str]:
    """Which volumes are not what their decisions make them (I15); of one that is archived in part, nothing is said."""
    for number, *volume in db.execute(QUERIES["audit_volumes"]):
        rows = list(db.execute(QUERIES["audit_listed"], (volume[0], volume[1])))
        if 8 * len(rows) < len(volume[4]):
            continue
        wanted = made(rows)
        stored = sorted(db.execute(QUERIES["audit_lists"], (number,)), key=repr)
        if tuple(volume) != wanted.volume or stored != sorted(wanted.lists, key=repr):
            yield f"volume {number} of the lists is not what follows from its decisions"
